# help: make demo                     watch it scale before the load arrives, beside the built-in HPA
demo: deps all
	@hack/demo $(DEMO)

.PHONY: demo

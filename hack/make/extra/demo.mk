# help: make demo                     watch it scale before the load arrives, beside the built-in HPA
demo: deps
	$(Q)$(MAKE) --no-print-directory all
	@hack/demo --build $(abspath $(O)) $(DEMO)

.PHONY: demo

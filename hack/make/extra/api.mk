# The API's files, generated from the table in controller/api, and the program that the agreement test asks.
# help: make crds                     crds/*.yaml and crds/README.md from the table in controller/api
# help: make lint-crds                the committed ones are what the table gives

$(eval $(call program_rules,crdgen,controller core kube base))

crds: $(O)/crdgen
	$(Q)$(O)/crdgen crds

lint-crds: $(O)/crdgen
	@mkdir -p $(O)/gen/crds && $(O)/crdgen $(O)/gen/crds && for f in $(O)/gen/crds/*; do \
	    cmp -s $$f crds/$${f##*/} || { echo "crds/$${f##*/} is not what the table gives: make crds"; exit 1; }; \
	done && echo "crds: as the table gives them"
lint: lint-crds

.PHONY: crds lint-crds

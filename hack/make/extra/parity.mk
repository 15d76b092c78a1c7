# The decision core against the HPA controller itself, in virtual time (test/parity; hack/tools/hpa-oracle).
# help: make parity COUNT=500 SEED=1  generated hours of autoscaling: same counts, same conditions at every sync

COUNT ?= 500
SEED  ?= 1
parity: $(O)/test/hpa_parity
	@test/parity --build $(O) --seed $(SEED) --count $(COUNT)

.PHONY: parity

# Benchmarks, always of the optimised build: test/bench/bench_NAME.c measures code, test/bench/bench_operator.py and
# bench_advisor.py the running operator on a control plane of its own. Other programs there are built for them and run by them.
# help: make bench                    time, instructions, memory, beside their goals (B=NAME runs one; 20 minutes in all)
# help: make bench B=operator         the operator with 1 and 100 autoscalers (SECONDS=60 looks for a minute, not for five)
# help: make bench B=operator-1000    the operator with 1,000 autoscalers
# help: make bench B=advisor          1,000 autoscalers with a slow LLM advisor and without, in five pairs (50 minutes)

benches       := $(patsubst test/bench/%.c,$(O)/bench/%,$(wildcard test/bench/bench_*.c))
bench_wanted  := $(if $(B),$(filter %/bench_$(B),$(benches)),$(benches))
bench_metered := %/bench_demand %/bench_step %/bench_forest
bench_cluster := $(if $(B),$(filter operator operator-1000 advisor,$(B)),operator)
bench_program := test/bench/bench_$(if $(filter advisor,$(bench_cluster)),advisor,operator).py

$(O)/bench/%: $(O)/obj/test/bench/%.o $(foreach l,$(layers),$(call archive,$(l)))
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -o $@ $(filter %.o,$^) $(foreach l,$(layers),$(call archive,$(l))) $(ALL_LDFLAGS) $(libs_base)

bench: $(bench_wanted) $(if $(bench_cluster),deps all $(O)/bench/idle_peer)
	@$(if $(bench_wanted)$(bench_cluster),:,echo "no benchmark is called $(B); there are: $(patsubst %,%,$(notdir $(benches:$(O)/bench/bench_%=%))) operator operator-1000 advisor" >&2; exit 2)
	@missed=0; for b in $(bench_wanted); do $$b || missed=1; done; \
	for b in $(filter $(bench_metered),$(bench_wanted)); do test/bench/instructions $$b || missed=1; done; \
	$(if $(bench_cluster),$(bench_program) --build $(O) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(filter %-1000,$(bench_cluster)),--autoscalers 1000) || missed=1;) \
	exit $$missed

.PHONY: bench

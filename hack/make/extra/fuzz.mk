# libFuzzer on what reads foreign bytes: test/fuzz/fuzz_NAME.c, its committed inputs in test/fuzz/corpus/NAME. Built by
# clang with sanitizers in a tree of their own; what is found on the way is kept there (build-fuzz/corpus), what breaks a
# target is left as build-fuzz/crash-NAME-*.
# help: make fuzz T=NAME SECONDS=60   fuzzes one target (all without T=): cron manifest series state tzif

fuzz_names := $(patsubst test/fuzz/fuzz_%.c,%,$(wildcard test/fuzz/fuzz_*.c))
fuzz_tree   = $(MAKE) --no-print-directory CC=clang O=build-fuzz SANITIZE=fuzzer-no-link,address,undefined

# ---- inside build-fuzz ----
# No more than what the targets reach.
src_fuzzed := $(src_base) $(src_kube) $(src_core) $(sort $(wildcard controller/api/*.c)) controller/lab/series_file.c
$(eval $(call archive_rules,fuzzed))
$(O)/fuzz/%: $(O)/obj/test/fuzz/fuzz_%.o $(O)/libfuzzed.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -o $@ $^ $(ALL_LDFLAGS) -fsanitize=fuzzer $(libs_base)
$(O)/fuzz/state_seeds: $(O)/obj/test/fuzz/state_seeds.o $(O)/libfuzzed.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -o $@ $^ $(ALL_LDFLAGS) $(libs_base)
$(O)/seeds/state: $(O)/fuzz/state_seeds
	@rm -rf $@ && mkdir -p $@ && $(O)/fuzz/state_seeds $@ 24
fuzz-programs: $(patsubst %,$(O)/fuzz/%,$(fuzz_names)) $(O)/seeds/state

# ---- from outside ----
fuzz:
	@$(if $(filter-out $(fuzz_names),$(T)),echo "no fuzz target is called $(T); there are: $(fuzz_names)" >&2; exit 2)
	$(Q)+$(fuzz_tree) fuzz-programs
	@test/run --fuzz-seconds $(or $(SECONDS),60) --fuzz $(patsubst %,build-fuzz/fuzz/%,$(or $(T),$(fuzz_names)))

.PHONY: fuzz fuzz-programs

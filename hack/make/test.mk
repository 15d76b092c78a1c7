# Unit tests: test/unit/LAYER/test_NAME.c is one cmocka program that links its layer and those below, no more.
# help: make unit                     unit tests, in the tree of O= and SANITIZE= (T=NAME runs one)

below_base       := base
below_kube       := kube base
below_core       := core base
below_controller := controller core kube base
below_lab        := lab controller core kube base
# What several test programs share (fakes, scripted servers); never linked into a product.
src_testlib      := $(sort $(wildcard test/server/*.c test/support/*.c test/api/*.c))
libs_test        := -lcmocka $(shell pkg-config --libs libcjson 2>/dev/null)
$(eval $(call archive_rules,testlib))

define unit_rules
unit_$(1) := $$(patsubst test/unit/$(1)/%.c,$(O)/unit/$(1)/%,$$(sort $$(wildcard test/unit/$(1)/test_*.c)))
$(O)/unit/$(1)/%: $(O)/obj/test/unit/$(1)/%.o $(O)/libtestlib.a $(foreach l,$(below_$(1)),$(call archive,$(l)))
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) -o $$@ $$(filter %.o,$$^) $(O)/libtestlib.a $(foreach l,$(below_$(1)),$(call archive,$(l))) $$(ALL_LDFLAGS) $$(libs_test) $$(libs_base)
endef
$(foreach l,$(layers),$(eval $(call unit_rules,$(l))))
unit_programs := $(foreach l,base kube core controller lab,$(unit_$(l)))

wanted_units := $(if $(T),$(filter %/test_$(T),$(unit_programs)),$(unit_programs))
unit: $(wanted_units)
	@test/run --unit $^

# The whole: unit tests and the programs under test are built with sanitizers, in a tree of their own.
# What a test only runs to see its output, and waits long for, it takes from O=. Without -j all cores compile.
# help: make test                     everything that fits into ten minutes; ends with N passed, N failed, N skipped
# help: make test-long                also what takes longer
# help: make integration K=name       the integration tests alone, on a real control plane
san   = $(MAKE) --no-print-directory SANITIZE=address,undefined O=build-san
cores = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))
test test-long: deps
	$(Q)$(MAKE) --no-print-directory $(cores) all
	$(Q)+$(san) $(cores) all unit-programs test-helpers
	$(Q)+$(fuzz_tree) $(cores) fuzz-programs
	$(Q)hack/control-plane build
	$(Q)test/run $(if $(filter test-long,$@),--long) --integration --build build-san --release $(O) \
	    --unit $(unit_programs:$(O)/%=build-san/%) --fuzz $(fuzz_names:%=build-fuzz/fuzz/%)

integration: deps
	$(Q)$(MAKE) --no-print-directory $(cores) all
	$(Q)+$(san) $(cores) all test-helpers
	$(Q)hack/control-plane build
	$(Q)test/run --integration --build build-san --release $(O) $(if $(K),-k '$(K)')

unit-programs: $(unit_programs)

# Programs that integration tests start besides the product: test/helpers/NAME.c.
helpers := $(patsubst test/helpers/%.c,$(O)/test/%,$(wildcard test/helpers/*.c))
$(O)/test/%: $(O)/obj/test/helpers/%.o $(foreach l,$(layers),$(call archive,$(l)))
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -o $@ $(filter %.o,$^) $(foreach l,$(layers),$(call archive,$(l))) $(ALL_LDFLAGS) $(libs_base)
test-helpers: $(helpers)

# help: make deps                     installs what is missing, or prints the command that does
deps:
	@hack/deps

.SECONDARY:
.PHONY: unit unit-programs test test-long integration test-helpers deps

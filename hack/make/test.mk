# Unit tests: test/unit/LAYER/test_NAME.c is one cmocka program that links its layer and those below, no more.
# help: make unit                     unit tests, in the tree of O= and SANITIZE= (T=NAME runs one)

below_base       := base
below_kube       := kube base
below_core       := core base
below_controller := controller core kube base
below_lab        := lab controller core kube base
# What several test programs share (fakes, scripted servers); never linked into a product.
src_testlib      := $(sort $(wildcard test/server/*.c test/support/*.c))
$(O)/libtestlib.a: $(call obj,$(src_testlib))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

define unit_rules
unit_$(1) := $$(patsubst test/unit/$(1)/%.c,$(O)/unit/$(1)/%,$$(sort $$(wildcard test/unit/$(1)/test_*.c)))
$(O)/unit/$(1)/%: $(O)/obj/test/unit/$(1)/%.o $(O)/libtestlib.a $(foreach l,$(below_$(1)),$(call archive,$(l)))
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) -o $$@ $$(filter %.o,$$^) $(O)/libtestlib.a $(foreach l,$(below_$(1)),$(call archive,$(l))) $$(ALL_LDFLAGS) -lcmocka $$(libs_base)
endef
$(foreach l,$(layers),$(eval $(call unit_rules,$(l))))
unit_programs := $(foreach l,base kube core controller lab,$(unit_$(l)))

unit: $(unit_programs)
	@test/run-unit $(if $(T),$(filter %/test_$(T),$^),$^)

.SECONDARY:
.PHONY: unit

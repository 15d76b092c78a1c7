# One static archive per layer; programs and tests link the layers they may know, in this order, so that an upward call
# does not link.
# help: make                          the two programs, in build/
# help: make install                  DESTDIR= and prefix= are honoured
# help: make compile_commands.json    for editors and clang-tidy
# help: make clean

layers         := lab controller core kube base
src_base       := $(sort $(wildcard kube/base/*.c))
src_kube       := $(sort $(wildcard kube/*.c))
src_core       := $(sort $(wildcard controller/core/*.c))
src_controller := $(sort $(wildcard controller/api/*.c controller/sources/*.c controller/advisor/*.c \
                    controller/reconcile/*.c))
src_lab        := $(sort $(wildcard controller/lab/*.c))

libs_base := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lm
programs  := ai4k8s-operator kubectl-ai4k8s
obj       = $(patsubst %.c,$(O)/obj/%.o,$(1))
archive   = $(O)/lib$(1).a

# A change of flags rebuilds; a change of nothing does not.
flags_now := $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS)
$(O)/flags: force
	@mkdir -p $(@D)
	@printf '%s' $(call quote,$(flags_now)) | cmp -s - $@ || printf '%s' $(call quote,$(flags_now)) > $@
quote = '$(subst ','\'',$(1))'
force:

$(O)/obj/%.o: %.c $(O)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

define layer_rules
$(call archive,$(1)): $(call obj,$(src_$(1)))
	$$(call say,AR,$$@)
	@mkdir -p $$(@D)
	$$(Q)rm -f $$@ && $$(AR) rcsD $$@ $$^
endef
$(foreach l,$(layers),$(eval $(call layer_rules,$(l))))

define program_rules
src_$(1) := $$(sort $$(wildcard cmd/$(1)/*.c))
$(O)/$(1): $$(call obj,$$(src_$(1))) $(foreach l,$(2),$(call archive,$(l)))
	$$(call say,LD,$$@)
	$$(Q)$$(CC) -o $$@ $$^ $$(ALL_LDFLAGS) $$(libs_base)
endef
# The operator does not link the lab.
$(eval $(call program_rules,ai4k8s-operator,controller core kube base))
$(eval $(call program_rules,kubectl-ai4k8s,lab controller core kube base))

have_programs := $(foreach p,$(programs),$(if $(wildcard cmd/$(p)/*.c),$(O)/$(p)))
all: $(have_programs)

install: all
	install -Dm755 -t $(DESTDIR)$(prefix)/bin $(have_programs)

compile_commands.json: $(O)/flags
	@python3 hack/make/compdb.py $(call quote,$(CC) $(ALL_CFLAGS)) $(foreach l,$(layers),$(src_$(l))) \
	    $(wildcard cmd/*/*.c test/unit/*/*.c test/server/*.c test/bench/*.c) > $@

clean:
	rm -rf $(O) build-san

-include $(shell find $(O)/obj -name '*.d' 2>/dev/null)
.PHONY: install clean force

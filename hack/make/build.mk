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

quote = '$(subst ','\'',$(1))'
force:
# A file of a text, written only when the text changes: what depends on it is remade then, and at no other time.
keep = @mkdir -p $(@D) && { printf '%s' $(call quote,$(1)) | cmp -s - $@ || printf '%s' $(call quote,$(1)) > $@; }

# A change of flags, or of the compiler behind the same name, rebuilds all.
$(O)/flags: force
	@command -v $(firstword $(CC)) >/dev/null && pkg-config --exists $(PKGS) || \
	    { echo '$(firstword $(CC)), pkg-config or a library ($(PKGS)) is missing: make deps' >&2; exit 1; }
	$(call keep,$(cc_version) $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS))

# What is made from a set of objects is also made anew when one leaves the set, which no time stamp tells.
$(O)/members/%: force
	$(call keep,$(members_$*))

$(O)/obj/%.o: %.c $(O)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

define archive_rules
members_$(1) := $(call obj,$(src_$(1)))
$(call archive,$(1)): $$(members_$(1)) $(O)/members/$(1)
	$$(call say,AR,$$@)
	@mkdir -p $$(@D)
	$$(Q)rm -f $$@ && $$(AR) rcsD $$@ $$(members_$(1))
endef
$(foreach l,$(layers),$(eval $(call archive_rules,$(l))))

define program_rules
src_$(1) := $$(sort $$(wildcard cmd/$(1)/*.c))
members_$(1) := $$(call obj,$$(src_$(1))) $(foreach l,$(2),$(call archive,$(l)))
$(O)/$(1): $$(members_$(1)) $(O)/members/$(1)
	$$(call say,LD,$$@)
	$$(Q)$$(CC) -o $$@ $$(members_$(1)) $$(ALL_LDFLAGS) $$(libs_base)
endef
# The operator does not link the lab.
$(eval $(call program_rules,ai4k8s-operator,controller core kube base))
$(eval $(call program_rules,kubectl-ai4k8s,lab controller core kube base))

have_programs := $(foreach p,$(programs),$(if $(wildcard cmd/$(p)/*.c),$(O)/$(p)))
all: $(have_programs)

install: all
	install -Dm755 -t $(DESTDIR)$(prefix)/bin $(have_programs)

compile_commands.json: force
	@python3 hack/make/compdb.py $(call quote,$(CC) $(ALL_CFLAGS)) $(foreach l,$(layers),$(src_$(l))) \
	    $(wildcard cmd/*/*.c test/*/*.c test/unit/*/*.c) > $@

clean:
	rm -rf $(O) build-san

-include $(shell find $(O)/obj -name '*.d' 2>/dev/null)
.PHONY: install clean force

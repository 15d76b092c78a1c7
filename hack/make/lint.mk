# help: make lint                     layers, format, headers, clang-tidy, clang, shellcheck (each also alone: lint-layers ...)
# help: make format                   clang-format 14 over all C files

c_files      := $(wildcard kube/*.[ch] kube/base/*.[ch] controller/*/*.[ch] cmd/*/*.[ch] test/*/*.[ch] test/unit/*/*.[ch])
header_files := $(filter %.h,$(c_files))
clang_format  = $(shell hack/deps --path clang-format)
shell_files  := $(shell grep -lIE '^\#!/(usr/bin/env |bin/)(ba)?sh' -r hack test .ci manifests --include='*' 2>/dev/null)

lint: lint-layers lint-format lint-headers lint-tidy lint-clang lint-shell

lint-layers:
	@hack/check-layers

lint-format:
	@$(clang_format) --dry-run --Werror $(c_files) && echo "format: $(words $(c_files)) files"

format:
	@$(clang_format) -i $(c_files)

# Each header compiles alone.
lint-headers:
	@for h in $(header_files); do \
	    echo "#include \"$$h\"" | $(CC) $(filter-out -Wunused-macros,$(ALL_CFLAGS)) -Wno-unused-function -Werror -fsyntax-only -x c - || exit 1; \
	done; echo "headers: $(words $(header_files)) compile alone"

# One stamp per file: a second run checks what has changed.
tidy_stamps := $(patsubst %.c,$(O)/tidy/%.ok,$(filter kube/%.c controller/%.c cmd/%.c,$(c_files)))
$(O)/tidy/%.ok: %.c .clang-tidy $(header_files)
	$(call say,TIDY,$<)
	@mkdir -p $(@D)
	$(Q)clang-tidy --quiet --warnings-as-errors='*' $< -- $(filter-out -W% -fcf-protection=full -ftrivial-auto-var-init=zero -fstack-clash-protection,$(ALL_CFLAGS)) 2>$@.log || { cat $@.log; exit 1; }
	@touch $@
lint-tidy: $(tidy_stamps)

# The second compiler has nothing to say either, about the tests too.
lint-clang:
	@mkdir -p $(O)
	@$(MAKE) --no-print-directory CC=clang O=$(O)/clang WERROR=1 all unit-programs test-helpers >$(O)/clang.log 2>&1 || { cat $(O)/clang.log; exit 1; }
	@echo "clang: no warning"

lint-shell:
	@shellcheck -x $(shell_files) && echo "shellcheck: $(words $(shell_files)) files"

.PHONY: lint lint-layers lint-format lint-headers lint-tidy lint-clang lint-shell format

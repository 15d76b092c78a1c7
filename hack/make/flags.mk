# Compiler and linker flags: the strict set of a good C project, and hardening. Both compilers know all of `warn`;
# what only one of them knows is added behind a test of the compiler itself.

cc_version  := $(shell $(CC) --version 2>/dev/null | head -n 1)
cc_is_clang := $(findstring clang,$(cc_version))

warn := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes \
        -Wold-style-definition -Wundef -Wpointer-arith -Wcast-align -Wcast-qual -Wwrite-strings -Wformat=2 \
        -Wnull-dereference -Wdouble-promotion -Wfloat-equal -Wvla -Wimplicit-fallthrough -Wswitch-enum -Wdate-time \
        -Wredundant-decls -Wno-gnu-statement-expression -Wno-gnu-zero-variadic-macro-arguments
# Statement expressions (TAKE_PTR) are the one GNU extension that -Wpedantic must let pass; gcc can't name it.
warn += $(if $(cc_is_clang),-Wno-gnu-auto-type,-Wno-pedantic -Wlogical-op -Wduplicated-cond -Wformat-signedness -Wtrampolines)
warn += -Werror=implicit-function-declaration -Werror=incompatible-pointer-types -Werror=int-conversion \
        -Werror=return-type -Werror=format-security
warn += $(if $(WERROR),-Werror)

# _FORTIFY_SOURCE and the sanitizers don't go together.
harden := -fstack-protector-strong -fstack-clash-protection -fcf-protection=full -ftrivial-auto-var-init=zero \
          -fno-delete-null-pointer-checks -fno-strict-overflow -fno-common
# clang before 16 wants a promise for zero-initialised locals; it gets the older spelling.
old_clang := $(and $(cc_is_clang),$(shell printf '' | $(CC) -ftrivial-auto-var-init=zero -x c -c - -o /dev/null 2>/dev/null || echo old))
harden += $(if $(old_clang),-enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang)
harden += $(if $(SANITIZE),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
ifneq ($(shell uname -m),x86_64)
harden := $(filter-out -fcf-protection=full,$(harden))
endif

sanitize := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)
# A sanitizer shows lines, not variables (CFLAGS=-g for a debugger), and its tree is a hundred programs: half of the time
# that compiling and linking them takes is saved by -g1 and, where there is one that likes the compiler, by a faster linker.
optimise := $(if $(SANITIZE),-O1 -g1,-O2 -g)
linker   := $(if $(and $(SANITIZE),$(if $(cc_is_clang),,gcc),$(shell command -v ld.gold)),-fuse-ld=gold)

# -iquote: our folders are for quoted includes alone, so that <yaml.h> is libyaml's and never kube/yaml.h.
# -ffp-contract=off: the same inputs give the same plan, bit for bit, on every machine.
ALL_CFLAGS := -std=gnu17 -D_GNU_SOURCE $(optimise) -ffp-contract=off -fvisibility=hidden -fPIE $(warn) $(harden) $(sanitize) \
              -iquote . -iquote kube -iquote controller -I$(O)/gen -DAI4K8S_VERSION='"$(VERSION)"' $(shell pkg-config --cflags $(PKGS) 2>/dev/null) $(CFLAGS)
ALL_LDFLAGS := -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed -Wl,--fatal-warnings $(sanitize) $(linker) $(LDFLAGS)

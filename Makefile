# AI4K8s. `make` builds, `make test` tests, `make help` lists the rest.
#
#   O=DIR                where everything is built                  (build)
#   CC=gcc|clang         the compiler                               (gcc)
#   SANITIZE=a,b         -fsanitize=a,b in its own tree             (O=build-san)
#   WERROR=1             warnings are errors, as in CI
#   DESTDIR= prefix=     where `make install` puts things           (/usr/local)
#   V=1                  show the commands

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

CC       := $(if $(filter default undefined,$(origin CC)),gcc,$(CC))
AR       := $(if $(filter default undefined,$(origin AR)),ar,$(AR))
O        ?= $(if $(SANITIZE),build-san,build)
prefix   ?= /usr/local
PKGS     := libcurl jansson yaml-0.1 openssl libsystemd libmicrohttpd
VERSION  := $(shell cat VERSION)

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')

include hack/make/flags.mk
include hack/make/build.mk
include hack/make/test.mk
include hack/make/lint.mk
-include $(wildcard hack/make/extra/*.mk)

help:
	@sed -n 's/^# help: //p' hack/make/*.mk hack/make/extra/*.mk 2>/dev/null

.PHONY: all help

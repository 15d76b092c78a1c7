# test/api, the API server that misbehaves on command, for all test programs; cJSON is its codec.
$(O)/libtestlib.a: $(call obj,$(sort $(wildcard test/api/*.c)))
libs_base += $(shell pkg-config --libs libcjson 2>/dev/null)

/* A Pod's JSON to the compact `struct pod`. */
#ifndef SOURCES_POD_DECODE_H
#define SOURCES_POD_DECODE_H

#include "sources/pods.h"

/* Gives an object with one reference; NULL and err for JSON that is no pod. */
struct object *pod_decode(const char *raw, size_t len, struct error *err);

#endif

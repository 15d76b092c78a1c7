/* The manifest of a PredictiveAutoscaler as an offline command computes with it: schema defaults and rules applied, the
 * operator's settings at their defaults. */
#ifndef PLUGIN_SPEC_FILE_H
#define PLUGIN_SPEC_FILE_H

#include "api/pa.h"
#include "core/spec.h"

struct spec_file {
    struct pa_file file;
    struct core_spec core;
};

/* 0, or -1: ERROR_IO when it can't be read, otherwise what is wrong with it, with its line. */
int spec_file_load(const char *path, struct spec_file *ret, struct error *err);

#endif

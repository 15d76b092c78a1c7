/* The manifest of a PredictiveAutoscaler as an offline command computes with it: schema defaults and rules applied, the
 * operator's settings at their defaults. A schedule that can't be understood is left out, as in a cluster, with a note
 * on standard error. */
#ifndef PLUGIN_SPEC_FILE_H
#define PLUGIN_SPEC_FILE_H

#include "api/pa.h"
#include "base/tz.h"
#include "core/spec.h"

struct spec_file {
    struct pa_file file;
    struct core_spec core;
    struct tz_cache *zones; /* `core` borrows of it */
};

/* 0, or -1: ERROR_IO when it can't be read, otherwise what is wrong with it, with its line. */
int spec_file_load(const char *path, struct spec_file *ret, struct error *err);
void spec_file_done(struct spec_file *spec); /* one that was loaded */

#endif

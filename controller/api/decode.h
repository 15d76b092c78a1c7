/* JSON -> plain struct, by the table: types, defaults, bounds, formats, duplicates, rules; and messages that
 * name the place and what to write instead.
 *
 * It accepts and rejects what the API server does (strictly: with fieldValidation=Strict): null is the same
 * as absent, 3.0 is an integer unless a rule reads it, defaults come before the checks. Never fails on
 * hostile input other than by problems; time and memory are bounded by the table.
 */
#ifndef API_DECODE_H
#define API_DECODE_H

#include "api/schema.h"
#include "kube/json.h"
#include "kube/yaml.h"

#define API_MAX_PROBLEMS 8

struct api_problem {
    char path[128];    /* "spec.metrics[0].resource", "" for the whole */
    char message[200]; /* "must be >= minReplicas (3)" */
    int line;          /* 0: not from a file, or not known */
    bool rule;         /* all values were valid, a rule over them was not */
};
struct api_problems {
    unsigned n;     /* at most API_MAX_PROBLEMS are kept */
    unsigned total; /* found */
    struct api_problem items[API_MAX_PROBLEMS];
};

enum api_decode_flags {
    /* Unknown fields are problems: for files and annotations. The API server has pruned its objects itself. */
    API_STRICT = 1,
};

/* Decodes the value at `path` into `ret`, which is zeroed first. `value` NULL: absent, which an object with
 * only defaults survives. `old` (or NULL) is the struct before an update, for transition rules. 0, or -1 with
 * problems added. A struct with SCHEMA_BYTES members must be released by its owner, also after a failure. */
int api_decode(const struct schema_object *schema, const json_t *value, const char *path, unsigned flags, void *ret,
               size_t ret_size, const void *old, struct api_problems *problems);

/* Adds one; `path` and the formatted message are cut where they are too long. Always -1. */
int api_problem_add(struct api_problems *problems, const char *path, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Looks up the lines of all problems: that of the path, or of its nearest parent that the file has. */
void api_problems_locate(struct api_problems *problems, const struct yaml_doc *doc);
/* One per line: "pa.yaml:12: spec.maxReplicas: must be >= minReplicas (3)\n"; `file` NULL: without. */
void api_problems_format(const struct api_problems *problems, const char *file, struct buf *out);
/* All in one line, "; " between them; for conditions and errors. Always negative. */
int api_problems_error(const struct api_problems *problems, const char *file, struct error *err);

#endif

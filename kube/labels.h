/* Label selectors as text, and matching them: "app=web,tier in (a,b),!canary,env!=dev". Parsed once, matched often. */
#ifndef KUBE_LABELS_H
#define KUBE_LABELS_H

#include "base/base.h"
#include "base/error.h"

/* A pod's labels, packed: "key\0value\0key\0value\0\0"-style; sorted by key. */
struct labels {
    char *packed;
    size_t len;
    unsigned count;
};

struct selector;

struct selector *selector_parse(const char *text, struct error *err); /* gives; "" matches everything */
struct selector *selector_free(struct selector *s);
bool selector_matches(const struct selector *s, const struct labels *labels);

#endif

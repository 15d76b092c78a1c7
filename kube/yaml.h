/* YAML files as JSON trees that remember their lines: kubeconfig, operator configuration, manifests offline.
 * libyaml reads (yaml.c alone knows it). The JSON subset of YAML 1.2 core: no tags, no merge keys; aliases
 * are refused, as are duplicate keys; plain scalars become null, booleans, integers, reals or strings ("yes"
 * and "on" are strings); at most 64 levels deep. An empty file is null. Texts are wiped when the tree is
 * freed, because a kubeconfig has secrets in it.
 */
#ifndef KUBE_YAML_H
#define KUBE_YAML_H

#include "kube/json.h"

struct yaml_doc {
    json_t *root;      /* owned */
    struct map *lines; /* dotted path ("spec.metrics[0].name") -> line; use yaml_line() */
};

/* One document (more than one is an error). `name` stands in messages: "config.yaml:7: ...". ERROR_CONFIG; of
 * yaml_load() also ERROR_IO and ERROR_LIMIT. */
int yaml_parse(const char *name, const char *text, size_t len, struct yaml_doc *ret, struct error *err);
int yaml_load(const char *path, size_t max_bytes, struct yaml_doc *ret, struct error *err);
int yaml_line(const struct yaml_doc *doc, const char *path); /* 0: not known */
void yaml_done(struct yaml_doc *doc);

#endif

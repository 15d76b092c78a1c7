/* Scale targets: any kind with a /scale subresource. Deployments and StatefulSets are watched (annotations
 * too); other kinds are found by discovery (GET /apis/GROUP/VERSION, cached, a miss asked again at most every
 * 20 s) and read by GET /scale at each sync. Writing: a merge patch of /scale with the resourceVersion just
 * read. */
#ifndef SOURCES_TARGETS_H
#define SOURCES_TARGETS_H

#include "kube/informer.h"

struct target_ref {
    const char *api_version, *kind, *namespace_, *name;
};

struct target_scale {
    char *uid, *resource_version;
    char *selector; /* as text; "" when the kind has none */
    int32_t spec_replicas, status_replicas;
};
void target_scale_done(struct target_scale *s);

/* A watched workload (Deployment or StatefulSet). */
struct workload {
    struct object object;
    const char *kind; /* "Deployment" "StatefulSet": constants */
    char *selector;
    int32_t spec_replicas, status_replicas;
    char *annotation_enabled, *annotation_config; /* NULL: absent */
};

struct targets_config {
    const char *const *namespaces; /* NULL: all; else NULL-terminated: one informer per namespace and kind */
    void (*on_workload)(void *data, enum informer_event event, const struct workload *now, const struct workload *old);
    void *data;
};
struct targets;
struct targets *targets_new(struct kube_client *client, const struct targets_config *config, struct log *log,
                            struct metrics *metrics);
struct targets *targets_free(struct targets *t);
void targets_start(struct targets *t);
bool targets_synced(const struct targets *t);
const struct error *targets_error(const struct targets *t); /* why a watch fails; NULL: none does */
const struct workload *targets_workload(const struct targets *t, const char *kind, const char *namespace_,
                                        const char *name);
void targets_each(const struct targets *t, void (*fn)(void *data, const struct workload *w), void *data);

/* What may be wrong with a target, so that a condition can say it. */
enum target_problem {
    TARGET_OK,
    TARGET_NOT_FOUND,
    TARGET_NO_SCALE /* the kind has no /scale, or there is no such kind */,
    TARGET_FORBIDDEN,
    TARGET_CONFLICT /* someone wrote in between: read again */,
    TARGET_FAILED
};

struct target_result {
    enum target_problem problem;
    struct target_scale scale; /* TARGET_OK; borrowed for the callback */
    bool maybe_applied;        /* a write whose answer was lost */
};
typedef void target_fn(void *data, const struct target_result *result, const struct error *err);

/* The state for a sync: from the cache for watched kinds, else by GET. `live`: always by GET /scale. `done`
 * comes on a later turn. Gives an id for targets_cancel(). */
int64_t targets_read(struct targets *t, const struct target_ref *ref, bool live, target_fn *done, void *data);
int64_t targets_write(struct targets *t, const struct target_ref *ref, const char *resource_version, int32_t replicas,
                      target_fn *done, void *data);
/* Who wrote spec.replicas last, by managedFields of one GET: cleaned text, "" when not known. */
int64_t targets_writer(struct targets *t, const struct target_ref *ref, void (*done)(void *data, const char *manager),
                       void *data);
void targets_cancel(struct targets *t, int64_t id);

#endif

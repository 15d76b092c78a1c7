/* What the API server of the tests has stored: objects by collection, one counter of resourceVersions for all
 * of them, and the history that watches read. It knows how Kubernetes counts and words things and nothing of
 * what an object means.
 *
 * cJSON reads and writes here, so that no test shares a codec with the code under test. */
#ifndef TEST_API_OBJECTS_H
#define TEST_API_OBJECTS_H

#include "base/base.h"
#include "base/buf.h"

/* A collection: "/api/v1" and "pods", "/apis/coordination.k8s.io/v1" and "leases". */
struct api_kind {
    const char *prefix, *plural, *kind, *api_version;
};
extern const struct api_kind api_pods, api_leases, api_events, api_pod_metrics, api_autoscalers, api_checkpoints,
    api_deployments, api_statefulsets, api_hpas;

struct api_event {
    const struct api_kind *kind;
    char *namespace_;
    const char *type; /* "ADDED" "MODIFIED" "DELETED" */
    uint64_t version;
    char *json; /* the object */
};

struct api_objects;
struct api_objects *api_objects_new(void);
struct api_objects *api_objects_free(struct api_objects *o);

uint64_t api_objects_version(const struct api_objects *o);
/* The oldest resourceVersion that a watch may begin at. */
uint64_t api_objects_oldest(const struct api_objects *o);
void api_objects_compact(struct api_objects *o);
/* After a restore from a backup: counting goes on from `version`, which may be less; the history is gone. */
void api_objects_rewind(struct api_objects *o, uint64_t version);

/* Each gives the new resourceVersion; 0: there is no such object. `body`: a JSON object, whose metadata is
 * completed. */
uint64_t api_objects_put(struct api_objects *o, const struct api_kind *kind, const char *ns, const char *name,
                         const char *body);
uint64_t api_objects_delete(struct api_objects *o, const struct api_kind *kind, const char *ns, const char *name);
/* JSON; NULL: absent. Borrowed until the next change. */
const char *api_objects_get(const struct api_objects *o, const struct api_kind *kind, const char *ns, const char *name);
uint64_t api_objects_version_of(const struct api_objects *o, const struct api_kind *kind, const char *ns,
                                const char *name);
/* Whether its labels are as a selector of the form "key=value" has it; NULL: any are. */
bool api_selected(const char *json, const char *selector);
/* Applies a merge patch; NULL when it is not JSON, else the whole new object, not stored yet (free()). */
char *api_merge(const char *json, const char *patch);

/* "ns/name=version " of all, in order: what a store must equal. `ns` NULL: all. */
void api_objects_digest(const struct api_objects *o, const struct api_kind *kind, const char *ns, struct buf *out);

/* The objects of a collection in the order of their keys, as etcd has them: copies of their JSON,
 * NULL-terminated. */
char **api_objects_all(const struct api_objects *o, const struct api_kind *kind, const char *ns, const char *selector);
void api_objects_all_free(char **all);

size_t api_objects_events(const struct api_objects *o);
const struct api_event *api_objects_event(const struct api_objects *o, size_t i);
/* {"type":...,"object":...} and a newline. */
void api_event_line(const char *type, const char *object, struct buf *out);

#endif

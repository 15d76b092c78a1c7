/* What every object has: ObjectMeta, conditions, and the Status of a refusal. Compact copies; managedFields
 * are dropped. */
#ifndef KUBE_META_H
#define KUBE_META_H

#include "kube/json.h"

/* ---- ObjectMeta ---- */
struct object_meta {
    char *namespace_; /* NULL: cluster-scoped */
    char *name;
    char *uid;
    char *resource_version;
    int64_t generation;
    int64_t creation_us;
    int64_t deletion_us;                       /* 0: not being deleted */
    char *owner_kind, *owner_name, *owner_uid; /* the controlling owner (controller: true), else NULL */
};

int object_meta_decode(const json_t *object, struct object_meta *ret, struct error *err); /* from the whole object */
void object_meta_done(struct object_meta *m);
/* "namespace/name", or "name". */
void object_key(struct buf *out, const char *namespace_, const char *name);
/* Splits a key in place: *ret_namespace is "" for cluster-scoped. */
void object_key_split(char *key, const char **ret_namespace, const char **ret_name);
/* Order of two resourceVersions of one resource (decimal text: by length, then lexically); <0, 0, >0. */
int resource_version_compare(const char *a, const char *b);

/* ---- metav1.Status ---- */
enum status_reason {
    STATUS_UNKNOWN,
    STATUS_UNAUTHORIZED,
    STATUS_FORBIDDEN,
    STATUS_NOT_FOUND,
    STATUS_ALREADY_EXISTS,
    STATUS_CONFLICT,
    STATUS_GONE,
    STATUS_EXPIRED,
    STATUS_INVALID,
    STATUS_SERVER_TIMEOUT,
    STATUS_TIMEOUT,
    STATUS_TOO_MANY_REQUESTS,
    STATUS_BAD_REQUEST,
    STATUS_METHOD_NOT_ALLOWED,
    STATUS_NOT_ACCEPTABLE,
    STATUS_TOO_LARGE,
    STATUS_UNSUPPORTED_MEDIA_TYPE,
    STATUS_INTERNAL_ERROR,
    STATUS_SERVICE_UNAVAILABLE,
};
struct kube_status {
    int code;
    enum status_reason reason;
    int64_t retry_after_ms; /* details.retryAfterSeconds or the header; -1: none */
    bool too_large_resource_version;
    bool field_manager_conflict;
    char message[1024]; /* cleaned */
};
/* Decodes the body of a non-2xx answer, or of an in-stream ERROR event; HTML and plain text of proxies are
 * tolerated: the reason then follows from `code`. `code` 0 or 200 (in-stream): the Status' own code counts.
 */
void kube_status_decode(int code, const char *body, size_t len, struct kube_status *ret);
const char *status_reason_name(enum status_reason reason);
/* ERROR_API with the server's words. Always negative. */
int kube_status_error(const struct kube_status *status, struct error *err);

/* ---- metav1.Condition ---- */
enum condition_status { CONDITION_UNKNOWN, CONDITION_FALSE, CONDITION_TRUE };
const char *condition_status_name(enum condition_status s);

/* ---- label selectors ---- */
/* metav1.LabelSelector -> "a=b,c in (d,e),!f", sorted by key. An empty selector selects everything and gives
 * ""; an absent one selects nothing and gives 1. Keys and values are checked as the API server does. */
int selector_format(const json_t *selector, struct buf *out, struct error *err);

#endif

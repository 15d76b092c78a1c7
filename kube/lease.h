/* The coordination.k8s.io/v1 Lease as a document: reading the election record and writing the next one. Pure
 * text in, text out; when to do which is leader.c's business.
 *
 * Whatever else the object holds (labels, owner, spec.strategy, spec.preferredHolder, fields that come one
 * day) is kept on writing; managedFields alone are left out, which the server takes as "unchanged".
 */
#ifndef KUBE_LEASE_H
#define KUBE_LEASE_H

#include "kube/meta.h"

/* What the candidates agree by. Equal records mean that nobody renewed: only their change is looked at, never
 * the times in them. */
struct lease_record {
    char *holder;                    /* "" when nobody holds it */
    int64_t duration_s;              /* 0 when absent or negative */
    int64_t transitions;             /* 0 when absent */
    char *acquire_time, *renew_time; /* as they are written, "" when absent */
};

struct lease {
    struct lease_record record;
    char *json; /* the whole object, the base of the next write */
};

/* *ret is filled on success only; lease_done() frees. */
int lease_decode(const char *body, size_t len, struct lease *ret, struct error *err);
void lease_done(struct lease *l); /* an all-zero one too */
bool lease_record_equal(const struct lease_record *a, const struct lease_record *b);

struct lease_update {
    const char *holder; /* "": give it back */
    int64_t duration_s, transitions;
    int64_t renew_real_us;
    int64_t acquire_real_us; /* < 0: keep what is there */
};

/* Appends the object to PUT, with the resourceVersion of `base`; `base` NULL: the object to POST. */
int lease_encode(struct buf *out, const struct lease *base, const char *namespace_, const char *name,
                 const struct lease_update *update, struct error *err);

#endif

/* The index behind claims.h: per namespace a map from "key=value" to the claims whose selectors require that label, in
 * order of their names; "" has those that require none. */
#include "reconcile/claims.h"

#include "base/alloc.h"
#include "base/str.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A label of the API server is shorter (253 + 1 + 63 + 1 + 63). What is longer is not indexed. */
#define LABEL_CAP 400

struct claims_bucket {
    const char *label; /* the map's */
    struct list claims;
    size_t count;
};

struct claims_space {
    const char *name; /* the map's */
    struct map buckets;
    struct claims_bucket *unlabelled; /* NULL: there is none */
    size_t count;
};

static void space_free(void *value)
{
    struct claims_space *s = value;
    map_done(&s->buckets);
    free(s);
}

void claims_init(struct claims *c)
{
    map_init(&c->spaces, space_free);
}

void claims_done(struct claims *c)
{
    assert(c->spaces.count == 0);
    map_done(&c->spaces);
}

/* ---- the index ---- */

/* "key=value"; false: too long. */
static bool write_label(char out[LABEL_CAP], const char *key, size_t key_len, const char *value, size_t value_len)
{
    if (key_len >= LABEL_CAP || value_len >= LABEL_CAP || key_len + value_len + 2 > LABEL_CAP)
        return false;
    memcpy(out, key, key_len);
    out[key_len] = '=';
    memcpy(out + key_len + 1, value, value_len + 1);
    return true;
}

static struct claims_space *space_of(struct claims *c, const char *namespace_)
{
    struct claims_space *s = map_get(&c->spaces, namespace_);
    if (s)
        return s;
    s = xcalloc(1, sizeof(*s));
    map_init(&s->buckets, free);
    s->name = map_set(&c->spaces, namespace_, s);
    return s;
}

/* Into `ret` the required label that the fewest claims are kept under; "": none is required. */
static void choose_label(const struct claims_space *s, const struct selector *selector, char ret[LABEL_CAP])
{
    char label[LABEL_CAP];
    const char *key, *value;
    size_t fewest = SIZE_MAX;
    ret[0] = '\0';
    for (size_t i = 0; selector_equality(selector, i, &key, &value); i++) {
        if (!write_label(label, key, strlen(key), value, strlen(value)))
            continue;
        const struct claims_bucket *b = map_get(&s->buckets, label);
        size_t count = b ? b->count : 0;
        if (count >= fewest)
            continue;
        fewest = count;
        (void)str_copy(ret, LABEL_CAP, label);
    }
}

static struct claims_bucket *bucket_of(struct claims_space *s, const struct selector *selector)
{
    char label[LABEL_CAP];
    choose_label(s, selector, label);
    struct claims_bucket *b = map_get(&s->buckets, label);
    if (b)
        return b;
    b = xcalloc(1, sizeof(*b));
    list_init(&b->claims);
    b->label = map_set(&s->buckets, label, b);
    if (!*label)
        s->unlabelled = b;
    return b;
}

static void insert_by_name(struct claims_bucket *b, struct pod_claim *claim)
{
    struct list *at = b->claims.next;
    while (at != &b->claims && strcmp(CONTAINER_OF(at, struct pod_claim, node)->name, claim->name) < 0)
        at = at->next;
    list_insert_before(at, &claim->node);
    b->count++;
}

void claims_make(struct claims *c, struct pod_claim *claim, const char *namespace_, const char *name,
                 const char *target, const struct selector *selector)
{
    assert(!claim->selector);
    struct claims_space *s = space_of(c, namespace_);
    s->count++;
    *claim = (struct pod_claim){
        .space = s, .bucket = bucket_of(s, selector), .name = name, .target = target, .selector = selector};
    list_init(&claim->node);
    insert_by_name(claim->bucket, claim);
}

void claims_withdraw(struct claims *c, struct pod_claim *claim)
{
    struct claims_space *s = claim->space;
    struct claims_bucket *b = claim->bucket;
    if (!s)
        return;
    list_remove(&claim->node);
    *claim = (struct pod_claim){.space = NULL};
    if (--b->count == 0) {
        if (b == s->unlabelled)
            s->unlabelled = NULL;
        (void)map_remove(&s->buckets, b->label);
    }
    if (--s->count == 0)
        (void)map_remove(&c->spaces, s->name);
}

/* ---- the question ---- */

/* The first in the bucket that selects the pod and has another target, if it comes before `first`; else that. */
static const char *earlier(const struct claims_bucket *b, const struct pod_claim *self, const struct labels *labels,
                           const char *first)
{
    if (!b)
        return first;
    list_for_each (node, &b->claims) {
        const struct pod_claim *other = CONTAINER_OF(node, struct pod_claim, node);
        if (first && strcmp(other->name, first) >= 0)
            break;
        if (other != self && !streq(other->target, self->target) && selector_matches(other->selector, labels))
            return other->name;
    }
    return first;
}

const char *claims_other(const struct pod_claim *claim, const struct pod *const *pods, size_t n_pods)
{
    const struct claims_space *s = claim->space;
    const char *first = NULL;
    char label[LABEL_CAP];
    for (size_t i = 0; s && s->count > 1 && i < n_pods; i++) {
        const struct labels *labels = &pods[i]->labels;
        const char *key = labels->packed;
        first = earlier(s->unlabelled, claim, labels, first);
        for (unsigned k = 0; k < labels->count; k++) {
            size_t key_len = strlen(key);
            const char *value = key + key_len + 1;
            size_t value_len = strlen(value);
            if (write_label(label, key, key_len, value, value_len))
                first = earlier(map_get(&s->buckets, label), claim, labels, first);
            key = value + value_len + 1;
        }
    }
    return first;
}

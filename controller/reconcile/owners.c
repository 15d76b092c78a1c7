/* Claims on scale targets; see owners.h for who wins. A target has one or two claims nearly always, so each
 * keeps them in a small array. */
#include "reconcile/owners.h"

#include "base/alloc.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

struct claim {
    enum owner_kind kind;
    char *name;
    int64_t creation_us;
};

struct claim_list {
    struct claim *items;
    size_t count;
};

static void claim_list_free(void *value)
{
    struct claim_list *c = value;
    for (size_t i = 0; i < c->count; i++)
        free(c->items[i].name);
    free(c->items);
    free(c);
}

void owners_init(struct owners *o)
{
    map_init(&o->by_target, claim_list_free);
}

void owners_done(struct owners *o)
{
    map_done(&o->by_target);
}

void owners_target_key(struct buf *out, const char *namespace_, const char *api_version, const char *kind,
                       const char *name)
{
    const char *slash = strchr(api_version, '/');
    int group_len = slash ? (int)(slash - api_version) : 0;
    (void)buf_printf(out, "%s/%.*s/%s/%s", namespace_, group_len, api_version, kind, name);
}

/* A HPA and a PredictiveAutoscaler may have the same name: they are different claimants. Ours of both kinds
 * are one. */
static bool same_claimant(const struct claim *c, enum owner_kind kind, const char *name)
{
    return (c->kind == OWNER_HPA) == (kind == OWNER_HPA) && streq(c->name, name);
}

static struct claim *find_claim(const struct claim_list *c, enum owner_kind kind, const char *name)
{
    for (size_t i = 0; c && i < c->count; i++)
        if (same_claimant(&c->items[i], kind, name))
            return &c->items[i];
    return NULL;
}

void owners_claim(struct owners *o, const char *target_key, enum owner_kind kind, const char *name, int64_t creation_us)
{
    struct claim_list *c = map_get(&o->by_target, target_key);
    if (!c) {
        c = xcalloc(1, sizeof(*c));
        map_set(&o->by_target, target_key, c);
    }
    struct claim *claim = find_claim(c, kind, name);
    if (!claim) {
        c->items = xreallocarray(c->items, c->count + 1, sizeof(*c->items));
        claim = &c->items[c->count++];
        claim->name = xstrdup(name);
    }
    claim->kind = kind;
    claim->creation_us = creation_us;
}

void owners_release(struct owners *o, const char *target_key, enum owner_kind kind, const char *name)
{
    struct claim_list *c = map_get(&o->by_target, target_key);
    struct claim *claim = find_claim(c, kind, name);
    if (!claim)
        return;
    free(claim->name);
    *claim = c->items[--c->count];
    if (c->count == 0)
        (void)map_remove(&o->by_target, target_key);
}

static bool comes_before(const struct claim *a, const struct claim *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind;
    if (a->creation_us != b->creation_us)
        return a->creation_us < b->creation_us;
    return strcmp(a->name, b->name) < 0;
}

bool owners_other(const struct owners *o, const char *target_key, const char *name, enum owner_kind *ret_kind,
                  const char **ret_name)
{
    const struct claim_list *c = map_get(&o->by_target, target_key);
    const struct claim *first = NULL;
    for (size_t i = 0; c && i < c->count; i++)
        if (!first || comes_before(&c->items[i], first))
            first = &c->items[i];
    if (!first || same_claimant(first, OWNER_PA, name))
        return false;
    *ret_kind = first->kind;
    *ret_name = first->name;
    return true;
}

void owners_each_pa(const struct owners *o, const char *target_key, void (*fn)(void *data, const char *name),
                    void *data)
{
    const struct claim_list *c = map_get(&o->by_target, target_key);
    for (size_t i = 0; c && i < c->count; i++)
        if (c->items[i].kind != OWNER_HPA)
            fn(data, c->items[i].name);
}

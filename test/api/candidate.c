/* See candidate.h. */
#include "test/api/candidate.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void on_started(void *data)
{
    struct candidate *c = data;
    c->started++;
    assert_true(leader_is_leader(c->leader));
    assert_true(leader_may_write(c->leader));
}

static void on_lost(void *data)
{
    struct candidate *c = data;
    c->lost++;
    assert_false(leader_is_leader(c->leader));
    assert_false(leader_may_write(c->leader));
}

static void on_new_leader(void *data, const char *identity)
{
    struct candidate *c = data;
    (void)buf_printf(&c->holders, "%s ", identity);
}

void candidate_on_released(void *data)
{
    struct candidate *c = data;
    c->released++;
}

struct candidate *candidate_new(struct world *w, const char *identity)
{
    struct candidate *c = xcalloc(1, sizeof(*c));
    struct error err = ERROR_INIT;
    c->world = w;
    c->client = world_client(w);
    c->holders = BUF_INIT(4096);
    struct leader_config config = {.namespace_ = "sys",
                                   .name = "op",
                                   .identity = identity,
                                   .on_started = on_started,
                                   .on_lost = on_lost,
                                   .on_new_leader = on_new_leader,
                                   .data = c};
    c->leader = leader_new(c->client, &config, w->log, w->metrics, &w->rng, &err);
    assert_non_null(c->leader);
    return c;
}

struct candidate *candidate_free(struct candidate *c)
{
    c->leader = leader_free(c->leader);
    c->client = kube_client_free(c->client);
    buf_done(&c->holders);
    free(c);
    return NULL;
}

bool candidate_leads(void *data)
{
    return leader_is_leader(((struct candidate *)data)->leader);
}

bool candidate_has_lost(void *data)
{
    return ((struct candidate *)data)->lost > 0;
}

bool candidate_is_released(void *data)
{
    return ((struct candidate *)data)->released > 0;
}

bool candidate_has_seen_a_holder(void *data)
{
    return *leader_holder(((struct candidate *)data)->leader);
}

struct candidate *candidate_leading(struct world *w, const char *identity)
{
    struct candidate *c = candidate_new(w, identity);
    leader_start(c->leader);
    assert_true(world_until(w, candidate_leads, c));
    return c;
}

void candidate_fault(struct world *w, struct api_fault f)
{
    api_fault(w->api, &f);
}

/* A field of the Lease as the server has it; `text` of fixed size. */
const char *candidate_lease_text(struct world *w, const char *dotted, char *text, size_t cap)
{
    char *json = api_get(w->api, &api_leases, "sys", "op");
    _json_cleanup_ json_t *root = json ? json_parse(json, strlen(json), NULL) : NULL;
    const json_t *v = root ? json_at(root, dotted) : NULL;
    if (json_is_integer(v))
        snprintf(text, cap, "%lld", (long long)json_integer_value(v));
    else
        snprintf(text, cap, "%s", json_is_string(v) ? json_string_value(v) : "");
    free(json);
    return text;
}

void candidate_assert_lease(struct world *w, const char *dotted, const char *want)
{
    char text[128];
    assert_string_equal(candidate_lease_text(w, dotted, text, sizeof(text)), want);
}

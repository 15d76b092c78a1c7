/* Property: after any schedule of changes and faults the store equals the server's state, and on the way
 * there the handler was told nothing that it may not be told (test/api/watcher.c checks that with every
 * word). */
#include "base/alloc.h"
#include "base/str.h"
#include "test/api/watcher.h"
#include "test/server/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N_NAMES 8
#define N_STEPS 120

struct schedule {
    struct watcher *w;
    struct api *api;
    struct rng rng;
    bool muted;
};

static uint64_t below(struct schedule *s, uint64_t limit)
{
    return rng_below(&s->rng, limit);
}

static void change(struct schedule *s)
{
    char name[] = {(char)('a' + below(s, N_NAMES)), '\0'};
    const char *ns = below(s, 4) ? "shop" : "bank";
    if (below(s, 3) == 0)
        (void)api_delete(s->api, &api_pods, ns, name);
    else
        (void)api_put(s->api, &api_pods, ns, name, below(s, 10) ? "{\"spec\":{\"x\":[1,{}]}}" : "{\"unwanted_\":1}");
}

static void order_fault(struct schedule *s)
{
    static const struct api_fault faults[] = {
        {.how = API_CUT},
        {.how = API_CUT},
        {.how = API_RESET},
        {.how = API_SAY, .body = "<html>"},
        {.how = API_SAY, .body = ""},
        {.how = API_SAY, .body = "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[{}"},
        {.how = API_SAY, .body = "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":500}}\n"},
        {.status = 429, .reason = "TooManyRequests", .retry_after_s = 3},
        {.status = 410, .reason = "Expired"},
        {.status = 500, .reason = "InternalError"},
        {.status = 503, .reason = "ServiceUnavailable"},
        {.status = 504, .reason = "Timeout", .cause = "ResourceVersionTooLarge"},
        {.status = 403, .reason = "Forbidden"},
    };
    struct api_fault f = faults[below(s, ARRAY_SIZE(faults))];
    f.op = below(s, 2) ? API_LIST : API_WATCH;
    f.bytes = (size_t)below(s, 1500);
    f.times = (unsigned)below(s, 3) + 1;
    f.skip = (unsigned)below(s, 2);
    if (api_faults(s->api) < 20)
        api_fault(s->api, &f);
}

static void disturb(struct schedule *s)
{
    switch (below(s, 8)) {
    case 0:
        api_tell_error(s->api, below(s, 2) ? 410 : 500, "Expired");
        break;
    case 1:
        api_compact(s->api);
        break;
    case 2:
        api_expire_pages(s->api);
        break;
    case 3:
        api_split(s->api, (size_t)below(s, 40), 0);
        break;
    case 4:
        server_drop(api_server(s->api));
        break;
    case 5:
        s->muted = !s->muted;
        api_mute(s->api, s->muted);
        break;
    case 6:
        /* What a server that holds events back must not do: promise or tell what lies behind them. */
        if (!s->muted && below(s, 2))
            api_bookmark(s->api);
        else if (!s->muted)
            api_repeat(s->api, (size_t)below(s, 10));
        break;
    default:
        api_watch_end(s->api, (enum api_end)below(s, 3));
        break;
    }
}

static void step(struct schedule *s)
{
    uint64_t what = below(s, 10);
    if (what < 5)
        change(s);
    else if (what < 6)
        order_fault(s);
    else if (what < 8)
        disturb(s);
    else
        world_listen(s->w->world, 1);
    if (below(s, 20) == 0)
        clock_fake_advance(&s->w->world->clock, (int64_t)below(s, 100) * USEC_PER_SEC);
    while (http_active(s->w->world->http) == 0 && loop_jump(s->w->world->loop, &s->w->world->clock, INT64_MAX))
        ;
}

static void run(uint64_t seed)
{
    struct schedule s = {.w = watcher_new()};
    struct watcher *w = s.w;
    s.api = w->world->api;
    rng_seed(&s.rng, seed);
    rng_seed(&w->world->rng, seed);
    w->config.page_size = (size_t)below(&s, 4);
    for (unsigned n = 0; n < 6; n++)
        change(&s);
    watcher_start(w);
    for (unsigned n = 0; n < N_STEPS; n++)
        step(&s);
    api_heal(s.api);
    api_mute(s.api, false);
    api_watch_end(s.api, API_END_CLEAN);
    (void)api_put(s.api, &api_pods, "shop", "last", "{}");
    if (!world_until(w->world, watcher_agrees, w)) {
        struct buf ours = BUF_INIT(1 << 20), theirs = BUF_INIT(1 << 20);
        watcher_digest(w, &ours);
        api_contents(s.api, &api_pods, NULL, &theirs);
        fail_msg("seed %d\n store:  %s\n server: %s", (int)seed, buf_str(&ours), buf_str(&theirs));
    }
    assert_int_equal(w->synced, 1);
    watcher_free(w);
}

static void test_any_schedule(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++)
        run(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_schedule)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* See world.h. */
#include "test/api/world.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <unistd.h>

#define TURN_US       1000
#define LIMIT_US      (60 * USEC_PER_SEC)
#define UNANSWERED_US (150 * USEC_PER_MSEC)

static void must(bool ok, const struct error *err)
{
    if (ok)
        return;
    (void)!write(STDERR_FILENO, error_text(err), __builtin_strlen(error_text(err)));
    abort();
}

struct kube_client *world_client(struct world *w)
{
    struct error err = ERROR_INIT;
    const struct kube_client_options options = {
        .user_agent = "test", .field_manager = "test", .log = w->log, .rng = &w->rng, .qps = 1e6, .burst = 1e6};
    struct kube_client *client = kube_client_new(w->loop, w->http, w->config, &options, &err);
    must(client, &err);
    return client;
}

struct world *world_new(void)
{
    struct world *w = xcalloc(1, sizeof(*w));
    struct error err = ERROR_INIT;
    const struct http_config http = {.user_agent = "test"};
    clock_fake_init(&w->clock, INT64_C(1795250883) * USEC_PER_SEC);
    rng_seed(&w->rng, 1);
    if (getenv("TEST_LOG"))
        w->log = log_new(&(struct log_config){.fd = STDERR_FILENO, .level = LOG_DEBUG, .clock = &w->clock.clock});
    w->loop = loop_new(&w->clock.clock, &err);
    must(w->loop, &err);
    w->http = http_new(w->loop, &http, &err);
    must(w->http, &err);
    w->api = api_new();
    w->metrics = metrics_new();
    w->config = xcalloc(1, sizeof(*w->config));
    w->config->server = xstrdup(api_url(w->api));
    w->config->ca_pem = xstrdup(api_ca_pem(w->api));
    w->config->namespace_ = xstrdup("default");
    w->client = world_client(w);
    return w;
}

struct world *world_free(struct world *w)
{
    (void)kube_client_free(w->client);
    (void)http_free(w->http);
    (void)loop_free(w->loop);
    (void)api_free(w->api);
    (void)metrics_free(w->metrics);
    (void)kube_config_free(w->config);
    (void)log_free(w->log);
    free(w);
    return NULL;
}

static int64_t real_us(void)
{
    return clock_boot_us(&clock_system);
}

bool world_until(struct world *w, bool (*done)(void *data), void *data)
{
    int64_t began_us = real_us();
    for (;;) {
        if (done(data))
            return true;
        if (real_us() - began_us > LIMIT_US)
            return false;
        if (loop_turn(w->loop, TURN_US) || http_active(w->http) > 0)
            continue;
        if (!loop_jump(w->loop, &w->clock, INT64_MAX))
            return done(data);
    }
}

void world_pass(struct world *w, int64_t us)
{
    int64_t end_us = w->clock.boot_us + us, busy_us = real_us();
    for (;;) {
        if (loop_turn(w->loop, TURN_US)) {
            busy_us = real_us();
            continue;
        }
        if (http_active(w->http) > 0 && real_us() - busy_us < UNANSWERED_US)
            continue;
        if (!loop_jump(w->loop, &w->clock, end_us))
            break;
        busy_us = real_us();
    }
    if (w->clock.boot_us < end_us)
        clock_fake_advance(&w->clock, end_us - w->clock.boot_us);
    while (loop_turn(w->loop, 0))
        ;
}

void world_listen(struct world *w, int ms)
{
    int64_t until_us = real_us() + ms * USEC_PER_MSEC;
    while (real_us() < until_us)
        (void)loop_turn(w->loop, TURN_US);
}

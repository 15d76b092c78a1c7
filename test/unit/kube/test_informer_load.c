/* A large collection: no turn of the loop is long, the first list, the relist and the difference included,
 * and nothing is kept twice. */
#include "base/alloc.h"
#include "base/str.h"
#include "test/api/watcher.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__)
#define SLOWER 10
#else
#define SLOWER 1
#endif

#define N_PODS      3000
#define DISPATCH_US (20 * USEC_PER_MSEC * SLOWER)

/* About 3.5 kB that look like a pod. */
static char *pod_body(void)
{
    struct buf out = BUF_INIT(64 * 1024);
    (void)buf_puts(&out, "{\"spec\":{\"nodeName\":\"node-17\",\"containers\":[");
    for (unsigned n = 0; n < 6; n++)
        (void)buf_printf(
            &out,
            "%s{\"name\":\"container-%u\",\"image\":\"registry.example/team/service:v1.2.%u\",\"resources\":{"
            "\"requests\":{\"cpu\":\"250m\",\"memory\":\"64Mi\"},\"limits\":{\"cpu\":\"1\",\"memory\":"
            "\"128Mi\"}},"
            "\"volumeMounts\":[{\"name\":\"token\",\"readOnly\":true,\"mountPath\":\"/var/run/secrets\"}],"
            "\"terminationMessagePath\":\"/dev/termination-log\",\"imagePullPolicy\":\"IfNotPresent\"}",
            n ? "," : "", n, n);
    (void)buf_puts(&out, "]},\"status\":{\"phase\":\"Running\",\"conditions\":[");
    for (unsigned n = 0; n < 5; n++)
        (void)buf_printf(&out,
                         "%s{\"type\":\"Condition%u\",\"status\":\"True\",\"lastProbeTime\":null,"
                         "\"lastTransitionTime\":\"2026-11-21T08:48:03Z\",\"reason\":\"NothingSpecial\"}",
                         n ? "," : "", n);
    (void)buf_puts(&out, "]}}");
    return buf_steal(&out);
}

static void test_no_long_turn(void **state)
{
    (void)state;
    struct watcher *w = watcher_new();
    char *body = pod_body(), name[32];
    for (unsigned n = 0; n < N_PODS; n++) {
        snprintf(name, sizeof(name), "pod-%05u", n);
        (void)api_put(w->world->api, &api_pods, "shop", name, body);
    }
    (void)loop_longest_dispatch_us(w->world->loop);
    watcher_start(w);
    watcher_until_watching(w);
    int64_t first_us = loop_longest_dispatch_us(w->world->loop);
    assert_int_equal(informer_count(w->informer), N_PODS);
    assert_int_equal(informer_stats(w->informer).reflector.pages, N_PODS / 500);

    /* Half of them change unseen; the relist is one list of all. */
    api_mute(w->world->api, true);
    for (unsigned n = 0; n < N_PODS; n += 2) {
        snprintf(name, sizeof(name), "pod-%05u", n);
        if (n % 4 == 0)
            (void)api_delete(w->world->api, &api_pods, "shop", name);
        else
            (void)api_put(w->world->api, &api_pods, "shop", name, body);
    }
    api_compact(w->world->api);
    api_mute(w->world->api, false);
    api_tell_error(w->world->api, 410, "Expired");
    watcher_in_step(w);
    int64_t relist_us = loop_longest_dispatch_us(w->world->loop);
    assert_int_equal(informer_count(w->informer), N_PODS - N_PODS / 4);
    print_message("# %d pods of %zu bytes: longest dispatch %lld us in the first list, %lld us in the relist\n", N_PODS,
                  strlen(body), (long long)first_us, (long long)relist_us);
    assert_true(first_us <= DISPATCH_US);
    assert_true(relist_us <= DISPATCH_US);
    free(body);
    watcher_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_long_turn)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

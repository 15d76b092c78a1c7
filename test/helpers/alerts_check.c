/* Lets a test hold what Alertmanagers are told against real ones.
 *
 *   alerts_check CONFIG < LINES    each line is one of
 *     health PROVIDER CLASS FAILURES AGO    such is this provider's health, and has been for AGO seconds
 *     pass SECONDS                          so much time passes for timers; the calendar's time stays what it is
 *
 * Each line is answered by "FIRING OK FAILED": alerts that fire, and requests to Alertmanagers by what came of them,
 * once nothing is under way any more. It runs until its input ends.
 */
#include "advisor/alerts.h"
#include "base/alloc.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LINE 512

/* Timers can be told to run, and Alertmanager, which has the machine's calendar, understands what it is told. */
static struct clock_fake passed;

static int64_t boot_us(const struct clock *c UNUSED)
{
    return passed.boot_us;
}

static int64_t real_us(const struct clock *c UNUSED)
{
    return clock_real_us(&clock_system);
}

static enum advisor_class class_named(const char *name)
{
    for (int c = ADVISOR_OK; c < ADVISOR_N_CLASSES; c++)
        if (streq(advisor_class_name((enum advisor_class)c), name))
            return (enum advisor_class)c;
    return ADVISOR_N_CLASSES;
}

static int obey(struct alerts *a, char *line)
{
    char *words[5] = {NULL}, *rest = line;
    for (size_t n = 0; n < ARRAY_SIZE(words) && *rest; n++) {
        words[n] = rest;
        rest += strcspn(rest, " ");
        if (*rest)
            *rest++ = '\0';
    }
    int64_t failures, seconds;
    if (streq0(words[0], "pass") && words[1] && str_to_i64(words[1], &seconds)) {
        passed.boot_us += seconds * USEC_PER_SEC;
        return 0;
    }
    if (!streq0(words[0], "health") || !words[4] || !str_to_i64(words[3], &failures) ||
        !str_to_i64(words[4], &seconds) || class_named(words[2]) == ADVISOR_N_CLASSES)
        return -1;
    const struct advisor_health h = {.provider = words[1],
                                     .class = class_named(words[2]),
                                     .failures = (uint32_t)failures,
                                     .since_us = passed.boot_us - seconds * USEC_PER_SEC};
    alerts_watch(a, &h, 1);
    return 0;
}

static void settle(struct loop *loop, struct http *http)
{
    while (loop_turn(loop, 20 * USEC_PER_MSEC) || http_active(http) > 0)
        ;
}

static double value_of(struct metrics *m, const char *result)
{
    return metrics_value(metrics_get(
        metrics_family(m, METRICS_COUNTER, "ai4k8s_alertmanager_requests_total", "", "result", NULL, 0), result, NULL));
}

static int serve(struct loop *loop, const struct operator_config *config, struct error *err)
{
    struct metrics *metrics = metrics_new();
    struct log *log =
        log_new(&(struct log_config){.fd = 2, .format = LOG_TEXT, .level = LOG_TRACE, .clock = &clock_system});
    struct http *http = http_new(loop, &(struct http_config){.user_agent = "alerts_check/1"}, err);
    struct rng rng;
    rng_seed(&rng, 1);
    struct alerts *a =
        http ? alerts_new(
                   &(struct advisor_deps){
                       .loop = loop, .http = http, .rng = &rng, .log = log, .metrics = metrics, .config = config},
                   err)
             : NULL;
    char line[MAX_LINE];
    int result = a ? 0 : -1;
    while (result == 0 && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        result = obey(a, line);
        if (result < 0)
            error_set(err, ERROR_PARSE, "not understood: %s", line);
        settle(loop, http);
        printf("%zu %g %g\n", alerts_firing(a), value_of(metrics, "ok"), value_of(metrics, "failed"));
        (void)fflush(stdout);
    }
    alerts_free(a);
    http_free(http);
    log_free(log);
    metrics_free(metrics);
    return result;
}

int main(int argc, char **argv)
{
    struct error err = ERROR_INIT;
    struct operator_config config;
    clock_fake_init(&passed, 0);
    passed.clock = (struct clock){.boot_us = boot_us, .real_us = real_us};
    struct loop *loop = loop_new(&passed.clock, &err);
    int result =
        loop && operator_config_load(argc == 2 ? argv[1] : NULL, &config, &err) == 0 ? serve(loop, &config, &err) : -1;
    if (result < 0)
        (void)fprintf(stderr, "alerts_check: %s\n", error_text(&err));
    loop_free(loop);
    return result < 0;
}

/* Sentences in fixed room; see words.h. */
#include "core/words.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const problem_texts[] = {
    [CORE_PROBLEM_NONE] = "no problem",
    [CORE_PROBLEM_QUERY] = "the query failed",
    [CORE_PROBLEM_EMPTY] = "no metrics returned",
    [CORE_PROBLEM_STALE] = "all samples are too old",
    [CORE_PROBLEM_NO_PODS] = "the target has no pods",
    [CORE_PROBLEM_NOT_READY] = "no ready pod has a sample",
    [CORE_PROBLEM_NO_REQUEST] = "a container has no request for it",
    [CORE_PROBLEM_ZERO_REQUEST] = "the pods' requests are 0",
    [CORE_PROBLEM_AMBIGUOUS] = "its pods are another autoscaler's too",
};

const char *core_problem_text(enum core_problem problem)
{
    return problem_texts[problem];
}

void say(struct text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(t->data + t->len, t->cap - t->len, fmt, args);
    va_end(args);
    if (n > 0)
        t->len = MIN(t->len + (size_t)n, t->cap - 1);
}

/* Thousandths with about three digits: 0.035, 2.9, 45, 12345. No floating point: its text depends on the
 * locale. */
static void say_milli(struct text *t, int64_t milli)
{
    const char *sign = milli < 0 ? "-" : "";
    uint64_t v = milli < 0 ? 0 - (uint64_t)milli : (uint64_t)milli;
    unsigned step = v >= 100000 ? 1000 : v >= 10000 ? 100 : v >= 1000 ? 10 : 1;
    v = (v + step / 2) / step * step;
    unsigned fraction = (unsigned)(v % 1000);
    unsigned digits = 3;
    for (; digits > 0 && fraction % 10 == 0; digits--)
        fraction /= 10;
    say(t, "%s%llu", sign, (unsigned long long)(v / 1000));
    if (digits > 0)
        say(t, ".%0*u", (int)digits, fraction);
}

/* A quantity of a metric, with its unit where it has one. */
static void say_quantity(struct text *t, const struct core_metric_spec *metric, int64_t milli)
{
    static const char *const units[] = {" bytes", "Ki", "Mi", "Gi", "Ti", "Pi"};
    unsigned unit = 0;
    bool bytes = metric->kind == CORE_METRIC_POD && metric->source != CORE_SOURCE_PODS;
    if (bytes)
        for (; milli >= 1024000 && unit + 1 < ARRAY_SIZE(units); unit++)
            milli /= 1024;
    say_milli(t, milli);
    say(t, "%s", bytes ? units[unit] : metric->kind == CORE_METRIC_CPU ? " cores" : "");
}

void say_seconds(struct text *t, uint32_t s)
{
    if (s >= 120)
        say(t, "%u min", (s + 30) / 60);
    else
        say(t, "%u s", s);
}

/* "cpu is at 84 % of the request, target 70 %" */
void say_metric(struct text *t, const struct core_spec *spec, const struct core_plan *plan, uint32_t i)
{
    const struct core_metric_spec *metric = &spec->metrics[i];
    const struct core_metric_plan *m = &plan->metrics[i];
    if (m->problem != CORE_PROBLEM_NONE) {
        say(t, "%s is unknown (%s)", metric->name, core_problem_text(m->problem));
    } else if (metric->target_type == CORE_TARGET_UTILIZATION) {
        say(t, "%s is at %d %% of the request, target %d %%", metric->name, m->current_percent, metric->target_percent);
    } else {
        const char *per = metric->target_type == CORE_TARGET_VALUE ? "" : " per pod";
        say(t, "%s is at ", metric->name);
        say_quantity(t, metric, m->current_milli);
        say(t, "%s, target ", per);
        say_quantity(t, metric, metric->target_milli);
    }
}

/* "cpu may need 2.9 cores within 3 min (forecast, 90 % sure), a pod serves 0.5 cores" */
void say_forecast(struct text *t, const struct core_spec *spec, const struct core_plan *plan, uint32_t i)
{
    const struct core_metric_spec *metric = &spec->metrics[i];
    say(t, "%s may need ", metric->name);
    say_quantity(t, metric, core_milli(plan->metrics[i].drive));
    say(t, " within ");
    say_seconds(t, plan->lead_s);
    say(t, " (forecast, %u %% sure), a pod serves ", spec->prediction.confidence_percent);
    say_quantity(t, metric, core_milli(plan->metrics[i].capacity));
}

/* "cpu is unknown (no metrics returned) for 5 min, its fallback is 6" */
void say_outage(struct text *t, const struct core_spec *spec, const struct core_plan *plan, uint32_t i)
{
    say_metric(t, spec, plan, i);
    say(t, " for ");
    say_seconds(t, plan->metrics[i].unknown_s);
    say(t, ", its fallback is %d", plan->metrics[i].fallback);
}

uint32_t fallen_back_metric(const struct core_plan *plan)
{
    for (uint32_t i = 0; i < plan->n_metrics; i++)
        if (plan->metrics[i].fallback == plan->fallback)
            return i;
    return 0;
}

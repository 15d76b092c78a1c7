/* HPA v2's arithmetic. Names of the HPA's own functions stand beside what follows them. */
#include "core/hpa.h"

#include <math.h>

#define STALE_US  (90 * INT64_C(1000000))
#define SECOND_US INT64_C(1000000)
#define MILLI_CAP INT64_C(9000000000000000) /* 2^53 or so: what a double still tells apart */

bool hpa_stale(int64_t now_us, int64_t time_us, int64_t window_us)
{
    if (time_us == 0)
        return false;
    int64_t allowed = window_us > STALE_US / 3 ? 3 * MIN(window_us, INT64_MAX / 4) : STALE_US;
    int64_t age;
    return !__builtin_sub_overflow(now_us, time_us, &age) && age > allowed;
}

int64_t core_milli(double value)
{
    if (!isfinite(value))
        return 0;
    double milli = value * 1000;
    if (milli >= (double)MILLI_CAP)
        return milli >= 9.2e18 ? INT64_MAX : (int64_t)milli;
    if (milli <= -(double)MILLI_CAP)
        return milli <= -9.2e18 ? INT64_MIN : (int64_t)milli;
    double near = nearbyint(milli);
    double noise = 1e-12 * fabs(milli);
    return (int64_t)(fabs(milli - near) <= noise ? near : ceil(milli));
}

static int64_t add(int64_t a, int64_t b)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return b > 0 ? INT64_MAX : INT64_MIN;
    return sum;
}

/* value * percent / 100 as the HPA computes it where it can: the product first, then the division. */
static int64_t percent_of(int64_t value, int64_t percent)
{
    int64_t product;
    if (__builtin_mul_overflow(value, percent, &product))
        return value / 100 > INT64_MAX / percent ? INT64_MAX : value / 100 * percent;
    return product / 100;
}

/* int32(total * 100 / requests) */
static int32_t utilization(int64_t total, int64_t requests)
{
    int64_t hundred, percent;
    if (!__builtin_mul_overflow(total, INT64_C(100), &hundred))
        percent = hundred / requests;
    else
        percent = requests >= 100 ? total / (requests / 100) : INT32_MAX;
    return (int32_t)MIN(MAX(percent, INT32_MIN), INT32_MAX);
}

/* int32(math.Ceil(x)) */
static int32_t ceil_replicas(double x)
{
    double up = ceil(x);
    if (!(up < (double)INT32_MAX)) /* also NaN: more is the safe side */
        return INT32_MAX;
    return up < (double)INT32_MIN ? INT32_MIN : (int32_t)up;
}

/* Tolerances.isWithin */
static bool within(const struct core_spec *spec, double ratio)
{
    return 1.0 - spec->down.tolerance <= ratio && ratio <= 1.0 + spec->up.tolerance;
}

/* One pass over the pods gives all that both passes of the HPA need, so that nothing is allocated. */
struct groups {
    uint32_t ready, unready, missing, ignored;
    int64_t usage, request; /* of ready pods */
    int64_t missing_request, unready_request;
    uint32_t unready_serving, missing_serving; /* of them, those that take their share all the same */
    int64_t missing_refill;                    /* what missing pods are taken to use when the rest says down */
    bool lacks_request;                        /* some container has none */
    bool stale;                                /* a sample was there, and too old */
};

/* The CPU windows of groupPods. */
static bool cpu_unready(const struct core_spec *spec, int64_t now_us, const struct core_pod *pod,
                        const struct core_pod_sample *sample)
{
    if (pod->ready == CORE_READY_ABSENT || pod->start_us == 0)
        return true;
    if (add(pod->start_us, spec->cpu_initialization_s * SECOND_US) > now_us)
        return pod->ready == CORE_READY_FALSE || sample->time_us < add(pod->ready_transition_us, sample->window_us);
    return pod->ready == CORE_READY_FALSE &&
           add(pod->start_us, spec->initial_readiness_s * SECOND_US) > pod->ready_transition_us;
}

/* groupPods, calculateRequests */
static struct groups group(const struct core_spec *spec, const struct core_metric_spec *metric,
                           const struct core_observation *observation, const struct core_pod_sample *samples)
{
    struct groups g = {.ready = 0};
    int64_t refill_percent = MAX(100, metric->target_percent);
    for (uint32_t i = 0; i < observation->n_pods; i++) {
        const struct core_pod *pod = &observation->pods[i];
        const struct core_pod_sample *sample = &samples[i];
        int64_t request = MAX(sample->request_milli, 0);
        bool stale = sample->present && hpa_stale(observation->time_us, sample->time_us, sample->window_us);
        bool sampled = sample->present && !stale;
        bool starting =
            sampled && metric->kind == CORE_METRIC_CPU && cpu_unready(spec, observation->time_us, pod, sample);
        bool serves = pod->phase == CORE_POD_RUNNING && pod->ready == CORE_READY_TRUE;
        g.lacks_request |= sample->request_milli < 0;
        g.stale |= stale;
        if (pod->deleting || pod->phase == CORE_POD_FAILED) {
            g.ignored++;
        } else if (pod->phase == CORE_POD_PENDING || starting) {
            g.unready++;
            g.unready_serving += serves;
            g.unready_request = add(g.unready_request, request);
        } else if (!sampled) {
            g.missing++;
            g.missing_serving += serves;
            g.missing_request = add(g.missing_request, request);
            g.missing_refill = add(g.missing_refill, percent_of(request, refill_percent));
        } else {
            g.ready++;
            g.usage = add(g.usage, sample->usage_milli);
            g.request = add(g.request, request);
        }
    }
    return g;
}

/* The metrics that a pass of the HPA has in its map. */
struct pass {
    int64_t usage, request;
    uint32_t n;
};

/* GetResourceUtilizationRatio, GetMetricUsageRatio. `n` includes strays, whose usage counts for plain values
 * only, as they have no request. false: the requests are 0. */
static bool ratio_of(const struct core_metric_spec *metric, const struct pass *p, double *ret_ratio,
                     int64_t *ret_current)
{
    if (metric->target_type == CORE_TARGET_UTILIZATION) {
        if (p->request == 0)
            return false;
        *ret_current = utilization(p->usage, p->request);
        *ret_ratio = (double)*ret_current / (double)metric->target_percent;
    } else {
        *ret_current = p->usage / (int64_t)p->n;
        *ret_ratio = (double)*ret_current / (double)metric->target_milli;
    }
    return true;
}

/* The count for a ratio, or the current one inside the tolerance. */
static int32_t tolerate(const struct core_spec *spec, double ratio, int32_t exact, int32_t current, bool *ret_mattered)
{
    bool inside = within(spec, ratio);
    *ret_mattered = inside && exact != current;
    return inside ? current : exact;
}

/* The second pass: missing and unready pods are taken to use what damps the change, and the change must
 * survive it. */
static int32_t second_pass(const struct core_spec *spec, const struct core_metric_spec *metric, const struct groups *g,
                           struct pass p, double ratio, int32_t current, bool *ret_mattered)
{
    bool utilization_target = metric->target_type == CORE_TARGET_UTILIZATION;
    if (g->missing > 0 && ratio < 1.0) {
        int64_t at_target = 0;
        if (__builtin_mul_overflow(metric->target_milli, (int64_t)g->missing, &at_target))
            at_target = INT64_MAX;
        p.usage = add(p.usage, utilization_target ? g->missing_refill : at_target);
    }
    if (g->missing > 0 && (ratio < 1.0 || ratio > 1.0)) {
        p.request = add(p.request, g->missing_request);
        p.n += g->missing;
    }
    if (g->unready > 0 && ratio > 1.0) {
        p.request = add(p.request, g->unready_request);
        p.n += g->unready;
    }
    double again;
    int64_t unused;
    if (!ratio_of(metric, &p, &again, &unused))
        return current;
    int32_t replicas = tolerate(spec, again, ceil_replicas(again * (double)p.n), current, ret_mattered);
    if ((ratio < 1.0 && again > 1.0) || (ratio > 1.0 && again < 1.0))
        return current;
    if ((again < 1.0 && replicas > current) || (again > 1.0 && replicas < current))
        return current;
    return replicas;
}

/* `part` may be more than `of`. */
static int64_t share_of(int64_t whole, uint32_t part, uint32_t of)
{
    int64_t product;
    if (!__builtin_mul_overflow(whole, (int64_t)part, &product))
        return product / of;
    if (!__builtin_mul_overflow(whole / of, (int64_t)part, &product))
        return product;
    return whole < 0 ? INT64_MIN : INT64_MAX;
}

/* As if only `count` pods were there. What those that leave serve, the others have to, also where it is not in a sample
 * that counts; so one that is counted stays. */
static void think_away(struct groups *g, int32_t count)
{
    int64_t there = (int64_t)g->ready + g->unready + g->missing;
    uint32_t n = there > count ? (uint32_t)(there - count) : 0;
    uint32_t unready = MIN(n, g->unready), missing = MIN(n - unready, g->missing);
    uint32_t ready = MIN(n - unready - missing, g->ready - MIN(g->ready, 1));
    uint32_t idle = g->unready - g->unready_serving, unseen = g->missing - g->missing_serving;
    uint32_t serving = unready - MIN(unready, idle) + missing - MIN(missing, unseen);
    if (g->ready > 0)
        g->usage = add(g->usage, share_of(g->usage, serving, g->ready));
    if (unready > 0)
        g->unready_request -= share_of(g->unready_request, unready, g->unready);
    if (missing > 0) {
        g->missing_request -= share_of(g->missing_request, missing, g->missing);
        g->missing_refill -= share_of(g->missing_refill, missing, g->missing);
    }
    if (ready > 0)
        g->request -= share_of(g->request, ready, g->ready);
    g->unready -= unready;
    g->missing -= missing;
    g->ready -= ready;
}

/* Whose proposal it is: of the pods that are there (`fewer` false), or of `count`. */
struct view {
    int32_t count;
    bool fewer;
};

/* GetResourceReplicas, GetRawResourceReplicas, GetMetricReplicas */
static void propose_per_pod(const struct core_spec *spec, const struct core_metric_spec *metric,
                            const struct core_observation *observation, const struct core_metric_observation *measured,
                            const struct view *view, struct hpa_proposal *out)
{
    bool utilization_target = metric->target_type == CORE_TARGET_UTILIZATION;
    if (observation->n_pods == 0) {
        out->problem = CORE_PROBLEM_NO_PODS;
        return;
    }
    if (!measured->pods) {
        out->problem = CORE_PROBLEM_EMPTY;
        return;
    }
    struct groups g = group(spec, metric, observation, measured->pods);
    out->ready = g.ready;
    out->unready = g.unready;
    out->missing = g.missing;
    out->ignored = g.ignored;
    struct pass p = {.usage = g.usage, .request = g.request, .n = g.ready + measured->n_strays};
    if (p.n == 0 || (utilization_target && g.lacks_request)) {
        out->problem = p.n > 0 ? CORE_PROBLEM_NO_REQUEST : g.stale ? CORE_PROBLEM_STALE : CORE_PROBLEM_NOT_READY;
        return;
    }
    if (!utilization_target)
        p.usage = add(p.usage, measured->strays_milli);
    double ratio;
    int64_t current;
    if (!ratio_of(metric, &p, &ratio, &current)) {
        out->problem = CORE_PROBLEM_ZERO_REQUEST;
        return;
    }
    out->percent = utilization_target ? (int32_t)current : -1;
    out->milli = utilization_target ? (g.ready > 0 ? g.usage / (int64_t)g.ready : 0) : current;

    if (view->fewer) {
        int64_t usage = g.usage;
        think_away(&g, view->count);
        p.usage = add(p.usage - usage, g.usage); /* strays stay */
        p.request = g.request;
        p.n = g.ready + measured->n_strays;
        if (!ratio_of(metric, &p, &ratio, &current)) {
            out->problem = CORE_PROBLEM_ZERO_REQUEST;
            return;
        }
    }
    int32_t now = view->count;
    out->bare = ceil_replicas(ratio * (double)g.ready);
    bool up_with_unready = g.unready > 0 && ratio > 1.0;
    if (up_with_unready || g.missing > 0)
        out->replicas = second_pass(spec, metric, &g, p, ratio, now, &out->within_tolerance);
    else
        out->replicas = tolerate(spec, ratio, out->bare, now, &out->within_tolerance);
}

/* getReadyPodsCount: by readiness alone, deleting pods too. */
static uint32_t running_and_ready(const struct core_observation *observation)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < observation->n_pods; i++)
        n += observation->pods[i].phase == CORE_POD_RUNNING && observation->pods[i].ready == CORE_READY_TRUE;
    return n;
}

/* GetObjectMetricReplicas, GetExternalMetricReplicas and their getUsageRatioReplicaCount */
static void propose_value(const struct core_spec *spec, const struct core_metric_spec *metric,
                          const struct core_observation *observation, int64_t value_milli, const struct view *view,
                          struct hpa_proposal *out)
{
    double ratio = (double)value_milli / (double)metric->target_milli;
    out->milli = value_milli;
    if (observation->spec_replicas == 0) {
        out->replicas = out->bare = ceil_replicas(ratio);
        return;
    }
    int64_t ready = running_and_ready(observation);
    double shared = view->fewer && ready > view->count ? ratio * (double)ready / (double)view->count : ratio;
    out->bare = ceil_replicas(ratio * (double)ready);
    out->replicas =
        tolerate(spec, ratio > 1.0 ? ratio : MIN(shared, 1.0), out->bare, view->count, &out->within_tolerance);
    if (observation->n_pods == 0 && !within(spec, ratio))
        out->problem = CORE_PROBLEM_NO_PODS;
}

/* GetObjectPerPodMetricReplicas, GetExternalPerPodMetricReplicas */
static void propose_average(const struct core_spec *spec, const struct core_metric_spec *metric,
                            const struct core_observation *observation, int64_t value_milli, const struct view *view,
                            struct hpa_proposal *out)
{
    /* The HPA takes a negative sum for one that has overflowed. */
    if (metric->source == CORE_SOURCE_EXTERNAL && value_milli < 0)
        value_milli = INT64_MAX;
    double usage = (double)value_milli, target = (double)metric->target_milli;
    double status = (double)observation->status_replicas;
    int32_t now = view->fewer ? MIN(view->count, observation->status_replicas) : observation->status_replicas;
    double ratio = usage / (target * (double)now);
    out->bare = ceil_replicas(usage / target);
    out->replicas = tolerate(spec, ratio, out->bare, now, &out->within_tolerance);
    double mean = observation->status_replicas > 0 && usage < 9.2e18 ? ceil(usage / status) : usage;
    out->milli = fabs(mean) < 9.2e18 ? (int64_t)mean : value_milli;
}

static struct hpa_proposal propose(const struct core_spec *spec, const struct core_metric_spec *metric,
                                   const struct core_observation *observation,
                                   const struct core_metric_observation *measured, const struct view *view)
{
    struct hpa_proposal out = {.percent = -1};
    if (observation->ambiguous)
        out.problem = CORE_PROBLEM_AMBIGUOUS;
    else if (measured->kind != SAMPLE_VALUE)
        out.problem = measured->kind == SAMPLE_ERROR ? CORE_PROBLEM_QUERY : CORE_PROBLEM_EMPTY;
    else if (metric->kind != CORE_METRIC_TOTAL)
        propose_per_pod(spec, metric, observation, measured, view, &out);
    else if (hpa_stale(observation->time_us, measured->time_us, measured->window_us))
        out.problem = CORE_PROBLEM_STALE;
    else if (metric->target_type == CORE_TARGET_VALUE)
        propose_value(spec, metric, observation, measured->value_milli, view, &out);
    else
        propose_average(spec, metric, observation, measured->value_milli, view, &out);
    if (out.problem != CORE_PROBLEM_NONE)
        out.replicas = out.bare = -1;
    return out;
}

struct hpa_proposal hpa_propose(const struct core_spec *spec, const struct core_metric_spec *metric,
                                const struct core_observation *observation,
                                const struct core_metric_observation *measured)
{
    struct view view = {.count = observation->spec_replicas, .fewer = false};
    return propose(spec, metric, observation, measured, &view);
}

struct hpa_proposal hpa_propose_for(const struct core_spec *spec, const struct core_metric_spec *metric,
                                    const struct core_observation *observation,
                                    const struct core_metric_observation *measured, int32_t count)
{
    struct view view = {.count = count, .fewer = true};
    return propose(spec, metric, observation, measured, &view);
}

/* computeReplicasForMetrics, and what reconcileAutoscaler makes of a negative count */
struct hpa_need hpa_combine(const struct hpa_proposal *proposals, uint32_t n, int32_t spec_replicas)
{
    struct hpa_need need = {.bare = -1, .replicas = 0, .metric = -1, .failed = -1};
    uint32_t failed = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (proposals[i].problem == CORE_PROBLEM_NONE)
            need.bare = MAX(need.bare, proposals[i].bare);
        if (proposals[i].problem != CORE_PROBLEM_NONE) {
            if (failed++ == 0)
                need.failed = (int32_t)i;
        } else if (need.replicas == 0 || proposals[i].replicas > need.replicas) {
            need.replicas = proposals[i].replicas;
            need.metric = (int32_t)i;
        }
    }
    if (failed >= n || (failed > 0 && need.replicas < spec_replicas)) {
        need.replicas = -1;
        need.metric = -1;
        return need;
    }
    need.replicas = MAX(need.replicas, 0);
    return need;
}

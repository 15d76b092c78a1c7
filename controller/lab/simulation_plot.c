/* The plot of a simulation; see simulation_view.h. One day, because a month at this width shows nothing but its
 * outline. */
#include "base/alloc.h"
#include "lab/plot_svg.h"
#include "lab/series_file.h"
#include "lab/simulation_view.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SLOT_TICKS 8u /* 2 min */
#define DAY_TICKS  (86400u / TRACE_TICK_S)

enum line { DEMAND, FORECAST, OWN, HPA, OWN_SHORT, HPA_SHORT, OWN_PODS, HPA_PODS, RAISED, LINES };

struct day {
    uint32_t first, slots;
    bool any_short; /* something was not served */
    double *y[LINES];
};

static double short_of(const struct simulation *s, const struct simulation_run *r, uint32_t tick)
{
    return MAX(s->world.trace->demand[tick] - (double)r->ticks.capacity[tick], 0.0);
}

/* The 24 h after the warm-up, beginning at a whole number of days of it, in which most is unserved; the highest demand
 * where that is the same. */
static uint32_t worst_day(const struct simulation *s)
{
    const struct simulation_run *r = s->compared ? &s->hpa : &s->own;
    uint32_t n = s->world.trace->n, best = s->world.warmup_ticks;
    double most = -1, highest = 0;
    for (uint32_t first = s->world.warmup_ticks; first == best || first + DAY_TICKS <= n; first += DAY_TICKS) {
        double missing = 0, high = 0;
        for (uint32_t i = first; i < MIN(first + DAY_TICKS, n); i++) {
            missing += short_of(s, r, i);
            high = MAX(high, s->world.trace->demand[i]);
        }
        if (missing > most || (missing >= most && high > highest)) {
            best = first;
            most = missing;
            highest = high;
        }
        if (n - first <= DAY_TICKS)
            break;
    }
    return best;
}

/* A slot shows what matters in it: the highest demand, the lowest capacity. */
static void fill_slot(const struct simulation *s, struct day *d, uint32_t slot)
{
    uint32_t from = d->first + slot * SLOT_TICKS, to = MIN(from + SLOT_TICKS, s->world.trace->n);
    const struct simulation_ticks *own = &s->own.ticks, *hpa = &s->hpa.ticks;
    for (unsigned k = 0; k < LINES; k++)
        d->y[k][slot] = k == OWN || k == HPA ? (double)INFINITY : k == FORECAST ? (double)NAN : 0;
    for (uint32_t i = from; i < to; i++) {
        d->y[DEMAND][slot] = fmax(d->y[DEMAND][slot], s->world.trace->demand[i]);
        d->y[FORECAST][slot] = fmax(d->y[FORECAST][slot], (double)own->forecast[i]);
        d->y[OWN][slot] = fmin(d->y[OWN][slot], (double)own->capacity[i]);
        d->y[OWN_SHORT][slot] = fmax(d->y[OWN_SHORT][slot], short_of(s, &s->own, i));
        d->y[OWN_PODS][slot] = fmax(d->y[OWN_PODS][slot], own->replicas[i]);
        if (own->predicted[i])
            d->y[RAISED][slot] = 1;
        if (!s->compared)
            continue;
        d->y[HPA][slot] = fmin(d->y[HPA][slot], (double)hpa->capacity[i]);
        d->y[HPA_SHORT][slot] = fmax(d->y[HPA_SHORT][slot], short_of(s, &s->hpa, i));
        d->y[HPA_PODS][slot] = fmax(d->y[HPA_PODS][slot], hpa->replicas[i]);
    }
    d->y[RAISED][slot] = d->y[RAISED][slot] > 0 ? d->y[OWN_PODS][slot] : (double)NAN;
}

static struct day make_day(const struct simulation *s)
{
    struct day d = {.first = worst_day(s)};
    d.slots = MAX(MIN(DAY_TICKS, s->world.trace->n - d.first) / SLOT_TICKS, 1u);
    for (unsigned k = 0; k < LINES; k++)
        d.y[k] = xcalloc(d.slots, sizeof *d.y[k]);
    for (uint32_t i = 0; i < d.slots; i++) {
        fill_slot(s, &d, i);
        d.any_short |= d.y[OWN_SHORT][i] > 0 || d.y[HPA_SHORT][i] > 0;
    }
    return d;
}

static void add(struct plot_panel *p, const struct day *d, enum plot_role role, const char *label, enum line line)
{
    p->items[p->n_items++] = (struct plot_item){.role = role, .label = label, .y = d->y[line], .n = d->slots};
}

static void fill_panels(const struct simulation *s, const struct day *d, const char *forecast, struct plot *p)
{
    struct plot_panel *demand = &p->panels[p->n_panels++];
    demand->title = "demand, and what ready pods can serve";
    if (s->compared)
        add(demand, d, PLOT_BASELINE, "HPA", HPA);
    add(demand, d, PLOT_REPLICAS, "AI4K8s", OWN);
    add(demand, d, PLOT_FORECAST, forecast, FORECAST);
    add(demand, d, PLOT_OBSERVED, "demand", DEMAND);
    if (d->any_short) {
        struct plot_panel *missing = &p->panels[p->n_panels++];
        missing->title = "unserved";
        if (s->compared)
            add(missing, d, PLOT_BASELINE_AREA, "HPA", HPA_SHORT);
        add(missing, d, PLOT_REPLICAS_AREA, "AI4K8s", OWN_SHORT);
    }
    struct plot_panel *pods = &p->panels[p->n_panels++];
    pods->title = "pods, ready or not";
    if (s->compared)
        add(pods, d, PLOT_BASELINE, "HPA", HPA_PODS);
    add(pods, d, PLOT_REPLICAS, "AI4K8s", OWN_PODS);
    add(pods, d, PLOT_EVENT, "raised by the forecast", RAISED);
}

void simulation_view_svg(const struct simulation_view *v, struct buf *out)
{
    const struct simulation *s = v->simulation;
    struct day d = make_day(s);
    _cleanup_(freep) char *name = series_file_title(v->file);
    char title[240], subtitle[300], forecast[60];
    (void)snprintf(forecast, sizeof forecast, "highest within the lead, %u %% sure", v->confidence_percent);
    int at = snprintf(subtitle, sizeof subtitle, "all %.3g days: AI4K8s %.4g min short with %.0f pod-hours",
                      (double)s->own.score.ticks * TRACE_TICK_S / 86400, s->own.score.under_provisioned_min,
                      s->own.score.pod_hours);
    if (s->compared && at > 0)
        (void)snprintf(subtitle + at, sizeof subtitle - (size_t)at,
                       "; HPA at the same target %.4g min with %.0f; HPA at the same pod-hours %.4g min",
                       s->hpa.score.under_provisioned_min, s->hpa.score.pod_hours, s->match.under_provisioned_min);
    const char *what = !d.any_short ? "highest demand" : s->compared ? "HPA's greatest shortage" : "greatest shortage";
    (void)snprintf(title, sizeof title, "%.80s: the day of the %s, pods that start in %u to %u s", name, what,
                   s->world.startup_min_s, s->world.startup_max_s);
    struct plot plot = {.title = title,
                        .subtitle = subtitle,
                        .start_us = s->world.trace->start_us + (int64_t)d.first * TRACE_TICK_S * 1000000,
                        .interval_s = SLOT_TICKS * TRACE_TICK_S,
                        .n = d.slots};
    fill_panels(s, &d, forecast, &plot);
    plot_svg(&plot, out);
    for (unsigned k = 0; k < LINES; k++)
        free(d.y[k]);
}

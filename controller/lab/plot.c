/* Axes of plots; see plot.h. */
#include "lab/plot.h"

#include "base/clock.h"
#include "base/rfc3339.h"
#include "base/str.h"

#include <math.h>
#include <stdio.h>

#define DAY_US     (86400 * USEC_PER_SEC)
#define MAX_DIGITS 9      /* of a label */
#define LEAST_ROOM 1e-290 /* its steps are numbers of full precision */

static void widen(const double *y, uint32_t n, double *low, double *high)
{
    for (uint32_t i = 0; y && i < n; i++) {
        if (!isfinite(y[i]))
            continue;
        *low = fmin(*low, y[i]);
        *high = fmax(*high, y[i]);
    }
}

/* 1, 2, 2.5 or 5 times a power of ten: the smallest of them that is not below `least`. */
static double round_step(double least)
{
    double power = pow(10, floor(log10(least))), digit = least / power;
    return power * (digit <= 1.0000001   ? 1
                    : digit <= 2.0000001 ? 2
                    : digit <= 2.5000001 ? 2.5
                    : digit <= 5.0000001 ? 5
                                         : 10);
}

struct plot_axis plot_value_axis(const struct plot_panel *panel, unsigned max_ticks)
{
    double low = (double)INFINITY, high = -(double)INFINITY;
    for (unsigned i = 0; i < panel->n_items; i++) {
        widen(panel->items[i].y, panel->items[i].n, &low, &high);
        widen(panel->items[i].upper, panel->items[i].n, &low, &high);
    }
    if (low > high)
        low = high = 0;
    if (low > 0 && low < 0.7 * high)
        low = 0;
    if (high < 0 && high > 0.7 * low)
        high = 0;
    double room = high - low;
    if (!(room > 1e-9 * fmax(fabs(low), fabs(high))) || room < LEAST_ROOM)
        room = fmax(fabs(high), 1);
    struct plot_axis axis = {.step = round_step(room / MAX(max_ticks - 1, 1u))};
    axis.low = floor(low / axis.step + 1e-9) * axis.step;
    axis.high = axis.low;
    for (axis.n = 1; axis.n < 2 || axis.high < high - 1e-9 * axis.step; axis.n++)
        axis.high = axis.low + axis.n * axis.step;
    return axis;
}

void plot_value_label(char out[16], double value, double step)
{
    static const struct {
        double unit;
        const char *suffix;
    } units[] = {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e4, "k"}};
    double unit = 1;
    const char *suffix = "";
    for (unsigned i = 0; i < ARRAY_SIZE(units) && unit < 2; i++)
        if (fabs(value) >= units[i].unit && units[i].unit < 1e15) {
            unit = units[i].unit >= 1e6 ? units[i].unit : 1e3;
            suffix = units[i].suffix;
        }
    if (fabs(value) < 1e-9 * step)
        value = 0;
    /* As many digits as tell it from its neighbour. */
    int digits = fabs(value) > 0 && step > 0 ? (int)fmin(ceil(log10(fabs(value) / step)) + 1, MAX_DIGITS) : 0;
    if (fabs(value) >= 1e15)
        (void)snprintf(out, 16, "%.*g", MAX(digits, 3), value);
    else
        (void)snprintf(out, 16, "%.*g%s", MAX(digits, 5), value / unit, suffix);
}

struct plot_time_axis plot_time_axis(const struct plot *p, unsigned max_ticks)
{
    static const int64_t steps_s[] = {10,   30,    60,    120,   300,   600,    900,    1800,    3600,
                                      7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000};
    int64_t room_us = (int64_t)p->n * p->interval_s * USEC_PER_SEC;
    struct plot_time_axis axis = {0};
    for (unsigned i = 0; i < ARRAY_SIZE(steps_s) && (i == 0 || room_us / axis.step_us >= max_ticks); i++)
        axis.step_us = steps_s[i] * USEC_PER_SEC;
    while (room_us / axis.step_us >= max_ticks)
        axis.step_us *= 2;
    int64_t rest = p->start_us % axis.step_us;
    axis.first_us = p->start_us - rest + (rest > 0 ? axis.step_us : 0);
    return axis;
}

void plot_time_label(char out[24], const struct plot_time_axis *axis, int64_t us, bool dated)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t days = us / DAY_US - (us % DAY_US < 0), in_day_s = (us - days * DAY_US) / USEC_PER_SEC;
    struct civil_date date = civil_from_days(days);
    int hour = (int)(in_day_s / 3600), minute = (int)(in_day_s / 60 % 60), second = (int)(in_day_s % 60);
    char clock[16];
    if (axis->step_us % (60 * USEC_PER_SEC) == 0)
        (void)snprintf(clock, sizeof clock, "%02d:%02d", hour, minute);
    else
        (void)snprintf(clock, sizeof clock, "%02d:%02d:%02d", hour, minute, second);
    if (in_day_s == 0 || axis->step_us >= DAY_US)
        (void)snprintf(out, 24, "%d %s", date.day, months[date.month - 1]);
    else if (dated)
        (void)snprintf(out, 24, "%d %s %.8s", date.day, months[date.month - 1], clock);
    else
        (void)str_copy(out, 24, clock);
}

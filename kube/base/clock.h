/* Time as a seam: everything that needs a clock is given one, so that tests can script it.
 *
 * `boot` runs on CLOCK_BOOTTIME (it counts suspend and never jumps): all durations, deadlines and leases.
 * `real` runs on CLOCK_REALTIME: calendar time only (timestamps, seasonality). Both in microseconds.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/base.h"

#define USEC_PER_SEC  INT64_C(1000000)
#define USEC_PER_MSEC INT64_C(1000)

struct clock {
    int64_t (*boot_us)(const struct clock *self);
    int64_t (*real_us)(const struct clock *self);
};

/* The machine's clock. */
extern const struct clock clock_system;

static inline int64_t clock_boot_us(const struct clock *c)
{
    return c->boot_us(c);
}

static inline int64_t clock_real_us(const struct clock *c)
{
    return c->real_us(c);
}

/* A clock that stands still until it is told to move; for tests and for the offline tools. `boot` starts at
 * CLOCK_FAKE_BOOT_US, far enough from 0 that "an hour ago" is a time too. To let the calendar jump alone (a
 * step of NTP), set `real_us`. */
#define CLOCK_FAKE_BOOT_US (1000000 * USEC_PER_SEC)
struct clock_fake {
    struct clock clock; /* pass &fake.clock; must stay the first member */
    int64_t boot_us;
    int64_t real_us;
};

void clock_fake_init(struct clock_fake *fake, int64_t real_us);
void clock_fake_advance(struct clock_fake *fake, int64_t us); /* both clocks */

#endif

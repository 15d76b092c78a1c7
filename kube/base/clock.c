/* The machine's clocks, and the one that stands still; see clock.h. */
#include "base/clock.h"

#include <assert.h>
#include <time.h>

static int64_t read_us(clockid_t id)
{
    struct timespec ts;
    int r = clock_gettime(id, &ts);
    /* Both clocks exist in every kernel we run on, and a program without time can only do harm. */
    assert(r == 0);
    return (int64_t)ts.tv_sec * USEC_PER_SEC + ts.tv_nsec / 1000;
}

static int64_t system_boot_us(const struct clock *self UNUSED)
{
    return read_us(CLOCK_BOOTTIME);
}

static int64_t system_real_us(const struct clock *self UNUSED)
{
    return read_us(CLOCK_REALTIME);
}

const struct clock clock_system = {.boot_us = system_boot_us, .real_us = system_real_us};

static int64_t fake_boot_us(const struct clock *self)
{
    return ((const struct clock_fake *)(const void *)self)->boot_us;
}

static int64_t fake_real_us(const struct clock *self)
{
    return ((const struct clock_fake *)(const void *)self)->real_us;
}

void clock_fake_init(struct clock_fake *fake, int64_t real_us)
{
    *fake = (struct clock_fake){
        .clock = {.boot_us = fake_boot_us, .real_us = fake_real_us},
        .boot_us = CLOCK_FAKE_BOOT_US,
        .real_us = real_us,
    };
}

void clock_fake_advance(struct clock_fake *fake, int64_t us)
{
    fake->boot_us += us;
    fake->real_us += us;
}

/* A token bucket that is filled when it is looked at; see backoff.h. */
#include "base/backoff.h"

#include <assert.h>
#include <math.h>

void ratelimit_init(struct ratelimit *r, double rate, double burst, int64_t now_us)
{
    assert(rate >= 0 && burst >= 1);
    *r = (struct ratelimit){.rate = rate, .burst = burst, .tokens = burst, .last_us = now_us};
}

static void fill(struct ratelimit *r, int64_t now_us)
{
    if (now_us <= r->last_us)
        return;
    r->tokens = fmin(r->burst, r->tokens + r->rate * ((double)(now_us - r->last_us) / 1e6));
    r->last_us = now_us;
}

/* A token that misses a billionth is one: thirds and tenths don't add up to it exactly. */
#define WHOLE (1 - 1e-9)

bool ratelimit_take(struct ratelimit *r, int64_t now_us)
{
    fill(r, now_us);
    if (r->tokens < WHOLE)
        return false;
    r->tokens -= 1;
    return true;
}

void ratelimit_give_back(struct ratelimit *r)
{
    r->tokens = fmin(r->burst, r->tokens + 1);
}

int64_t ratelimit_reserve_us(struct ratelimit *r, int64_t now_us)
{
    fill(r, now_us);
    r->tokens -= 1;
    if (r->tokens >= WHOLE - 1)
        return 0;
    double wait_us = ceil(-r->tokens / r->rate * 1e6 - 1e-3);
    return wait_us < (double)BACKOFF_MAX_US ? (int64_t)wait_us : BACKOFF_MAX_US;
}

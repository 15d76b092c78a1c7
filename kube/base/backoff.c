/* Delays that double up to a cap; see backoff.h. */
#include "base/backoff.h"

#include <assert.h>

const struct backoff_config backoff_reflector = {
    .initial_us = 800000,
    .cap_us = 30000000,
    .factor = 2.0,
    .jitter = 1.0,
    .reset_us = 120000000,
};

void backoff_init(struct backoff *b, const struct backoff_config *config)
{
    assert(config->initial_us > 0 && config->cap_us >= config->initial_us && config->cap_us <= BACKOFF_MAX_US);
    assert(config->factor >= 1 && config->jitter >= 0 && config->jitter <= 10);
    *b = (struct backoff){.config = *config, .next_us = config->initial_us};
}

int64_t backoff_next_us(struct backoff *b, int64_t now_us, struct rng *rng)
{
    const struct backoff_config *config = &b->config;
    if (config->reset_us > 0 && now_us - b->last_at_us > config->reset_us)
        backoff_reset(b);
    b->last_at_us = now_us;
    int64_t delay_us = b->next_us;
    double after_us = (double)delay_us * config->factor;
    b->next_us = after_us < (double)config->cap_us ? (int64_t)after_us : config->cap_us;
    double jitter = rng ? config->jitter * rng_unit(rng) : 0;
    return delay_us + (int64_t)(jitter * (double)delay_us);
}

void backoff_reset(struct backoff *b)
{
    b->next_us = b->config.initial_us;
}

/* Exponential back-off with jitter, cap and reset, as client-go's reflector does it: the n-th delay is
 * min(initial x factor^n, cap) x [1, 1 + jitter), and after more than `reset_us` since the last one it starts
 * again. */
#ifndef BASE_BACKOFF_H
#define BASE_BACKOFF_H

#include "base/base.h"
#include "base/rng.h"

/* The longest cap, and the longest wait of a rate limit: a year. */
#define BACKOFF_MAX_US INT64_C(31536000000000)

struct backoff_config {
    int64_t initial_us;
    int64_t cap_us;
    double factor;
    double jitter;
    int64_t reset_us; /* 0: only backoff_reset() resets */
};

/* 800 ms, 30 s, 2.0, 1.0, 2 min: list and watch. */
extern const struct backoff_config backoff_reflector;

struct backoff {
    struct backoff_config config;
    int64_t next_us;
    int64_t last_at_us;
};

void backoff_init(struct backoff *b, const struct backoff_config *config);
/* The delay to wait now. Without `rng` (NULL) there is no jitter. */
int64_t backoff_next_us(struct backoff *b, int64_t now_us, struct rng *rng);
void backoff_reset(struct backoff *b);

/* A token bucket: `rate` tokens per second (0: none but the first) up to `burst` (>= 1), full at the start.
 */
struct ratelimit {
    double rate;
    double burst;
    double tokens;
    int64_t last_us;
};

void ratelimit_init(struct ratelimit *r, double rate, double burst, int64_t now_us);
bool ratelimit_take(struct ratelimit *r, int64_t now_us);          /* true: a token was taken */
void ratelimit_give_back(struct ratelimit *r);                     /* one that was taken, and what for did not happen */
int64_t ratelimit_reserve_us(struct ratelimit *r, int64_t now_us); /* takes one, on credit; gives how long to wait */

#endif

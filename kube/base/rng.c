/* xoshiro256** 1.0 (Blackman and Vigna), its state filled by splitmix64 as its authors advise. */
#include "base/rng.h"

#include "base/siphash.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>

static inline uint64_t rotate_left(uint64_t x, unsigned int bits)
{
    return x << bits | x >> (64 - bits);
}

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void rng_seed(struct rng *rng, uint64_t seed)
{
    /* splitmix64 never gives four zeros in a row, the one state xoshiro can't leave. */
    for (size_t i = 0; i < ARRAY_SIZE(rng->s); i++)
        rng->s[i] = splitmix64(&seed);
}

void rng_seed_bytes(struct rng *rng, const void *data, size_t len)
{
    static const uint64_t key[2] = {UINT64_C(0x736565646279746f), UINT64_C(0x6173747265616d21)};
    rng_seed(rng, siphash24(key, data, len));
}

void rng_seed_random(struct rng *rng)
{
    ssize_t n;
    do
        n = getrandom(rng->s, sizeof(rng->s), 0);
    while (n < 0 && errno == EINTR);
    /* The kernel gives up to 256 bytes whole; without it there is nothing sound to continue with. */
    assert(n == (ssize_t)sizeof(rng->s));
}

uint64_t rng_next(struct rng *rng)
{
    uint64_t *s = rng->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t rng_below(struct rng *rng, uint64_t limit)
{
    assert(limit > 0);
    /* 2^64 mod limit: below it the values would favour small remainders. */
    uint64_t threshold = -limit % limit;
    uint64_t r;
    do
        r = rng_next(rng);
    while (r < threshold);
    return r % limit;
}

double rng_unit(struct rng *rng)
{
    return (double)(rng_next(rng) >> 11) * 0x1p-53;
}

/* The upper half of a float32: its range, and eight bits of mantissa. For numbers of the state that are many and need
 * not be exact, in memory and in a checkpoint alike. */
#ifndef CORE_BFLOAT_H
#define CORE_BFLOAT_H

#include "base/base.h"

#include <string.h>

/* To the nearest one; |v| up to 1e38. */
static inline uint16_t bfloat_pack(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static inline float bfloat_unpack(uint16_t v)
{
    uint32_t bits = (uint32_t)v << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline bool bfloat_finite(uint16_t v)
{
    return (v & 0x7f80) != 0x7f80;
}

#endif

/* Signed whole numbers in as few bytes as they need: zigzag, seven bits a byte. For lists in the state whose
 * entries differ little from one another. */
#ifndef CORE_VARINT_H
#define CORE_VARINT_H

#include "core/codec.h"

#define VARINT_MAX_BYTES 10

static inline uint32_t varint_encode(uint8_t out[VARINT_MAX_BYTES], int64_t value)
{
    uint64_t v = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    uint32_t n = 0;
    for (; v >= 0x80; v >>= 7)
        out[n++] = (uint8_t)(v | 0x80);
    out[n++] = (uint8_t)v;
    return n;
}

static inline void varint_put(struct codec_writer *w, int64_t value)
{
    uint8_t bytes[VARINT_MAX_BYTES];
    uint32_t n = varint_encode(bytes, value);
    for (uint32_t i = 0; i < n; i++)
        codec_u8(w, bytes[i]);
}

static inline int64_t varint_get(struct codec_reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = codec_get_u8(r);
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return r->failed ? 0 : (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
    }
    r->failed = true;
    return 0;
}

#endif

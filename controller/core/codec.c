/* State as bytes; see codec.h. Integers are written byte by byte, so that neither the machine's order nor its
 * alignment shows; floats go as the integers of their bits. */
#include "core/codec.h"

#include <string.h>

static void put(struct codec_writer *w, uint64_t v, unsigned bytes)
{
    uint8_t out[8];
    for (unsigned i = 0; i < bytes; i++)
        out[i] = (uint8_t)(v >> (8 * i));
    (void)buf_append(w->out, out, bytes); /* a failure stays in the buffer */
}

void codec_u8(struct codec_writer *w, uint8_t v)
{
    put(w, v, 1);
}

void codec_u16(struct codec_writer *w, uint16_t v)
{
    put(w, v, 2);
}

void codec_u32(struct codec_writer *w, uint32_t v)
{
    put(w, v, 4);
}

void codec_u64(struct codec_writer *w, uint64_t v)
{
    put(w, v, 8);
}

void codec_i64(struct codec_writer *w, int64_t v)
{
    put(w, (uint64_t)v, 8);
}

void codec_f32(struct codec_writer *w, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    put(w, bits, 4);
}

void codec_f64(struct codec_writer *w, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    put(w, bits, 8);
}

void codec_f32s(struct codec_writer *w, const float *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        codec_f32(w, v[i]);
}

void codec_bytes(struct codec_writer *w, const void *data, size_t len)
{
    if (len > UINT32_MAX) {
        w->out->failed = true;
        return;
    }
    codec_u32(w, (uint32_t)len);
    (void)buf_append(w->out, data, len);
}

size_t codec_section(struct codec_writer *w, uint16_t tag)
{
    codec_u16(w, tag);
    size_t at = w->out->len;
    codec_u32(w, 0);
    return at;
}

void codec_section_end(struct codec_writer *w, size_t at)
{
    if (w->out->failed)
        return;
    size_t len = w->out->len - at - 4;
    for (unsigned i = 0; i < 4; i++)
        w->out->data[at + i] = (char)(uint8_t)(len >> (8 * i));
}

struct codec_reader codec_reader(const void *data, size_t len)
{
    return (struct codec_reader){.data = data, .len = len};
}

static uint64_t get(struct codec_reader *r, unsigned bytes)
{
    if (r->failed || r->len - r->pos < bytes) {
        r->failed = true;
        return 0;
    }
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)r->data[r->pos + i] << (8 * i);
    r->pos += bytes;
    return v;
}

uint8_t codec_get_u8(struct codec_reader *r)
{
    return (uint8_t)get(r, 1);
}

uint16_t codec_get_u16(struct codec_reader *r)
{
    return (uint16_t)get(r, 2);
}

uint32_t codec_get_u32(struct codec_reader *r)
{
    return (uint32_t)get(r, 4);
}

uint64_t codec_get_u64(struct codec_reader *r)
{
    return get(r, 8);
}

int64_t codec_get_i64(struct codec_reader *r)
{
    return (int64_t)get(r, 8);
}

float codec_get_f32(struct codec_reader *r)
{
    uint32_t bits = (uint32_t)get(r, 4);
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

double codec_get_f64(struct codec_reader *r)
{
    uint64_t bits = get(r, 8);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

double codec_get_finite(struct codec_reader *r)
{
    double v = codec_get_f64(r);
    if (!__builtin_isfinite(v)) {
        r->failed = true;
        return 0;
    }
    return v;
}

void codec_get_finite_f32s(struct codec_reader *r, float *ret_v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ret_v[i] = codec_get_f32(r);
        if (!__builtin_isfinite(ret_v[i])) {
            ret_v[i] = 0;
            r->failed = true;
        }
    }
}

const void *codec_get_bytes(struct codec_reader *r, size_t max, size_t *ret_len)
{
    *ret_len = 0;
    size_t len = codec_get_u32(r);
    if (r->failed || len > max || len > r->len - r->pos) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *data = r->data + r->pos;
    r->pos += len;
    *ret_len = len;
    return data;
}

bool codec_get_section(struct codec_reader *r, uint16_t *ret_tag, struct codec_reader *ret_section)
{
    *ret_tag = 0;
    *ret_section = (struct codec_reader){.failed = true};
    if (r->failed || r->pos == r->len)
        return false;
    uint16_t tag = codec_get_u16(r);
    size_t len;
    const void *data = codec_get_bytes(r, r->len, &len);
    if (r->failed)
        return false;
    *ret_tag = tag;
    *ret_section = codec_reader(data, len);
    return true;
}

bool codec_done(const struct codec_reader *r)
{
    return !r->failed && r->pos == r->len;
}

/* Castagnoli's polynomial, reflected. Four bits at a time: sixteen words of table, and a checkpoint is some
 * ten kilobytes every few minutes. */
uint32_t codec_crc32c(const void *data, size_t len)
{
    static const uint32_t table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    const uint8_t *p = data;
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        crc = (crc >> 4) ^ table[crc & 15];
        crc = (crc >> 4) ^ table[crc & 15];
    }
    return ~crc;
}

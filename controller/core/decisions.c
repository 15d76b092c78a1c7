/* Packs and unpacks decisions. */
#include "core/decisions.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "core/varint.h"

#define SECOND_US        INT64_C(1000000)
#define REASON_MASK      0x3f
#define CURRENT_DIFFERS  0x40
#define DESIRED_DIFFERS  0x80
#define MAX_RECORD_BYTES (3 * VARINT_MAX_BYTES + 1)

STATIC_ASSERT(CORE_N_REASONS <= REASON_MASK);

void decisions_done(struct decisions *d)
{
    free(d->bytes);
    *d = (struct decisions){.n = 0};
}

/* A place in the bytes, and what the next record differs from. */
struct cursor {
    struct codec_reader bytes;
    int64_t time_s;
    int32_t desired;
};

static struct cursor begin(const struct decisions *d)
{
    return (struct cursor){.bytes = codec_reader(d->bytes, d->len), .time_s = d->base_s, .desired = d->base_desired};
}

static int32_t get_count(struct codec_reader *r, int32_t from)
{
    int64_t v;
    if (__builtin_add_overflow((int64_t)from, varint_get(r), &v) || v < 0 || v > INT32_MAX)
        r->failed = true;
    return r->failed ? 0 : (int32_t)v;
}

/* Reads one record. `bytes.failed` tells when they are not ours. */
static struct core_decision next(struct cursor *c)
{
    struct codec_reader *r = &c->bytes;
    struct core_decision out = {.reason = CORE_REASON_OFF};
    int64_t later_s = varint_get(r);
    uint8_t head = codec_get_u8(r);
    if (later_s < 0 || __builtin_add_overflow(c->time_s, later_s, &c->time_s) || c->time_s > INT64_MAX / SECOND_US ||
        c->time_s < INT64_MIN / SECOND_US || (head & REASON_MASK) >= CORE_N_REASONS)
        r->failed = true;
    out.current = head & CURRENT_DIFFERS ? get_count(r, c->desired) : c->desired;
    out.desired = head & DESIRED_DIFFERS ? get_count(r, out.current) : out.current;
    if (r->failed)
        return (struct core_decision){.reason = CORE_REASON_OFF};
    out.reason = (enum core_reason)(head & REASON_MASK);
    out.time_us = c->time_s * SECOND_US;
    c->desired = out.desired;
    return out;
}

static void drop_oldest(struct decisions *d)
{
    struct cursor c = begin(d);
    next(&c);
    uint32_t used = (uint32_t)c.bytes.pos;
    memmove(d->bytes, d->bytes + used, d->len - used);
    d->len -= used;
    d->n--;
    d->base_s = c.time_s;
    d->base_desired = c.desired;
}

static int64_t floor_s(int64_t time_us)
{
    return time_us / SECOND_US - (time_us % SECOND_US < 0);
}

void decisions_add(struct decisions *d, const struct core_decision *decision)
{
    if (d->n > 0 && d->last.current == decision->current && d->last.desired == decision->desired &&
        d->last.reason == decision->reason)
        return;
    int64_t time_s = floor_s(decision->time_us);
    int64_t before_s = d->n > 0 ? floor_s(d->last.time_us) : time_s;
    time_s = MAX(time_s, before_s);
    int32_t before = d->n > 0 ? d->last.desired : decision->current;
    if (d->n == 0) {
        d->base_s = time_s;
        d->base_desired = before;
    }

    uint8_t record[MAX_RECORD_BYTES];
    uint32_t len = varint_encode(record, time_s - before_s);
    uint8_t *head = &record[len++];
    *head = (uint8_t)decision->reason;
    if (decision->current != before) {
        *head |= CURRENT_DIFFERS;
        len += varint_encode(record + len, (int64_t)decision->current - before);
    }
    if (decision->desired != decision->current) {
        *head |= DESIRED_DIFFERS;
        len += varint_encode(record + len, (int64_t)decision->desired - decision->current);
    }
    while (d->n == CORE_MAX_DECISIONS || d->len + len > DECISIONS_BYTES)
        drop_oldest(d);
    if (d->len + len > d->cap) {
        d->cap = MIN(MAX(2 * d->cap, 64), DECISIONS_BYTES);
        d->bytes = xreallocarray(d->bytes, d->cap, 1);
    }
    memcpy(d->bytes + d->len, record, len);
    d->len += len;
    d->n++;
    d->last = *decision;
    d->last.time_us = time_s * SECOND_US;
}

uint32_t decisions_list(const struct decisions *d, struct core_decision *out, uint32_t cap)
{
    struct cursor c = begin(d);
    uint32_t skip = d->n > cap ? d->n - cap : 0, n = 0;
    for (uint32_t i = 0; i < d->n; i++) {
        struct core_decision decision = next(&c);
        if (i >= skip)
            out[n++] = decision;
    }
    return n;
}

void decisions_encode(const struct decisions *d, struct codec_writer *w)
{
    codec_u32(w, d->n);
    codec_i64(w, d->base_s);
    codec_u32(w, (uint32_t)d->base_desired);
    codec_bytes(w, d->bytes, d->len);
}

int decisions_decode(struct decisions *d, struct codec_reader *r)
{
    struct decisions read = {.n = codec_get_u32(r), .base_s = codec_get_i64(r)};
    uint32_t base = codec_get_u32(r);
    size_t len = 0;
    const void *bytes = codec_get_bytes(r, DECISIONS_BYTES, &len);
    if (r->failed || read.n > CORE_MAX_DECISIONS || base > INT32_MAX)
        return -1;
    read.base_desired = (int32_t)base;
    read.len = read.cap = (uint32_t)len;
    if (len > 0) {
        read.bytes = xreallocarray(NULL, len, 1);
        memcpy(read.bytes, bytes, len);
    }
    struct cursor c = begin(&read);
    for (uint32_t i = 0; i < read.n; i++)
        read.last = next(&c);
    if (!codec_done(&c.bytes)) {
        free(read.bytes);
        return -1;
    }
    decisions_done(d);
    *d = read;
    return 0;
}

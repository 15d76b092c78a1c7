/* A list that is made anew at each sync from what the one before knew; see outage.h. */
#include "core/outage.h"

#define SECOND_US INT64_C(1000000)

/* FNV-1a: names of one specification are told apart, nothing more is asked of it. */
static uint64_t hash(const char *name)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *name; name++)
        h = (h ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
    return h;
}

static int64_t since(const struct outages *o, uint64_t metric, int64_t now_us)
{
    for (uint32_t i = 0; i < o->n; i++)
        if (o->entries[i].metric == metric)
            return MIN(o->entries[i].since_us, now_us); /* the clock may have been set back */
    return now_us;
}

void outages_note(struct outages *o, const struct core_spec *spec, const bool unknown[CORE_MAX_METRICS], int64_t now_us,
                  uint32_t ret_s[CORE_MAX_METRICS])
{
    struct outages now = {.n = 0};
    for (uint32_t i = 0; i < spec->n_metrics; i++) {
        ret_s[i] = 0;
        if (!unknown[i] || spec->metrics[i].fallback.after_s == 0)
            continue;
        struct outage entry = {.metric = hash(spec->metrics[i].name)};
        entry.since_us = since(o, entry.metric, now_us);
        now.entries[now.n++] = entry;
        int64_t unknown_us;
        if (__builtin_sub_overflow(now_us, entry.since_us, &unknown_us))
            unknown_us = INT64_MAX;
        ret_s[i] = (uint32_t)MIN(unknown_us / SECOND_US, UINT32_MAX);
    }
    *o = now;
}

void outages_encode(const struct outages *o, struct codec_writer *w)
{
    codec_u8(w, (uint8_t)o->n);
    for (uint32_t i = 0; i < o->n; i++) {
        codec_u64(w, o->entries[i].metric);
        codec_i64(w, o->entries[i].since_us);
    }
}

int outages_decode(struct outages *o, struct codec_reader *r)
{
    *o = (struct outages){.n = codec_get_u8(r)};
    if (o->n > CORE_MAX_METRICS)
        return -1;
    for (uint32_t i = 0; i < o->n; i++)
        o->entries[i] = (struct outage){.metric = codec_get_u64(r), .since_us = codec_get_i64(r)};
    return r->failed ? -1 : 0;
}

/* What an anomaly does to scaling, and for how long at most; see anomaly.h. */
#include "core/anomaly.h"

#include "base/clock.h"

static void follow(struct anomaly_policy *p, const struct anomaly_result *row, int64_t time_us)
{
    if (p->since_us == 0 && row->is_anomaly)
        *p = (struct anomaly_policy){.since_us = time_us};
    else if (p->since_us != 0)
        p->calm = row->unusual ? 0 : p->calm + 1;
    if (p->calm >= ANOMALY_CALM)
        *p = (struct anomaly_policy){0};
    else
        p->severity = MAX(p->severity, row->severity);
}

bool anomaly_policy_excludes(struct anomaly_policy *p, enum anomaly_mode mode, const struct anomaly_result *row,
                             int64_t time_us)
{
    follow(p, row, time_us);
    if (p->since_us == 0 || !row->unusual || p->excluded >= ANOMALY_MAX_EXCLUDED)
        return false;
    p->excluded++;
    return mode != ANOMALY_OFF;
}

void anomaly_policy_set_back(struct anomaly_policy *p, int64_t now_us)
{
    if (p->since_us > now_us)
        p->since_us = MAX(now_us - ANOMALY_MAX_HOLD_S * USEC_PER_SEC, 1);
}

static bool is_recent(const struct anomaly_policy *p, int64_t now_us)
{
    return p->since_us != 0 && now_us - p->since_us < ANOMALY_MAX_HOLD_S * USEC_PER_SEC;
}

bool anomaly_policy_holds(const struct anomaly_policy *p, enum anomaly_mode mode, int64_t now_us)
{
    return mode == ANOMALY_HOLD_SCALE_DOWN && is_recent(p, now_us);
}

bool anomaly_policy_is_reactive(const struct anomaly_policy *p, enum anomaly_mode mode, int64_t now_us)
{
    return mode == ANOMALY_REACTIVE_ONLY && is_recent(p, now_us);
}

void anomaly_policy_encode(const struct anomaly_policy *p, struct codec_writer *w)
{
    codec_i64(w, p->since_us);
    codec_u8(w, (uint8_t)p->excluded);
    codec_u8(w, (uint8_t)p->calm);
    codec_u8(w, (uint8_t)p->severity);
}

int anomaly_policy_decode(struct anomaly_policy *p, struct codec_reader *r)
{
    *p = (struct anomaly_policy){.since_us = codec_get_i64(r)};
    p->excluded = codec_get_u8(r);
    p->calm = codec_get_u8(r);
    uint8_t severity = codec_get_u8(r);
    p->severity = MIN(severity, ANOMALY_HIGH);
    bool sound = !r->failed && severity <= ANOMALY_HIGH && p->since_us >= 0 && p->excluded <= ANOMALY_MAX_EXCLUDED &&
                 p->calm < ANOMALY_CALM;
    if (!sound)
        *p = (struct anomaly_policy){0};
    return sound ? 0 : -1;
}

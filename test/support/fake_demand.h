/* A demand whose forecast the test sets. Included by the one file of a test program; its functions stand in
 * front of the archive's, so that the real model is not linked. */
#ifndef TEST_FAKE_DEMAND_H
#define TEST_FAKE_DEMAND_H

#include <stdlib.h>

#include "core/demand.h"

struct demand {
    struct demand_config config;
    bool trusted, usable;
    double quantile;
    double ahead;       /* what demand_ahead() says */
    struct sample last; /* what was observed last */
    uint32_t observed, lead_s, reconfigured;
};

struct demand_config demand_config_default(void)
{
    return (struct demand_config){.interval_s = 300,
                                  .slots = 2016,
                                  .horizon = 72,
                                  .confidence_percent = 90,
                                  .max_error_percent = 30,
                                  .min_coverage_percent = 85};
}

struct demand *demand_new(const struct demand_config *config)
{
    struct demand *d = calloc(1, sizeof *d);
    if (!d)
        abort();
    d->config = *config;
    return d;
}

struct demand *demand_free(struct demand *d)
{
    free(d);
    return NULL;
}

const struct demand_config *demand_config(const struct demand *d)
{
    return &d->config;
}

void demand_reconfigure(struct demand *d, const struct demand_config *config)
{
    d->config = *config;
    d->reconfigured++;
}

size_t demand_memory(const struct demand *d)
{
    return sizeof *d;
}

uint32_t demand_observe(struct demand *d, int64_t time_us, struct sample sample, unsigned flags, uint32_t lead_s)
{
    (void)time_us;
    (void)flags;
    d->last = sample;
    d->observed++;
    d->lead_s = lead_s;
    return 0;
}

struct demand_drive demand_drive(struct demand *d, int64_t now_us, uint32_t lead_s)
{
    (void)now_us;
    (void)lead_s;
    return (struct demand_drive){.quantile = d->quantile, .mean = d->quantile, .usable = d->usable};
}

double demand_ahead(struct demand *d, int64_t now_us, uint32_t lead_s, uint32_t ahead_s)
{
    (void)now_us;
    (void)lead_s;
    (void)ahead_s;
    return d->usable ? d->ahead : -1;
}

struct demand_trust demand_trust(const struct demand *d)
{
    return (struct demand_trust){.trusted = d->trusted, .reason = d->trusted ? TRUST_EARNED : TRUST_LEARNING};
}

void demand_encode_tail(const struct demand *d, struct codec_writer *w)
{
    codec_u8(w, d->trusted);
    codec_u8(w, d->usable);
    codec_f64(w, d->quantile);
    codec_f64(w, d->ahead);
}

void demand_encode_segment(const struct demand *d, int64_t index, struct codec_writer *w)
{
    (void)d;
    codec_i64(w, index);
}

int64_t demand_first_segment(const struct demand *d)
{
    return d->observed ? 0 : 2;
}

int64_t demand_open_segment(const struct demand *d)
{
    (void)d;
    return 2;
}

int demand_decode_tail(struct demand *d, struct codec_reader *r)
{
    d->trusted = codec_get_u8(r);
    d->usable = codec_get_u8(r);
    d->quantile = codec_get_f64(r);
    d->ahead = codec_get_f64(r);
    return r->failed ? -1 : 0;
}

int demand_decode_segment(struct demand *d, int64_t index, struct codec_reader *r)
{
    d->observed++;
    return codec_get_i64(r) == index && !r->failed ? 0 : -1;
}

void demand_decode_done(struct demand *d)
{
    (void)d;
}

#endif

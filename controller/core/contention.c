/* Detecting another writer, and giving way to it. */
#include "core/contention.h"

#define SECOND_US      INT64_C(1000000)
#define UNDO_WINDOW_US (600 * SECOND_US)
#define CONTENDED_US   (1800 * SECOND_US)
#define HOLD_OFF_MIN_S 15
#define HOLD_OFF_MAX_S 300

bool contention_active(const struct contention *c, int64_t now_us)
{
    return c->until_us != 0 && now_us < c->until_us;
}

uint32_t contention_hold_s(const struct contention *c, int64_t now_us)
{
    if (!contention_active(c, now_us) || now_us >= c->hold_until_us)
        return 0;
    int64_t left_us = MIN(c->hold_until_us - now_us, HOLD_OFF_MAX_S * SECOND_US);
    return (uint32_t)((left_us + SECOND_US - 1) / SECOND_US);
}

void contention_adopt(struct contention *c, int32_t live)
{
    c->known = true;
    c->expected = live;
    c->from = c->to = live;
}

static void undone(struct contention *c, int64_t now_us)
{
    bool again = c->undone_us != 0 && now_us - c->undone_us <= UNDO_WINDOW_US;
    c->undone_us = now_us;
    if (contention_active(c, now_us)) {
        c->until_us = now_us + CONTENDED_US;
    } else if (again) {
        c->until_us = now_us + CONTENDED_US;
        c->hold_until_us = now_us + HOLD_OFF_MIN_S * SECOND_US;
        c->hold_off_s = 2 * HOLD_OFF_MIN_S;
    }
}

void contention_set_back(struct contention *c, int64_t now_us)
{
    c->written_us = MIN(c->written_us, now_us);
    c->undone_us = MIN(c->undone_us, now_us);
    if (c->until_us != 0)
        c->until_us = MIN(c->until_us, now_us + CONTENDED_US);
    c->hold_until_us = MIN(c->hold_until_us, now_us + HOLD_OFF_MAX_S * SECOND_US);
}

bool contention_observe(struct contention *c, int64_t now_us, int32_t live)
{
    if (c->until_us != 0 && !contention_active(c, now_us)) {
        c->until_us = c->hold_until_us = c->undone_us = 0;
        c->hold_off_s = 0;
    }
    if (!c->known || live == c->expected) {
        c->known = true;
        c->expected = live;
        return false;
    }
    bool back = (c->to > c->from && live < c->to) || (c->to < c->from && live > c->to);
    if (back && c->expected == c->to && now_us - c->written_us <= UNDO_WINDOW_US)
        undone(c, now_us);
    contention_adopt(c, live);
    return true;
}

void contention_applied(struct contention *c, int64_t now_us, int32_t from, int32_t to)
{
    c->known = true;
    c->expected = to;
    c->from = from;
    c->to = to;
    c->written_us = now_us;
    if (contention_active(c, now_us)) {
        c->hold_until_us = now_us + c->hold_off_s * SECOND_US;
        c->hold_off_s = MIN(2 * c->hold_off_s, HOLD_OFF_MAX_S);
    }
}

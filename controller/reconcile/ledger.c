/* Reserve, then charge or refund, exactly once; see ledger.h. */
#include "reconcile/ledger.h"

#define SECOND_US INT64_C(1000000)
#define HOUR_US   (3600 * SECOND_US)
#define DAY_US    (24 * HOUR_US)

#define DAYS_AHEAD 2

static int32_t day_of(int64_t time_us)
{
    return (int32_t)(time_us / DAY_US);
}

/* A new day begins with nothing spent; a new hour with no refunds. A clock that was set back begins neither, unless it
 * had been so far ahead that waiting for that time would lock the budget. */
static bool is_another_day(const struct ledger *l, int64_t now_us)
{
    int32_t today = day_of(now_us);
    return today > l->day || l->day - today > DAYS_AHEAD;
}

static void turn_hour(struct ledger *l, int64_t now_us)
{
    if (now_us - l->hour_us >= HOUR_US || l->hour_us - now_us > HOUR_US) {
        l->hour_us = now_us;
        l->refunds_in_hour = 0;
    }
}

enum ledger_refusal ledger_reserve(struct ledger *l, uint32_t budget, uint64_t id, int64_t now_us)
{
    if (l->reserved_id != 0)
        return LEDGER_BUSY;
    if (is_another_day(l, now_us)) {
        l->day = day_of(now_us);
        l->charged = l->refunded = 0;
    }
    turn_hour(l, now_us);
    if (budget > 0 && l->charged >= budget)
        return LEDGER_SPENT;
    if (l->refunds_in_hour >= LEDGER_MAX_REFUNDS)
        return LEDGER_TOO_MANY_REFUNDS;
    l->reserved_id = id;
    l->reserved_us = now_us;
    return LEDGER_MAY;
}

static bool settle(struct ledger *l, uint64_t id)
{
    if (id == 0 || l->reserved_id != id)
        return false;
    l->reserved_id = 0;
    return true;
}

bool ledger_charge(struct ledger *l, uint64_t id)
{
    if (!settle(l, id))
        return false;
    l->charged++;
    return true;
}

bool ledger_refund(struct ledger *l, uint64_t id, int64_t now_us)
{
    if (!settle(l, id))
        return false;
    l->refunded++;
    turn_hour(l, now_us);
    l->refunds_in_hour++;
    return true;
}

bool ledger_recover(struct ledger *l, int64_t now_us)
{
    return ledger_refund(l, l->reserved_id, now_us);
}

uint32_t ledger_spent(const struct ledger *l, int64_t now_us)
{
    return is_another_day(l, now_us) ? 0 : l->charged;
}

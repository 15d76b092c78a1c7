/* The call budget of one autoscaler: reserve, then charge or refund, exactly once, whatever crashes in between.
 *
 * The ledger lives on the object (status.advisor.budget), and moves only with the write that shows why:
 *
 *     reserve   a status write with the reservation (call id), before anything is sent
 *     charge    the status write that puts the advice, or the verdict that the input was at fault, on the object also
 *               removes the reservation and counts the call
 *     refund    the status write that says how the system failed removes the reservation and counts nothing
 *     at start  a reservation without its verdict is refunded: the call may have been made, its answer never arrived
 *
 * So calls charged = verdicts on objects, always. A day is a UTC day; a call belongs to the day that it was reserved
 * on, and the numbers are of that day until the next reservation. The operator's own budget is the sum of the ledgers
 * and has no store of its own. Refunds are capped at LEDGER_MAX_REFUNDS an hour: failures are no free loop.
 *
 * Pure data; advice_flow.c writes it.
 */
#ifndef RECONCILE_LEDGER_H
#define RECONCILE_LEDGER_H

#include "base/base.h"

#define LEDGER_MAX_REFUNDS 20 /* in an hour, then no more calls until the hour is over */

struct ledger {
    int32_t day;                /* days since 1970, UTC, of `charged` */
    uint32_t charged, refunded; /* on that day */
    uint64_t reserved_id;       /* 0: none; one call at a time */
    int64_t reserved_us;        /* Unix */
    uint32_t refunds_in_hour;
    int64_t hour_us; /* when that hour began */
};

enum ledger_refusal { LEDGER_MAY, LEDGER_BUSY, LEDGER_SPENT, LEDGER_TOO_MANY_REFUNDS };
/* `budget` 0: without limit. LEDGER_MAY: reserved under `id`. */
enum ledger_refusal ledger_reserve(struct ledger *l, uint32_t budget, uint64_t id, int64_t now_us);
/* Settle `id`; false: it is not the one reserved (settled already), and nothing changes. */
bool ledger_charge(struct ledger *l, uint64_t id);
bool ledger_refund(struct ledger *l, uint64_t id, int64_t now_us);
/* After a start: gives true when there was a reservation, which is refunded. */
bool ledger_recover(struct ledger *l, int64_t now_us);
uint32_t ledger_spent(const struct ledger *l, int64_t now_us); /* charged on the day that it is now */

#endif

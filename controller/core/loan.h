/* What advice has added to the count that runs, told apart from what would run without it.
 *
 * Pods that an advisor has asked for change what an HPA makes of the same demand: it lowers nothing inside its
 * tolerance, keeps what a forecast may fetch again, and waits for its windows. A pod that was added once would stay for
 * as long as the demand does. So while advice raises, and until the last trace of it is gone, the count of an
 * autoscaler that was never advised is kept beside the live one: its windows, its scale events, and what it would have
 * written at each sync. Rules look at that count and not at the live one; the difference is a loan, and is given back
 * after the scale-down window, counted from the last sync at which advice asked for more than the need. The demand is
 * the same for both; fewer pods share it (hpa_propose_for()).
 *
 * A count that somebody else has set ends the difference: then both are that count. When they are equal, and no window
 * or policy remembers advice, there is no loan any more and nothing is kept.
 */
#ifndef CORE_LOAN_H
#define CORE_LOAN_H

#include "core/behavior.h"

struct loan {
    bool active;
    int32_t without;         /* what would run had no advice ever raised, 1 <= */
    int32_t planned_without; /* what it is once the write of the last sync has happened, which goes the same way */
    int32_t live, planned; /* what ran at the last sync or write of ours, and what that sync is to write, else `live` */
    int64_t raised_us;     /* Unix; the last sync at which advice asked for more than the need */
    int64_t lent_us;       /* Unix; the last sync that found more live ones, or wanted them */
    struct behavior behavior; /* of `without` */
};

/* What a sync came to. */
struct loan_note {
    int32_t current, planned; /* what runs, and what is to be written, = `current` where nothing is */
    bool raised;              /* advice asks for more than the need */
    bool refused;             /* a person has approved of fewer: what ran before counts no more */
    bool recorded;            /* `need` enters the windows */
    int32_t need;             /* without advice */
    int32_t without;          /* what would be written without it, = the count without it where nothing is */
};

void loan_done(struct loan *l); /* ends it */
size_t loan_memory(const struct loan *l);

/* Before a sync. Gives the count that rules look at: `current` where there is no loan. */
int32_t loan_begin(struct loan *l, const struct core_spec *spec, int64_t now_us, int32_t current);
/* Whether the scale-down window has passed since advice asked for more. */
bool loan_due(const struct loan *l, int64_t now_us, uint32_t down_window_s);
/* After it; `behavior` is that of the live count, which does not know of this sync yet. */
void loan_note(struct loan *l, const struct core_spec *spec, const struct behavior *behavior, int64_t now_us,
               const struct loan_note *note);
/* behavior_hold(), core_applied(), behavior_set_back() and behavior_resume() of the count without advice. After a
 * restart a whole window passes before anything is given back, as for every reduction. */
void loan_hold(struct loan *l, int64_t now_us, int32_t replicas);
void loan_applied(struct loan *l, const struct core_spec *spec, int64_t now_us, int32_t to);
void loan_set_back(struct loan *l, int64_t now_us);
void loan_resume(struct loan *l, const struct core_spec *spec, int64_t now_us, int32_t replicas);

/* What a leader before us said of `replicas` where there is no loan: so many of them run because of advice alone. */
void loan_restore(struct loan *l, int64_t now_us, int32_t replicas, int32_t lent);

void loan_encode(const struct loan *l, struct codec_writer *w);
int loan_decode(struct loan *l, struct codec_reader *r); /* into a fresh one; -1: not ours */

#endif

/* What joins one autoscaler to the advisor: a question when a step says so, its call on the ledger, the answer into the
 * next step, and all of it into status.
 *
 *     step says ask -> advisor_ask() -> cache, or: reserved in the ledger -> told with the next status
 *     the reservation is seen on the object -> the call is made -> the answer waits for the next step
 *     that step's status has the advice and the charge (or the failure and the refund) in one write
 *
 * Nothing of it runs on the way to a decision, and nobody waits: without an answer the step goes on without. After a
 * start, a reservation on the object without its verdict is refunded. Private to controller/reconcile.
 */
#ifndef RECONCILE_ADVICE_FLOW_H
#define RECONCILE_ADVICE_FLOW_H

#include "advisor/advisor.h"
#include "api/status.h"
#include "reconcile/ledger.h"

struct autoscaler;
struct pa_object;
struct core_observation;

/* Frees; a question under way is taken back. */
struct advice_flow *advice_flow_free(struct advice_flow *f);

/* Until we lead: what the leader wrote is where we would go on from. */
void advice_flow_seed(struct autoscaler *a, const struct pa_object *pa);
/* The object came by: a reservation that is on it may be used. */
void advice_flow_seen(struct autoscaler *a, const struct pa_object *pa);

/* Nobody is to be asked or paid for until the spec changes (off, invalid, paused): what is under way is taken back. */
void advice_flow_rest(struct autoscaler *a);

/* Before a step: answers and approvals. `seen->advice` is borrowed until the step is over. */
void advice_flow_observe(struct autoscaler *a, struct core_observation *seen);
/* After it: asks, when the plan says so. */
void advice_flow_ask(struct autoscaler *a);

/* status.advisor, the condition AdvisorAvailable, and the gauge of the advice. What was paid is told in every mode, and
 * of a spec that is invalid too: a status without it would forget it. */
void advice_flow_report(struct autoscaler *a, struct pa_status *s);

#endif

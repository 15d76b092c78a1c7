/* The advisor in the operator: made from the configuration, with keys from Secrets and files that are read again every
 * minute, and with Alertmanager told of failures that persist.
 *
 * Secrets are read one by one, by name, in the operator's own namespace: the Role needs `get` on those names and
 * nothing else. A key that can't be read leaves the one that is in use; its provider then answers 401, which says what
 * to do.
 */
#ifndef RECONCILE_ADVISOR_SERVICE_H
#define RECONCILE_ADVISOR_SERVICE_H

#include "advisor/advisor.h"
#include "kube/client.h"

struct advisor_service;
/* Refuses providers and Alertmanagers that can't be used as configured. `config` outlives the service. */
struct advisor_service *advisor_service_new(struct kube_client *client, const struct operator_config *config,
                                            struct log *log, struct metrics *metrics, struct rng *rng,
                                            struct error *err) MUST_USE;
struct advisor_service *advisor_service_free(struct advisor_service *s);
struct advisor *advisor_service_advisor(struct advisor_service *s); /* borrowed */
/* Keys are read, also by a standby. Alerts are the leader's: a standby calls nobody. */
void advisor_service_start(struct advisor_service *s);

#endif

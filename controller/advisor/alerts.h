/* Alertmanager, API v2: tells administrators of failures that persist, and tells it when they are over.
 *
 * Raised after 5 system-side failures of one provider within 5 min, or nothing but such failures for 10 min, or for
 * anything that an administrator has to mend (quota, authentication, configuration) after 2 min; resolved after 10 min
 * of health. Sent to every configured Alertmanager, not to one of them; again every 60 s with endsAt = now + 4 min, so
 * that it ends by itself when the operator dies; resolved ones are repeated for 15 min. Labels are few and stable
 * (alertname, severity, service, provider, reason); counts and words go to annotations, and nothing of a model's or
 * provider's text anywhere. After a start or a change of leader, what fires is raised anew by its own evidence.
 *
 * Per peer: one exchange at a time, always of the newest state; back-off on 5xx and connection errors; 400 and 410 are
 * an error of configuration, told once ("410: it answers API v1 only"). A failure to alert is a metric and a log line,
 * never an alert. TLS and authentication (bearer, basic) from the configuration; their files are read again when
 * refused.
 */
#ifndef ADVISOR_ALERTS_H
#define ADVISOR_ALERTS_H

#include "advisor/advisor.h"

struct alerts;
/* Dependencies as the advisor's; all outlive it. Refuses an Alertmanager that can't be used as configured. */
struct alerts *alerts_new(const struct advisor_deps *deps, struct error *err) MUST_USE;
struct alerts *alerts_free(struct alerts *a);
/* The health of all providers: after each change and every few seconds. Of the leader only: a standby calls no
 * provider. */
void alerts_watch(struct alerts *a, const struct advisor_health *health, size_t n);
size_t alerts_firing(const struct alerts *a);

#endif

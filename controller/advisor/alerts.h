/* Alertmanager, API v2: tells administrators of failures that persist, and tells it when they are over.
 *
 * Raised after 5 system-side failures of one provider within 5 min, or anything that an administrator has to mend
 * (quota, authentication, configuration) for 2 min; resolved after 10 min without. Sent to every configured
 * Alertmanager, not to one of them; again every 60 s with endsAt = now + 4 min, so that it ends by itself when the
 * operator dies; resolved ones again for 15 min. Labels are few and stable (alertname, severity, service, provider,
 * reason): numbers and words go to annotations, and nothing of a model's or provider's text anywhere. Startup and
 * change of leader: what fires is raised anew by its own evidence.
 *
 * Per peer: queue of one state (the newest is sent, not all), back-off on 5xx and connection errors, 400 and 410 are an
 * error of configuration ("answers API v1 only ...") told once. A failure to alert is a metric and a log line, never an
 * alert. TLS and authentication (basic, bearer) from the configuration.
 */
#ifndef ADVISOR_ALERTS_H
#define ADVISOR_ALERTS_H

#include "api/config.h"
#include "base/http.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/rng.h"

struct advisor_health;
struct alerts;
struct alerts *alerts_new(const struct operator_config *config, struct loop *loop, struct http *http, struct rng *rng,
                          struct log *log, struct metrics *metrics, struct error *err) MUST_USE;
struct alerts *alerts_free(struct alerts *a);
/* Looks at the health of all providers; called every few seconds and after each change. Leader only. */
void alerts_watch(struct alerts *a, const struct advisor_health *health, size_t n);
size_t alerts_firing(const struct alerts *a);

#endif

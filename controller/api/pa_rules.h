/* The C twins of the CEL rules of a PredictiveAutoscaler. The expressions stand beside them in pa_table.c;
 * `self` is the struct that the rule's object decodes into. */
#ifndef API_PA_RULES_H
#define API_PA_RULES_H

#include "base/base.h"

/* struct pa_target_ref */
bool pa_target_has_group(const void *self);
bool pa_target_is_scalable(const void *self);
bool pa_target_unchanged(const void *self, const void *old);

/* struct pa_metric_target */
bool pa_target_utilization_fits(const void *self);
bool pa_target_value_fits(const void *self);

/* struct pa_metric */
bool pa_metric_member_fits(const void *self);
bool pa_metric_container_member_fits(const void *self);
bool pa_metric_memory_not_forecast(const void *self);
bool pa_metric_memory_no_capacity(const void *self);
bool pa_metric_capacity_fits(const void *self);

/* struct pa_schedule */
bool pa_schedule_has_room(const void *self);

/* struct pa_seasonality, struct pa_prediction */
bool pa_seasonality_fits(const void *self);
bool pa_history_fits(const void *self);
void pa_history_say(const void *self, char *out, size_t cap);
bool pa_horizon_fits(const void *self);
void pa_horizon_say(const void *self, char *out, size_t cap);
bool pa_horizon_within_history(const void *self);
void pa_horizon_within_history_say(const void *self, char *out, size_t cap);
bool pa_lead_within_horizon(const void *self);
void pa_lead_within_horizon_say(const void *self, char *out, size_t cap);
bool pa_min_history_fits(const void *self);
void pa_min_history_say(const void *self, char *out, size_t cap);
bool pa_coverage_reachable(const void *self);
void pa_coverage_reachable_say(const void *self, char *out, size_t cap);
bool pa_periods_fit(const void *self);
void pa_periods_say(const void *self, char *out, size_t cap);

/* struct pa_spec */
bool pa_min_below_max(const void *self);
void pa_min_below_max_say(const void *self, char *out, size_t cap);
bool pa_sample_holds_sync(const void *self);
void pa_sample_holds_sync_say(const void *self, char *out, size_t cap);
bool pa_metrics_forecast_few(const void *self);
bool pa_metrics_sources_differ(const void *self);
bool pa_metrics_containers_differ(const void *self);

/* struct pa_advisor */
bool pa_advisor_is_bounded(const void *self);

#endif

/* The table of a PredictiveAutoscaler's prediction: what is learnt from, how far ahead, how sure, and when it
 * is trusted. */
#include "api/pa.h"
#include "api/pa_rules.h"
#include "api/pa_tables.h"

static const char *const season_modes[] = {"Auto", "Fixed", "None", NULL};
static const struct schema_field period_item = {
    .type = SCHEMA_INT32, .min = 20, .max = 604800, .exact = true, .doc = "One period, in seconds."};
static const struct schema_field seasonality_fields[] = {
    {.name = "mode",
     .type = SCHEMA_ENUM,
     .fallback = "\"Auto\"",
     .values = season_modes,
     .doc = "Auto: a day, and within it a shorter period where the history shows one, such as an hour. Fixed: the "
            "periods below. None: level and trend only.",
     AT(pa_seasonality, mode)},
    {.name = "periodsSeconds",
     .type = SCHEMA_LIST,
     .item = &period_item,
     .list = SCHEMA_SET,
     .min = 1,
     .max = PA_MAX_PERIODS,
     .doc = "Lengths of the seasons in seconds, such as 86400; the longest counts, and the longest of at most a "
            "quarter of it. For mode Fixed, and required there. Multiples of sampleIntervalSeconds, from two of it "
            "to half of historySeconds.",
     LIST(pa_seasonality, periods_s)},
};
static const struct schema_rule seasonality_rules[] = {
    {.cel = "(self.mode == 'Fixed') == has(self.periodsSeconds)",
     .message = "is required when mode is Fixed, and only then",
     .path = ".periodsSeconds",
     .holds = pa_seasonality_fits},
};
static const struct schema_object seasonality = SCHEMA_OBJECT_RULED(seasonality_fields, seasonality_rules);

static const struct schema_field gate_fields[] = {
    {.name = "maxErrorPercent",
     .type = SCHEMA_INT32,
     .fallback = "30",
     .min = 1,
     .max = 100,
     .doc = "The largest mean error, in percent of the mean demand, of a forecast that is trusted. May be twice as "
            "much where the last "
            "value errs as much: then it is the load that jumps.",
     AT(pa_quality_gate, max_error_percent)},
    {.name = "minCoveragePercent",
     .type = SCHEMA_INT32,
     .fallback = "85",
     .exact = true,
     .max = 99,
     .doc = "The smallest share of windows, in percent, in which demand stayed below the bound that drives scaling. "
            "At most confidencePercent.",
     AT(pa_quality_gate, min_coverage_percent)},
};
static const struct schema_object gate = SCHEMA_OBJECT_OF(gate_fields);

static const struct schema_field prediction_fields[] = {
    {.name = "historySeconds",
     .type = SCHEMA_INT32,
     .fallback = "604800",
     .exact = true,
     .min = 3600,
     .max = 1209600,
     .doc = "How much history the forecast learns from, in seconds: 12 to 4032 samples.",
     AT(pa_prediction, history_s)},
    {.name = "sampleIntervalSeconds",
     .type = SCHEMA_INT32,
     .fallback = "300",
     .exact = true,
     .min = 10,
     .max = 3600,
     .doc = "Time between two samples of the history, in seconds. Not less than syncPeriodSeconds.",
     AT(pa_prediction, sample_interval_s)},
    {.name = "horizonSeconds",
     .type = SCHEMA_INT32,
     .fallback = "21600",
     .exact = true,
     .min = 10,
     .max = 1036800,
     .doc = "How far ahead status shows the forecast, in seconds: 1 to 288 samples. Scaling uses the part of it that "
            "leadTimeSeconds covers.",
     AT(pa_prediction, horizon_s)},
    {.name = "leadTimeSeconds",
     .type = SCHEMA_INT32,
     .exact = true,
     .min = 1,
     .max = 3600,
     .doc = "How long a new pod takes until it serves, in seconds: replicas are raised that much before the load. "
            "Unset: measured from the pods of the target (120 s until five starts were seen).",
     OPT(pa_prediction, lead_time_s)},
    {.name = "seasonality",
     .type = SCHEMA_OBJECT,
     .object = &seasonality,
     .fallback = "{}",
     .doc = "What repeats in the demand.",
     AT(pa_prediction, seasonality)},
    {.name = "confidencePercent",
     .type = SCHEMA_INT32,
     .fallback = "90",
     .exact = true,
     .min = 50,
     .max = 99,
     .doc = "How sure the forecast must be of its bound, in percent: 90 means that demand passes it once in ten "
            "windows. More gives more pods.",
     AT(pa_prediction, confidence_percent)},
    {.name = "minHistorySeconds",
     .type = SCHEMA_INT32,
     .fallback = "0",
     .exact = true,
     .max = 1209600,
     .doc = "No forecast is trusted before there is that much history, in seconds, however well it does.",
     AT(pa_prediction, min_history_s)},
    {.name = "qualityGate",
     .type = SCHEMA_OBJECT,
     .object = &gate,
     .fallback = "{}",
     .doc = "When a forecast is trusted. It is scored on its last 56 forecasts that came due; 12 good ones in a row "
            "earn trust, 3 bad ones lose it. Untrusted forecasts scale nothing.",
     AT(pa_prediction, quality_gate)},
    {.name = "trustedScaleDownStabilizationSeconds",
     .type = SCHEMA_INT32,
     .max = 3600,
     .doc = "While the forecast is trusted, the window in seconds that scaling down waits for, in place of "
            "behavior.scaleDown.stabilizationWindowSeconds. Opt-in: with a shorter one the count may be lower than a "
            "HorizontalPodAutoscaler's, which is otherwise never so. Unset: the one window always.",
     OPT(pa_prediction, trusted_down_window_s)},
};
static const struct schema_rule prediction_rules[] = {
    {.cel = "self.historySeconds >= 12 * self.sampleIntervalSeconds && self.historySeconds <= 4032 * "
            "self.sampleIntervalSeconds",
     .message = "must be 12 to 4032 samples of sampleIntervalSeconds",
     .expression = "'must be %d to %d: 12 to 4032 samples of sampleIntervalSeconds (%d)'.format([12 * "
                   "self.sampleIntervalSeconds, 4032 * self.sampleIntervalSeconds, self.sampleIntervalSeconds])",
     .path = ".historySeconds",
     .holds = pa_history_fits,
     .say = pa_history_say},
    {.cel = "self.horizonSeconds >= self.sampleIntervalSeconds && self.horizonSeconds <= 288 * "
            "self.sampleIntervalSeconds",
     .message = "must be 1 to 288 samples of sampleIntervalSeconds",
     .expression = "'must be %d to %d: 1 to 288 samples of sampleIntervalSeconds "
                   "(%d)'.format([self.sampleIntervalSeconds, 288 * self.sampleIntervalSeconds, "
                   "self.sampleIntervalSeconds])",
     .path = ".horizonSeconds",
     .holds = pa_horizon_fits,
     .say = pa_horizon_say},
    {.cel = "self.horizonSeconds <= self.historySeconds",
     .message = "must be <= historySeconds",
     .expression = "'must be <= historySeconds (%d)'.format([self.historySeconds])",
     .path = ".horizonSeconds",
     .holds = pa_horizon_within_history,
     .say = pa_horizon_within_history_say},
    {.cel = "!has(self.leadTimeSeconds) || self.leadTimeSeconds <= self.horizonSeconds",
     .message = "must be <= horizonSeconds",
     .expression = "'must be <= horizonSeconds (%d)'.format([self.horizonSeconds])",
     .path = ".leadTimeSeconds",
     .holds = pa_lead_within_horizon,
     .say = pa_lead_within_horizon_say},
    {.cel = "self.minHistorySeconds <= self.historySeconds",
     .message = "must be <= historySeconds",
     .expression = "'must be <= historySeconds (%d)'.format([self.historySeconds])",
     .path = ".minHistorySeconds",
     .holds = pa_min_history_fits,
     .say = pa_min_history_say},
    {.cel = "self.qualityGate.minCoveragePercent <= self.confidencePercent",
     .message = "must be <= confidencePercent: that is what a good forecast covers, so this one would never be "
                "trusted",
     .expression = "'must be <= confidencePercent (%d): that is what a good forecast covers, so this one would never "
                   "be trusted'.format([self.confidencePercent])",
     .path = ".qualityGate.minCoveragePercent",
     .holds = pa_coverage_reachable,
     .say = pa_coverage_reachable_say},
    {.cel = "!has(self.seasonality.periodsSeconds) || self.seasonality.periodsSeconds.all(p, p % "
            "self.sampleIntervalSeconds == 0 && p >= 2 * self.sampleIntervalSeconds && p <= self.historySeconds / 2)",
     .message = "must be multiples of sampleIntervalSeconds, from two of it to half of historySeconds",
     .expression = "'must be multiples of sampleIntervalSeconds (%d), from %d to half of historySeconds "
                   "(%d)'.format([self.sampleIntervalSeconds, 2 * self.sampleIntervalSeconds, self.historySeconds / "
                   "2])",
     .path = ".seasonality.periodsSeconds",
     .holds = pa_periods_fit,
     .say = pa_periods_say},
};
const struct schema_object pa_prediction_schema = SCHEMA_OBJECT_RULED(prediction_fields, prediction_rules);

/* The table of a PredictiveAutoscaler's anomaly detection: what an odd demand does to scaling. */
#include "api/pa.h"
#include "api/pa_tables.h"

static const char *const modes[] = {"Off", "ExcludeSamples", "HoldScaleDown", "ReactiveOnly", NULL};
static const char *const sensitivities[] = {"Low", "Medium", "High", NULL};
static const struct schema_field anomaly_fields[] = {
    {.name = "mode",
     .type = SCHEMA_ENUM,
     .fallback = "\"ExcludeSamples\"",
     .values = modes,
     .doc =
         "What an anomaly does, while it lasts. ExcludeSamples: the forecast does not learn from its samples, at most "
         "12 of them; what goes on after that is the new normal. HoldScaleDown: that, and replicas are not lowered, "
         "for at most 30 minutes. ReactiveOnly: that, and for at most 30 minutes the forecast does not raise "
         "replicas. \"Off\" (with quotes: YAML takes the bare word for a boolean): nothing is looked for.",
     AT(pa_anomaly, mode)},
    {.name = "sensitivity",
     .type = SCHEMA_ENUM,
     .fallback = "\"Medium\"",
     .values = sensitivities,
     .doc =
         "How odd a sample must be. Low: odder than all that is remembered, some weeks. Medium: than all but three or "
         "four times. High: than all but seven to twelve.",
     AT(pa_anomaly, sensitivity)},
};
const struct schema_object pa_anomaly_schema = SCHEMA_OBJECT_OF(anomaly_fields);

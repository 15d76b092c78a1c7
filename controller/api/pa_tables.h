/* The parts of a PredictiveAutoscaler's spec that have a table of their own. Private to controller/api. */
#ifndef API_PA_TABLES_H
#define API_PA_TABLES_H

#include "api/schema.h"

extern const struct schema_object pa_metric_schema;         /* struct pa_metric */
extern const struct schema_object pa_behavior_schema;       /* struct pa_behavior */
extern const struct schema_object pa_prediction_schema;     /* struct pa_prediction */
extern const struct schema_object pa_anomaly_schema;        /* struct pa_anomaly */
extern const struct schema_object pa_schedule_schema;       /* struct pa_schedule */
extern const struct schema_object pa_fallback_schema;       /* struct pa_fallback */
extern const struct schema_object pa_advisor_schema;        /* struct pa_advisor */
extern const struct schema_object pa_advisor_status_schema; /* struct pa_advisor_status */

#endif

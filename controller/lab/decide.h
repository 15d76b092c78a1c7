/* The whole pipeline on lines of text: one observation in, one answer out, as if each answer were applied.
 *
 * In, one JSON object per line:
 *     {"time":"2024-05-01T00:00:00Z","replicas":4,"readyReplicas":4,"metrics":{"cpu":1.25},
 *      "error":["queue"],"podRequest":{"cpu":0.5},"warmup":false}
 *   time           RFC 3339, strictly increasing
 *   replicas       spec and status of the target; authoritative, whatever the last answer was. Those that are not among
 *                  readyReplicas are unready
 *   metrics        by the name in the spec: the total over all pods, in cores, bytes or plain numbers. null or absent
 * is no data error          names of metrics whose query failed podRequest     what a pod requests of cpu and memory,
 * kept until a line says otherwise warmup         true: feeds the history and the trust, decides nothing and is not
 * answered. The counts may be left out Out:
 *     {"replicas":5,"proposals":{"reactive":4,"predicted":5,"scheduled":null,"advisor":null},"reason":"...","limits":[...]}
 * A line that is not understood is answered {"error":"line 7: ..."} and changes nothing.
 *
 * Off are the advisor, the detection of other writers and the shrink budget, which are no part of one object's
 * decision. The start-up of pods is not measured: it is prediction.leadTimeSeconds, else 120 s. A pod that has a
 * capacityPerPod has that as its limit: usage at it is a lower bound of the demand.
 */
#ifndef LAB_DECIDE_H
#define LAB_DECIDE_H

#include "api/pa.h"
#include "base/buf.h"
#include "core/spec.h"

#define DECIDE_LINE_BYTES   65536u
#define DECIDE_MAX_REPLICAS 200000
#define DECIDE_METRIC_AGE_S 45 /* of a sample, in the mean over what it covers; part of the lead */

/* What a pod requests, in thousandths; < 0: not known. */
struct pod_request {
    int64_t milli[2]; /* by enum pa_resource_name */
};
#define POD_REQUEST_NONE ((struct pod_request){{-1, -1}})

struct decide;

/* `spec` is what the core makes of `pa`; copied. Gives. */
struct decide *decide_new(const struct pa *pa, const struct core_spec *spec, const struct pod_request *request);
struct decide *decide_free(struct decide *d);

/* Takes one line (without its end, `number` counts from 1) and appends the answer with its end, if there is one. 0, or
 * -1 with ERROR_CONFIG when the spec can't be computed with what is given: a Utilization target without a request. */
int decide_line(struct decide *d, uint64_t number, const char *line, size_t len, struct buf *out, struct error *err);
/* The answer to a line that is too long to be looked at. */
void decide_refuse_long(uint64_t number, struct buf *out);

#endif

/* The outcome of a simulation: a table, JSON or a plot.
 *
 * JSON, one line:
 *     {"trace":"web","from":"RFC
 * 3339","to":"...","warmupSeconds":604800,"podCapacity":3.5,"startupSeconds":[60,120],"seed":1,
 *      "unsaturated":false,"metric":"cpu","oracle":{"podHours":9000.5},
 *      "ai4k8s":{"targetPercent":70,"underProvisionedMinutes":4,"unservedPercent":0.01,"podHours":11000,"oracleRatio":1.22,
 *                "scaleActions":900,"utilizationPercent":60,"trustedPercent":99},
 *      "hpa":{...the same without trustedPercent...},"frontier":[{...}, 12 of them],
 *      "hpaAtSameCost":{"targetPercent":66.3,"underProvisionedMinutes":200,"unservedPercent":0.2,"outside":0}}
 * The last three are there when the HPA was compared. "outside" is 1 where our pod-hours are more than those of the HPA
 * at 40 %, -1 where they are fewer than at 95 %: then the figures are those of that end.
 */
#ifndef LAB_SIMULATION_VIEW_H
#define LAB_SIMULATION_VIEW_H

#include "base/buf.h"
#include "lab/simulation.h"

struct simulation_view {
    const struct simulation *simulation;
    const char *file;
    const char *metric; /* its name */
    uint32_t confidence_percent;
    bool forecast; /* the metric is forecast */
};

void simulation_view_table(const struct simulation_view *v, struct buf *out);
void simulation_view_json(const struct simulation_view *v, struct buf *out);
/* The 24 hours in which the HPA (without a comparison: we) left most unserved; the ticks were kept. */
void simulation_view_svg(const struct simulation_view *v, struct buf *out);

#endif

/* PredictiveAutoscalerCheckpoint: where the history of an autoscaler survives a restart. Data only: no
 * status, nothing that a person edits. Up to three objects belong to one autoscaler:
 *
 *     <name>-history   part History   the closed segments of its series, rewritten when one closes
 *     <name>-tail      part Tail      everything else of the core's state, every ten minutes
 *     <name>-backfill  part Backfill  a series to start with, made by `kubectl ai4k8s backfill`; the operator
 * takes it in and deletes it
 *
 * Tail and History hold what core/step.h encodes (versioned and checksummed there). Backfill holds samples.
 */
#ifndef API_PA_CHECKPOINT_H
#define API_PA_CHECKPOINT_H

#include "api/decode.h"
#include "api/names.h"
#include "api/schema.h"
#include "kube/resource.h"

#define PA_CHECKPOINT_KIND "PredictiveAutoscalerCheckpoint"
/* Labels by which objects are listed without reading all of them: the part, and "true" on what has an
 * expireTime. */
#define PA_CHECKPOINT_LABEL_PART    "ai4k8s.io/part"
#define PA_CHECKPOINT_LABEL_EXPIRES "ai4k8s.io/expires"
#define PA_CHECKPOINT_MAX_DATA      98304 /* bytes; 131072 characters of base64 */
#define PA_BACKFILL_MAX_SAMPLES     4032

extern const struct resource resource_checkpoints;
extern const struct schema_resource pa_checkpoint_resource;

enum pa_checkpoint_part { PA_PART_TAIL, PA_PART_HISTORY, PA_PART_BACKFILL };

struct pa_checkpoint {
    struct pa_checkpoint_autoscaler {
        char name[254];
        char uid[64]; /* "": a Backfill for whichever has the name */
    } autoscaler;
    bool has_target; /* not for Backfill */
    struct pa_checkpoint_target {
        char kind[64];
        char name[254];
        char uid[64];
    } target;
    enum pa_checkpoint_part part;
    int64_t time_us;   /* when it was written */
    int64_t expire_us; /* 0: never; else it may be deleted after that */
    bool has_backfill;
    struct pa_backfill {
        char metric[64];
        int64_t start_us; /* of the first sample; a multiple of the interval */
        int32_t interval_s;
    } backfill;
    struct buf data;
};
void pa_checkpoint_done(struct pa_checkpoint *c);

/* The object's name: "<autoscaler>-tail", shortened with a hash of the whole where it would be longer than
 * 253. */
#define PA_CHECKPOINT_NAME_CAP API_NAME_CAP
void pa_checkpoint_name(char out[PA_CHECKPOINT_NAME_CAP], const char *autoscaler, enum pa_checkpoint_part part);

/* From the object as the API server gives it. 0, or -1 with err; `ret` is to be released only after success.
 */
int pa_checkpoint_decode(const json_t *object, struct pa_checkpoint *ret, struct error *err);

/* Appends the whole object, as the body of a create or a server-side apply. `owner` is who takes it along
 * when deleted; NULL: nobody. */
struct pa_checkpoint_owner {
    const char *api_version, *kind, *name, *uid;
};
void pa_checkpoint_body(const struct pa_checkpoint *c, const char *namespace_, const struct pa_checkpoint_owner *owner,
                        struct buf *out);

/* ---- samples of a Backfill ---- */

/* float32, little-endian, NaN is no data. Replaces the data; at most PA_BACKFILL_MAX_SAMPLES (asserted). */
void pa_backfill_put(struct pa_checkpoint *c, const float *samples, size_t n);
/* Gives the number of samples, or -1 with err: not whole numbers of samples, too many, infinite or negative
 * ones. */
int pa_backfill_get(const struct pa_checkpoint *c, float samples[PA_BACKFILL_MAX_SAMPLES], struct error *err);

#endif

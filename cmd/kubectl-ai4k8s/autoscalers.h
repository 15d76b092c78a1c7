/* PredictiveAutoscalers as the API server has them, decoded for showing. */
#ifndef PLUGIN_AUTOSCALERS_H
#define PLUGIN_AUTOSCALERS_H

#include "api/pa.h"
#include "api/status.h"
#include "cluster.h"

struct shown {
    struct pa pa;
    struct pa_status status;
    struct object_meta meta;
    char *raw_status; /* JSON; NULL: none yet */
    bool readable;    /* its spec is what this version knows; else `pa` is zeroed */
    bool has_status;
};

struct shown_list {
    struct shown *items;
    size_t n;
};

/* The one of this name; NULL: all of the namespace, or with `everywhere` of all namespaces. `ret` is to be released in
 * any case. */
int autoscalers_read(struct cluster *c, const char *name, bool everywhere, struct shown_list *ret, struct error *err);
void autoscalers_done(struct shown_list *list);

/* "Deployment/web"; "-" when it is not known. */
void autoscaler_target(const struct shown *s, struct buf *out);
/* What it will do next, in a few words: "scale up to 6", "hold; 9 at 18:00" ... */
void autoscaler_next(const struct shown *s, struct buf *out);
/* Why, as the operator said it last. */
const char *autoscaler_why(const struct shown *s);

#endif

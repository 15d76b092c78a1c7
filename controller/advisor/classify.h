/* What a failed call means, who has to act and whether it is paid for. One table, first match wins.
 *
 *   class           whose         charged  next provider  breaker
 *   Transient       provider      no       yes            counts
 *   Throttled       provider      no       yes            counts; waits Retry-After
 *   Quota           administrator no       yes            open for an hour, or until its reset
 *   Authentication  administrator no       yes            open until the key changes
 *   Configuration   administrator no       yes            open for an hour, then one probe; a context that is too
 *                                                         small for our prompt is this: no object makes it longer
 *   InvalidRequest  the input     yes      no             -      (the object's parameter is named)
 *   InvalidAnswer   model         no       yes            5 in a row degrade the provider
 *   Refused         model         no       yes            -
 *   Cancelled       nobody        no       no             -
 *
 * Evidence: the outcome of the exchange, HTTP status, and type, code, details of the error body, which may be an object
 * or a string, its code a string, an integer or null, or no JSON at all (a proxy's page). The provider's text is used
 * to match and never shown: it may echo parts of a key.
 */
#ifndef ADVISOR_CLASSIFY_H
#define ADVISOR_CLASSIFY_H

#include "api/config.h"
#include "base/http.h"

enum advisor_class {
    ADVISOR_OK,
    ADVISOR_TRANSIENT,
    ADVISOR_THROTTLED,
    ADVISOR_QUOTA,
    ADVISOR_AUTHENTICATION,
    ADVISOR_CONFIGURATION,
    ADVISOR_INVALID_REQUEST,
    ADVISOR_INVALID_ANSWER,
    ADVISOR_REFUSED,
    ADVISOR_CANCELLED,
    ADVISOR_N_CLASSES
};
const char *advisor_class_name(enum advisor_class class); /* "Transient" ...: condition reasons, metric labels */
/* One sentence for the object: what happened and what to do; `retry_s` 0: it tries again by itself with
 * the next question; < 0: it won't. */
void advisor_class_sentence(enum advisor_class class, const char *provider, int64_t retry_s, char *out, size_t cap);
bool advisor_class_charged(enum advisor_class class); /* InvalidRequest alone, besides OK */
bool advisor_class_system(enum advisor_class class);  /* Alertmanager hears of it when it persists */

struct verdict {
    enum advisor_class class;
    bool retry;             /* the same provider, after `retry_after_ms` or the back-off */
    bool loading;           /* a local server that loads its model: the breaker does not count it */
    bool without_schema;    /* the model knows no structured output: once more in plain JSON, and remember it */
    bool too_long;          /* the prompt is: shrink once */
    bool cut;               /* the answer was, at its cap of tokens: once more with a larger one */
    bool impatient;         /* the question's time was up before the provider's was: nothing is held against it */
    int64_t retry_after_ms; /* -1: not said */
    const char *evidence;   /* static text: what it was recognised by ("HTTP 429 insufficient_quota") */
};
/* Of an exchange that ended; `err` as http's done gives it. ADVISOR_OK: 2xx with a body that is no error. */
struct verdict advisor_classify(enum advisor_flavor flavor, const struct http_result *result, const struct error *err);

#endif

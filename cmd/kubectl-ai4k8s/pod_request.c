/* Reading what a pod requests; see pod_request.h. */
#include "pod_request.h"

#include "base/alloc.h"
#include "base/str.h"

#include <string.h>

static bool take_one(const char *text, struct pod_request *request)
{
    static const char *const names[] = {[PA_CPU] = "cpu=", [PA_MEMORY] = "memory="};
    struct quantity amount;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (!str_starts(text, names[i]))
            continue;
        if (!quantity_parse(text + strlen(names[i]), &amount) || amount.nano <= 0 || amount.saturated)
            return false;
        request->milli[i] = quantity_milli(amount);
        return true;
    }
    return false;
}

void pod_request_take(struct argp_state *state, const char *text, struct pod_request *request)
{
    _cleanup_(freep) char *copy = xstrdup(text);
    char *rest = copy;
    bool good = true;
    while (good && rest) {
        char *comma = strchr(rest, ',');
        if (comma)
            *comma = '\0';
        good = take_one(rest, request);
        rest = comma ? comma + 1 : NULL;
    }
    if (!good)
        argp_error(state, "--pod-request takes RESOURCE=QUANTITY such as cpu=500m or memory=1Gi, not \"%s\"", text);
}

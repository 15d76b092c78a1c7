/* What a pod requests, as an option of the offline commands: "cpu=500m,memory=1Gi". */
#ifndef PLUGIN_POD_REQUEST_H
#define PLUGIN_POD_REQUEST_H

#include "lab/decide.h"

#include <argp.h>

/* Anything else is wrong usage, which ends the process. */
void pod_request_take(struct argp_state *state, const char *text, struct pod_request *request);

#endif

/* What the client tells about its requests: rest_client_* metrics with client-go's names, labels and buckets,
 * and the warnings that the API server sends along. Used by client.c alone. */
#ifndef KUBE_CLIENT_REPORT_H
#define KUBE_CLIENT_REPORT_H

#include "base/http.h"
#include "base/log.h"
#include "base/map.h"
#include "base/metrics.h"

struct client_report {
    struct log *log;
    struct metrics_family *requests, *duration, *retries, *rate_limiter, *request_size, *response_size; /* or NULL */
    char *host;
    struct map warnings; /* texts that were logged already */
};

/* `url`: of the origin, for the label "host". `log` and `metrics` may be NULL. */
void client_report_init(struct client_report *r, const char *url, struct log *log, struct metrics *metrics);
void client_report_done(struct client_report *r);

struct client_attempt {
    const char *method;
    int code; /* 0: no answer, "<error>" */
    int64_t duration_us;
    size_t sent_bytes, received_bytes;
    bool retry; /* not the first of its request */
    bool watch; /* no latency, no sizes */
};
void client_report_attempt(struct client_report *r, const struct client_attempt *attempt);
void client_report_throttled(struct client_report *r, const char *method, int64_t waited_us);

/* Logs the Warning headers (code 299) of an answer, each text once. */
void client_report_warnings(struct client_report *r, const struct http_result *head);
/* The text of one Warning header value: 299 - "text". False for other codes and other forms. */
bool client_warning_parse(const char *value, char *out, size_t cap);

#endif

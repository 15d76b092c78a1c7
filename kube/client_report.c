/* Metrics and warnings of the client. Labels have few values: methods, status codes and one host; no paths,
 * which would make a series per object. */
#include "kube/client_report.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WARNINGS 256

static const double size_buckets[] = {64, 256, 512, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216};

static struct metrics_family *histogram(struct metrics *m, const char *name, const char *help, const double *buckets,
                                        size_t n)
{
    return metrics_family(m, METRICS_HISTOGRAM, name, help, "verb,host", buckets, n);
}

void client_report_init(struct client_report *r, const char *url, struct log *log, struct metrics *metrics)
{
    *r = (struct client_report){.log = log};
    map_init(&r->warnings, NULL);
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    r->host = xstrndup(host, strcspn(host, "/"));
    if (!metrics)
        return;
    r->requests = metrics_family(metrics, METRICS_COUNTER, "rest_client_requests_total",
                                 "Number of HTTP requests, partitioned by status code, method, and host.",
                                 "code,method,host", NULL, 0);
    r->retries = metrics_family(metrics, METRICS_COUNTER, "rest_client_request_retries_total",
                                "Number of request retries, partitioned by status code, verb, and host.",
                                "code,verb,host", NULL, 0);
    r->duration = histogram(metrics, "rest_client_request_duration_seconds",
                            "Request latency in seconds. Broken down by verb, and host.", metrics_buckets_request,
                            ARRAY_SIZE(metrics_buckets_request));
    r->rate_limiter = histogram(metrics, "rest_client_rate_limiter_duration_seconds",
                                "Client side rate limiter latency in seconds. Broken down by verb, and host.",
                                metrics_buckets_request, ARRAY_SIZE(metrics_buckets_request));
    r->request_size =
        histogram(metrics, "rest_client_request_size_bytes", "Request size in bytes. Broken down by verb and host.",
                  size_buckets, ARRAY_SIZE(size_buckets));
    r->response_size =
        histogram(metrics, "rest_client_response_size_bytes", "Response size in bytes. Broken down by verb and host.",
                  size_buckets, ARRAY_SIZE(size_buckets));
}

void client_report_done(struct client_report *r)
{
    map_done(&r->warnings);
    free(r->host);
}

void client_report_attempt(struct client_report *r, const struct client_attempt *attempt)
{
    if (!r->requests)
        return;
    char code[16] = "<error>";
    if (attempt->code > 0)
        (void)snprintf(code, sizeof(code), "%d", attempt->code);
    const char *method = attempt->method, *host = r->host;
    metrics_add(metrics_get(r->requests, code, method, host, NULL), 1);
    if (attempt->retry)
        metrics_add(metrics_get(r->retries, code, method, host, NULL), 1);
    if (attempt->watch)
        return;
    metrics_observe(metrics_get(r->duration, method, host, NULL), (double)attempt->duration_us / USEC_PER_SEC);
    metrics_observe(metrics_get(r->request_size, method, host, NULL), (double)attempt->sent_bytes);
    if (attempt->code > 0)
        metrics_observe(metrics_get(r->response_size, method, host, NULL), (double)attempt->received_bytes);
}

void client_report_throttled(struct client_report *r, const char *method, int64_t waited_us)
{
    if (r->rate_limiter)
        metrics_observe(metrics_get(r->rate_limiter, method, r->host, NULL), (double)waited_us / USEC_PER_SEC);
    if (waited_us > USEC_PER_SEC)
        log_info(r->log, "a request waits for our own limit of requests per second", LOG_S("method", method),
                 LOG_D("seconds", (double)waited_us / USEC_PER_SEC));
}

/* ---- warnings ---- */

bool client_warning_parse(const char *value, char *out, size_t cap)
{
    if (strncmp(value, "299 ", 4) != 0)
        return false;
    const char *at = value + 4, *space = strchr(at, ' '); /* the agent: "-", or a host */
    if (!space || space[1] != '"')
        return false;
    size_t n = 0;
    for (at = space + 2; *at != '"'; at++) {
        if (*at == '\\')
            at++;
        if (!*at)
            return false;
        if (n + 1 < cap)
            out[n++] = *at;
    }
    out[n] = '\0';
    return n > 0;
}

void client_report_warnings(struct client_report *r, const struct http_result *head)
{
    const char *value;
    for (size_t i = 0; i < 16 && (value = http_result_header(head, "Warning", i)); i++) {
        char text[1024];
        if (!client_warning_parse(value, text, sizeof(text)) || map_get(&r->warnings, text))
            continue;
        if (r->warnings.count >= MAX_WARNINGS)
            map_clear(&r->warnings); /* better said twice than a set that a server makes grow */
        map_set(&r->warnings, text, r);
        log_warn(r->log, "the API server warns", LOG_S("warning", text));
    }
}

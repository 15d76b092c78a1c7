/* query_range; see prometheus.h. Prometheus refuses more than 11,000 points in one answer. */
#include "prometheus.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"
#include "kube/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_POINTS INT64_C(10000)
#define MAX_ANSWER   ((size_t)4 << 20)
#define MAX_TOKEN    ((size_t)64 << 10)

struct slots {
    const struct prometheus_range *range;
    double *sum;
    uint32_t *count;
};

static int take_point(struct slots *s, const json_t *point, struct error *err)
{
    const char *text = json_string_value(json_array_get(point, 1));
    const json_t *time = json_array_get(point, 0);
    double value;
    if (!text || !json_is_number(time))
        return error_set(err, ERROR_PARSE, "a point of the answer is not [time, \"value\"]");
    if (streq(text, "NaN"))
        return 0;
    if (!str_to_double(text, &value))
        return error_set(err, ERROR_PARSE,
                         "the query gives \"%.40s\", which is no finite number; check it for a division by zero", text);
    double slot = floor((json_number_value(time) - (double)s->range->step_s - (double)s->range->start_s) /
                        (double)s->range->interval_s);
    if (slot >= 0 && slot < (double)s->range->n) {
        s->sum[(uint32_t)slot] += value;
        s->count[(uint32_t)slot]++;
    }
    return 0;
}

static int take_answer(struct slots *s, const struct buf *body, struct error *err)
{
    _json_cleanup_ json_t *root = json_parse(buf_str(body), body->len, err);
    if (!root)
        return error_wrap(err, "the answer");
    const json_t *result = json_at(root, "data.result"), *point;
    const char *type = json_str(root, "data.resultType");
    if (!type || !streq(type, "matrix") || !json_is_array(result))
        return error_set(err, ERROR_PARSE, "the answer is not that of Prometheus' query_range");
    if (json_array_size(result) > 1)
        return error_set(err, ERROR_CONFIG, "the query gives %zu series; make one of them, for example with sum(...)",
                         json_array_size(result));
    const json_t *values = json_object_get(json_array_get(result, 0), "values");
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)values, i, point) if (take_point(s, point, err) < 0) return -1;
    return 0;
}

/* What Prometheus says of a query that it does not take. */
static int refused(int code, const struct buf *body, struct error *err)
{
    _json_cleanup_ json_t *root = json_parse(buf_str(body), body->len, NULL);
    const char *why = root ? json_str(root, "error") : NULL;
    struct buf clean = BUF_INIT(512);
    (void)str_sanitize(&clean, why ? why : "no reason given", __builtin_strlen(why ? why : "no reason given"), 200);
    (void)error_set(err, ERROR_HTTP, "it answers %d: %s", code, buf_str(&clean));
    buf_done(&clean);
    return -1;
}

static int fetch_chunk(struct cluster *c, struct http_origin *origin, struct slots *s, int64_t from_s, int64_t to_s,
                       struct error *err)
{
    struct buf path = BUF_INIT(65536), body = BUF_INIT(MAX_ANSWER);
    int code = 0;
    (void)buf_puts(&path, "/api/v1/query_range?query=");
    str_url_escape(&path, s->range->query);
    (void)buf_printf(&path, "&start=%lld&end=%lld&step=%lld", (long long)from_s, (long long)to_s,
                     (long long)s->range->step_s);
    int result = path.failed ? error_set(err, ERROR_LIMIT, "the query is too long")
                             : cluster_fetch(c, origin, buf_str(&path), MAX_ANSWER, &body, &code, err);
    if (result == 0)
        result = code == 200 ? take_answer(s, &body, err) : refused(code, &body, err);
    buf_done(&path);
    buf_done(&body);
    return result;
}

static int fetch_all(struct cluster *c, struct http_origin *origin, struct slots *s, struct error *err)
{
    const struct prometheus_range *r = s->range;
    int64_t end_s = r->start_s + (int64_t)r->n * r->interval_s;
    for (int64_t from = r->start_s + r->step_s; from <= end_s; from += CHUNK_POINTS * r->step_s)
        if (fetch_chunk(c, origin, s, from, MIN(end_s, from + (CHUNK_POINTS - 1) * r->step_s), err) < 0)
            return -1;
    return 0;
}

/* A file as mounted from a Secret, or written by an editor: the line's end is none of the token. */
static int set_token(struct http_origin *origin, const char *file, struct error *err)
{
    _secret_cleanup_ char *token = NULL;
    size_t len = 0;
    if (!file)
        return 0;
    if (file_read(file, MAX_TOKEN, &token, &len, err) < 0)
        return error_wrap(err, "--token-file");
    while (len > 0 && strchr(" \t\r\n", token[len - 1]))
        token[--len] = '\0';
    if (len == 0 || strlen(token) != len)
        return error_set(err, ERROR_CONFIG, "--token-file %s: %s", file,
                         len == 0 ? "it is empty" : "it is no text, so no token");
    return http_origin_set_bearer(origin, token, err) < 0 ? error_wrap(err, "--token-file %s", file) : 0;
}

int prometheus_fetch(struct cluster *c, const struct prometheus_range *range, double *values, struct error *err)
{
    struct http_origin *origin = http_origin_new(&(struct http_origin_config){.url = range->url}, err);
    if (!origin)
        return error_wrap(err, "--prometheus");
    if (set_token(origin, range->token_file, err) < 0) {
        http_origin_unref(origin);
        return -1;
    }
    uint32_t *count = xcalloc(range->n, sizeof *count);
    struct slots slots = {.range = range, .sum = values, .count = count};
    for (uint32_t i = 0; i < range->n; i++)
        values[i] = 0;
    int result = fetch_all(c, origin, &slots, err), filled = 0;
    for (uint32_t i = 0; i < range->n; i++) {
        filled += count[i] > 0;
        values[i] = count[i] ? values[i] / count[i] : (double)NAN;
    }
    if (result < 0)
        (void)error_wrap(err, "Prometheus at %s", http_origin_url(origin));
    http_origin_unref(origin);
    free(count);
    return result < 0 ? -1 : filled;
}

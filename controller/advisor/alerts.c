/* What fires, and telling every Alertmanager; see alerts.h. */
#include "advisor/alerts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/file.h"
#include "base/rfc3339.h"
#include "base/str.h"
#include "kube/json.h"

#define FAILURES_TO_RAISE 5
#define LASTING_US        (120 * USEC_PER_SEC)
#define NOTHING_ELSE_US   (600 * USEC_PER_SEC)
#define HEALTHY_US        (600 * USEC_PER_SEC)
#define REPEAT_US         (60 * USEC_PER_SEC)
#define ENDS_AFTER_US     (240 * USEC_PER_SEC)
#define REPEAT_RESOLVED   (900 * USEC_PER_SEC)
#define SEND_TIMEOUT_US   (10 * USEC_PER_SEC)
#define MAX_SECRET        4096
#define MAX_BODY          (64 * 1024)
#define MAX_ALERTS        (2 * CONFIG_MAX_PROVIDERS) /* one firing and one just resolved per provider */

struct alert {
    char provider[64];
    enum advisor_class class;   /* ADVISOR_OK: this place is free */
    int64_t starts_us, ends_us; /* Unix, as they are told; ends_us 0: it fires */
    int64_t ended_us;           /* CLOCK_BOOTTIME */
    uint32_t failures;
};

struct peer {
    struct alerts *a;
    const struct alertmanager_config *config;
    struct http_origin *origin;
    struct loop_timer timer;
    struct backoff backoff;
    int64_t exchange;
    bool again;      /* the state changed while it was being sent */
    int last_status; /* that was told in the log; 0: all is well */
};

struct alerts {
    struct advisor_deps deps;
    struct log *log;
    struct alert alerts[MAX_ALERTS];
    struct peer peers[CONFIG_MAX_ALERTMANAGERS];
    size_t n_peers;
    struct metrics_family *sent;
    struct metrics_series *firing;
};

/* ---- what fires ---- */

static bool needs_an_administrator(enum advisor_class class)
{
    return class == ADVISOR_QUOTA || class == ADVISOR_AUTHENTICATION || class == ADVISOR_CONFIGURATION;
}

static bool is_raised(const struct advisor_health *h, int64_t now_us)
{
    if (h->class == ADVISOR_OK)
        return false;
    /* A breaker that is open keeps failures few, however long they last. */
    return h->failures >= FAILURES_TO_RAISE || h->lasted_us >= NOTHING_ELSE_US ||
           (needs_an_administrator(h->class) && now_us - h->since_us >= LASTING_US);
}

static struct alert *find_firing(struct alerts *a, const char *provider)
{
    for (size_t i = 0; i < MAX_ALERTS; i++)
        if (a->alerts[i].class != ADVISOR_OK && a->alerts[i].ends_us == 0 && streq(a->alerts[i].provider, provider))
            return &a->alerts[i];
    return NULL;
}

/* A free place, or that of the alert that was resolved first. */
static struct alert *take_place(struct alerts *a)
{
    struct alert *oldest = NULL;
    for (size_t i = 0; i < MAX_ALERTS; i++) {
        struct alert *at = &a->alerts[i];
        if (at->class == ADVISOR_OK)
            return at;
        if (at->ends_us != 0 && (!oldest || at->ended_us < oldest->ended_us))
            oldest = at;
    }
    return oldest;
}

static bool resolve(struct alerts *a, struct alert *alert)
{
    alert->ends_us = loop_real_us(a->deps.loop);
    alert->ended_us = loop_now_us(a->deps.loop);
    log_info(a->log, "alert resolved", LOG_S("provider", alert->provider),
             LOG_S("reason", advisor_class_name(alert->class)));
    return true;
}

static bool raise_alert(struct alerts *a, const struct advisor_health *h)
{
    struct alert *alert = take_place(a);
    if (!alert)
        return false;
    *alert = (struct alert){.class = h->class, .starts_us = loop_real_us(a->deps.loop), .failures = h->failures};
    (void)str_copy(alert->provider, sizeof alert->provider, h->provider);
    log_warn(a->log, "alert raised", LOG_S("provider", h->provider), LOG_S("reason", advisor_class_name(h->class)));
    return true;
}

static bool watch_one(struct alerts *a, const struct advisor_health *h, int64_t now_us)
{
    struct alert *firing = find_firing(a, h->provider);
    bool changed = false;
    if (firing && h->class == ADVISOR_OK && now_us - h->since_us >= HEALTHY_US)
        return resolve(a, firing);
    if (!is_raised(h, now_us))
        return false;
    if (firing && firing->class != h->class) { /* another label set is another alert */
        changed = resolve(a, firing);
        firing = NULL;
    }
    if (!firing)
        return raise_alert(a, h);
    firing->failures = h->failures;
    return changed;
}

static void send_to(struct peer *p);

void alerts_watch(struct alerts *a, const struct advisor_health *health, size_t n)
{
    int64_t now_us = loop_now_us(a->deps.loop);
    bool changed = false;
    for (size_t i = 0; i < n; i++)
        changed |= watch_one(a, &health[i], now_us);
    for (size_t i = 0; i < MAX_ALERTS; i++)
        if (a->alerts[i].ends_us != 0 && now_us - a->alerts[i].ended_us > REPEAT_RESOLVED)
            a->alerts[i] = (struct alert){.class = ADVISOR_OK};
    metrics_set(a->firing, (double)alerts_firing(a));
    for (size_t i = 0; changed && i < a->n_peers; i++) {
        a->peers[i].again = a->peers[i].exchange > 0;
        if (a->peers[i].exchange == 0)
            send_to(&a->peers[i]);
    }
}

size_t alerts_firing(const struct alerts *a)
{
    size_t n = 0;
    for (size_t i = 0; i < MAX_ALERTS; i++)
        n += a->alerts[i].class != ADVISOR_OK && a->alerts[i].ends_us == 0;
    return n;
}

/* ---- telling ---- */

static void emit_time(struct json_emit *j, const char *key, int64_t us)
{
    char text[RFC3339_CAP];
    rfc3339_format(text, us);
    json_emit_str(j, key, text);
}

static void emit_alert(struct json_emit *j, const struct alert *alert, int64_t now_us)
{
    char summary[160], description[512], sentence[400];
    (void)snprintf(summary, sizeof summary, "LLM provider %s fails: %s", alert->provider,
                   advisor_class_name(alert->class));
    advisor_class_sentence(alert->class, alert->provider, -1, sentence, sizeof sentence);
    (void)snprintf(description, sizeof description, "%s %u failures in the last 5 minutes.", sentence, alert->failures);
    json_open(j, NULL, '{');
    json_open(j, "labels", '{');
    json_emit_str(j, "alertname", "AI4K8sAdvisorProviderFailing");
    json_emit_str(j, "severity", "warning");
    json_emit_str(j, "service", "ai4k8s-operator");
    json_emit_str(j, "provider", alert->provider);
    json_emit_str(j, "reason", advisor_class_name(alert->class));
    json_close(j, '}');
    json_open(j, "annotations", '{');
    json_emit_str(j, "summary", summary);
    json_emit_str(j, "description", description);
    json_close(j, '}');
    emit_time(j, "startsAt", alert->starts_us);
    /* An end before its start is refused: the calendar may have been set back in between. */
    emit_time(j, "endsAt", MAX(alert->ends_us != 0 ? alert->ends_us : now_us + ENDS_AFTER_US, alert->starts_us));
    json_close(j, '}');
}

static bool write_alerts(const struct alerts *a, struct buf *out)
{
    bool any = false;
    struct json_emit j = json_emit(out);
    json_open(&j, NULL, '[');
    for (size_t i = 0; i < MAX_ALERTS; i++) {
        if (a->alerts[i].class == ADVISOR_OK)
            continue;
        emit_alert(&j, &a->alerts[i], loop_real_us(a->deps.loop));
        any = true;
    }
    json_close(&j, ']');
    return any;
}

static void tell_problem(struct peer *p, int status, const char *why)
{
    if (p->last_status != status)
        log_error(p->a->log, "Alertmanager can't be told", LOG_S("url", http_origin_url(p->origin)), LOG_S("why", why),
                  LOG_I("status", status));
    p->last_status = status;
}

static int set_authentication(struct peer *p, struct error *err)
{
    const struct alertmanager_config *c = p->config;
    const char *path = c->token_file[0] ? c->token_file : c->password_file;
    if (!path[0])
        return 0;
    _secret_cleanup_ char *secret = NULL;
    size_t len;
    if (file_read(path, MAX_SECRET, &secret, &len, err) < 0)
        return -1;
    secret[strcspn(secret, "\r\n")] = '\0';
    if (c->token_file[0])
        return http_origin_set_bearer(p->origin, secret, err);
    _cleanup_(buf_done) struct buf pair = BUF_INIT(2 * MAX_SECRET), header = BUF_INIT(4 * MAX_SECRET);
    (void)buf_printf(&pair, "%s:%s", c->username, secret);
    (void)buf_puts(&header, "Basic ");
    str_base64_encode(&header, pair.data, pair.len);
    int result = http_origin_set_header(p->origin, "Authorization", header.data, err);
    explicit_bzero(pair.data, pair.len);
    explicit_bzero(header.data, header.len);
    return result;
}

static void again_later(struct peer *p, bool failed)
{
    int64_t now = loop_now_us(p->a->deps.loop);
    if (!failed)
        backoff_reset(&p->backoff);
    loop_timer_arm(&p->timer, failed ? backoff_next_us(&p->backoff, now, p->a->deps.rng) : REPEAT_US);
}

static void on_told(void *data, const struct http_result *result, const struct error *err)
{
    struct peer *p = data;
    p->exchange = 0;
    bool ok = !err && result->status >= 200 && result->status < 300;
    bool lasting = !err && result->status >= 300 && result->status < 500;
    metrics_add(metrics_get(p->a->sent, ok ? "ok" : "failed", NULL), 1);
    if (ok) {
        p->last_status = 0;
    } else if (err) {
        tell_problem(p, -1, error_text(err));
    } else {
        tell_problem(p, result->status,
                     result->status == 410 ? "HTTP 410: the URL must lead to its API v2" : "it refuses our alerts");
        if (result->status == 401 || result->status == 403)
            (void)set_authentication(p, NULL); /* the file may have a new one */
    }
    if (p->again && ok) {
        p->again = false;
        send_to(p);
    } else {
        again_later(p, !ok && !lasting);
    }
}

static void send_to(struct peer *p)
{
    _cleanup_(buf_done) struct buf body = BUF_INIT(MAX_BODY);
    if (p->exchange > 0 || !write_alerts(p->a, &body))
        return;
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    struct http_request request = {.method = "POST",
                                   .path = "/api/v2/alerts",
                                   .headers = headers,
                                   .body = body.data,
                                   .body_len = body.len,
                                   .connect_timeout_us = 3 * USEC_PER_SEC,
                                   .total_timeout_us = SEND_TIMEOUT_US,
                                   .max_body = MAX_BODY,
                                   .priority = LOOP_IDLE,
                                   .done = on_told,
                                   .data = p};
    struct error err = ERROR_INIT;
    p->exchange = http_start(p->a->deps.http, p->origin, &request, &err);
    if (p->exchange > 0)
        return;
    p->exchange = 0;
    tell_problem(p, -1, error_text(&err));
    again_later(p, true);
}

static void on_timer(void *data)
{
    send_to(data);
}

/* ---- life ---- */

static int peer_init(struct peer *p, struct alerts *a, const struct alertmanager_config *config, struct error *err)
{
    static const struct backoff_config backoff = {
        .initial_us = USEC_PER_SEC, .cap_us = REPEAT_US, .factor = 2, .jitter = 0.5};
    *p = (struct peer){.a = a, .config = config};
    backoff_init(&p->backoff, &backoff);
    loop_timer_init(&p->timer, a->deps.loop, LOOP_IDLE, on_timer, p);
    char *ca = NULL;
    size_t len;
    struct error why = ERROR_INIT; /* a file that can't be read is a mistake of who named it */
    if (config->ca_file[0] && file_read(config->ca_file, 1024 * 1024, &ca, &len, &why) < 0)
        return error_set(err, ERROR_CONFIG, "alertmanagers %s: caFile: %s", config->url, error_text(&why));
    p->origin = http_origin_new(&(struct http_origin_config){.url = config->url, .ca_pem = ca}, &why);
    free(ca);
    if (!p->origin || set_authentication(p, &why) < 0)
        return error_set(err, ERROR_CONFIG, "alertmanagers %s: %s", config->url, error_text(&why));
    return 0;
}

struct alerts *alerts_new(const struct advisor_deps *deps, struct error *err)
{
    struct alerts *a = xcalloc(1, sizeof *a);
    a->deps = *deps;
    a->log = log_with(deps->log, "alerts");
    a->sent = metrics_family(deps->metrics, METRICS_COUNTER, "ai4k8s_alertmanager_requests_total",
                             "Requests to Alertmanagers", "result", NULL, 0);
    a->firing = metrics_get(metrics_family(deps->metrics, METRICS_GAUGE, "ai4k8s_alerts_firing",
                                           "Alerts that the operator raises now", "", NULL, 0),
                            NULL);
    for (uint32_t i = 0; i < deps->config->n_alertmanagers; i++) {
        a->n_peers++;
        if (peer_init(&a->peers[i], a, &deps->config->alertmanagers[i], err) < 0)
            return alerts_free(a);
    }
    return a;
}

struct alerts *alerts_free(struct alerts *a)
{
    if (!a)
        return NULL;
    for (size_t i = 0; i < a->n_peers; i++) {
        struct peer *p = &a->peers[i];
        if (p->exchange > 0)
            http_cancel(a->deps.http, p->exchange);
        loop_timer_disarm(&p->timer);
        http_origin_unref(p->origin);
    }
    free(a);
    return NULL;
}

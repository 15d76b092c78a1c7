/* Recorded answers, read strictly and given again; see answers.h. */
#include "lab/answers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "advisor/decision.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/rfc3339.h"
#include "base/str.h"
#include "kube/json.h"

/* ---- the file ---- */

struct reader {
    const char *name;
    uint64_t line;
    size_t cap;
    char *providers[ANSWERS_MAX_PROVIDERS];
    size_t n_providers;
};

static int bad(const struct reader *r, const char *what, struct error *err)
{
    return error_set(err, ERROR_PARSE, "%s:%llu: %s", r->name, (unsigned long long)r->line, what);
}

static int check_members(const struct reader *r, const json_t *root, struct error *err)
{
    static const char *const members[] = {"time", "latencySeconds", "provider", "decision", "failure"};
    size_t known = 0;
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        known += json_object_get(root, members[i]) != NULL;
    if (known != json_object_size(root))
        return bad(r, "has a member that is none of time, latencySeconds, provider, decision, failure", err);
    if (!json_object_get(root, "decision") == !json_object_get(root, "failure"))
        return bad(r, "wants a decision or a failure, one of them", err);
    return 0;
}

static int take_times(const struct reader *r, const json_t *root, struct answer *a, struct error *err)
{
    const json_t *time = json_object_get(root, "time"), *latency = json_object_get(root, "latencySeconds");
    if (!json_is_string(time) || !rfc3339_parse(json_string_value(time), &a->time_us))
        return bad(r, "time: want RFC 3339 such as \"2024-05-01T12:00:00Z\"", err);
    double seconds = !latency ? 0 : json_is_number(latency) ? json_number_value(latency) : -1;
    if (!isfinite(seconds) || seconds < 0 || seconds > ANSWERS_MAX_LATENCY_S)
        return bad(r, "latencySeconds: want a number from 0 to 240, which is as long as is waited for an answer", err);
    a->latency_ms = (int32_t)lround(seconds * 1000);
    return 0;
}

static int take_provider(struct reader *r, const json_t *root, struct answer *a, struct error *err)
{
    const json_t *provider = json_object_get(root, "provider");
    const char *name = provider ? json_string_value(provider) : "";
    if (!name)
        return bad(r, "provider: want a name", err);
    size_t i = 0;
    while (i < r->n_providers && !streq(r->providers[i], name))
        i++;
    if (i == ANSWERS_MAX_PROVIDERS)
        return bad(r, "provider: there are more than 8 different ones", err);
    if (i == r->n_providers)
        r->providers[r->n_providers++] = xstrdup(name);
    a->provider = (uint8_t)(i + 1);
    return 0;
}

static int take_failure(const struct reader *r, const json_t *failure, struct answer *a, struct error *err)
{
    const char *name = json_string_value(failure);
    for (enum advisor_class class = ADVISOR_OK + 1; name && class < ADVISOR_CANCELLED; class ++)
        if (streq(advisor_class_name(class), name)) {
            a->class = class;
            return 0;
        }
    return bad(r, "failure: want a reason of the condition AdvisorAvailable, such as \"Transient\"", err);
}

static int take_decision(const struct reader *r, const json_t *decision, struct answer *a, struct error *err)
{
    struct decision d;
    struct error why = ERROR_INIT;
    _cleanup_(buf_done) struct buf text = BUF_INIT(2 * ANSWERS_LINE_BYTES);
    json_write(&text, decision);
    if (decision_parse(buf_str(&text), text.len, NULL, &d, &why) < 0)
        return error_set(err, ERROR_PARSE, "%s:%llu: decision: %s", r->name, (unsigned long long)r->line,
                         error_text(&why));
    a->class = ADVISOR_OK;
    a->action = (uint8_t)d.action;
    a->target_replicas = d.target_replicas;
    a->confidence_percent = (uint8_t)d.confidence_percent;
    return 0;
}

static int take_line(struct reader *r, const char *line, size_t len, struct answers *all, struct error *err)
{
    struct error why = ERROR_INIT;
    struct answer a = {.latency_ms = 0};
    if (len > ANSWERS_LINE_BYTES)
        return error_set(err, ERROR_LIMIT, "%s:%llu: the line has more than %zu bytes", r->name,
                         (unsigned long long)r->line, ANSWERS_LINE_BYTES);
    _json_cleanup_ json_t *root = json_parse(line, len, &why);
    if (!root)
        return error_set(err, ERROR_PARSE, "%s:%llu: want one JSON object: %s", r->name, (unsigned long long)r->line,
                         error_text(&why));
    if (!json_is_object(root))
        return bad(r, "want one JSON object", err);
    const json_t *failure = json_object_get(root, "failure");
    if (check_members(r, root, err) < 0 || take_times(r, root, &a, err) < 0 || take_provider(r, root, &a, err) < 0)
        return -1;
    if ((failure ? take_failure(r, failure, &a, err) : take_decision(r, json_object_get(root, "decision"), &a, err)) <
        0)
        return -1;
    const struct answer *before = all->n > 0 ? &all->list[all->n - 1] : NULL;
    if (before && a.time_us <= before->time_us)
        return bad(r, "time: must be later than that of the line before", err);
    if (before && a.time_us < before->time_us + before->latency_ms * USEC_PER_MSEC)
        return bad(r, "time: the answer of the line before was not there yet, and one question is asked at a time",
                   err);
    if (!all->list || all->n == r->cap) {
        r->cap = MAX(2 * r->cap, 64U);
        all->list = xreallocarray(all->list, r->cap, sizeof *all->list);
    }
    all->list[all->n++] = a;
    return 0;
}

int answers_parse(const char *name, const char *text, size_t len, struct answers *ret, struct error *err)
{
    struct reader r = {.name = name};
    struct answers all = {.n = 0};
    int result = 0;
    for (size_t at = 0; at < len && result == 0;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end ? (size_t)(end - text) - at : len - at;
        r.line++;
        result = take_line(&r, text + at, n, &all, err);
        at += n + 1;
    }
    if (result == 0 && all.n == 0)
        result = error_set(err, ERROR_PARSE, "%s: there is no answer in it; want one JSON object a line", name);
    for (size_t i = 0; i < r.n_providers; i++)
        free(r.providers[i]);
    if (result < 0)
        answers_done(&all);
    else
        *ret = all;
    return result;
}

int answers_load(const char *path, struct answers *ret, struct error *err)
{
    _cleanup_(freep) char *text = NULL;
    size_t len;
    if (file_read(path, ANSWERS_FILE_BYTES, &text, &len, err) < 0)
        return -1;
    return answers_parse(path, text, len, ret, err);
}

void answers_done(struct answers *a)
{
    free(a->list);
    *a = (struct answers){.n = 0};
}

/* ---- the replay ---- */

static const struct answer *upcoming(const struct answers_replay *r)
{
    return r->next < r->answers->n ? &r->answers->list[r->next] : NULL;
}

struct answers_replay answers_replay(const struct answers *answers, int64_t start_us)
{
    struct answers_replay r = {.answers = answers};
    for (const struct answer *a; (a = upcoming(&r)) != NULL && a->time_us < start_us; r.next++)
        r.skipped++;
    return r;
}

const struct advice *answers_replay_take(struct answers_replay *r, int64_t now_us)
{
    if (!r->under_way || now_us < r->arrives_us)
        return NULL;
    r->under_way = false;
    if (r->class != ADVISOR_OK) {
        r->failures++;
        return NULL;
    }
    const struct decision d = {.action = (enum decision_action)r->action, .target_replicas = r->advice.target_replicas};
    if (!decision_fits(&d, r->advice.current)) {
        r->contradictions++;
        return NULL;
    }
    return &r->advice;
}

bool answers_replay_ask(struct answers_replay *r, const struct core_plan *plan)
{
    const struct answer *due = NULL;
    if (r->under_way)
        return false;
    for (const struct answer *a; (a = upcoming(r)) != NULL && a->time_us <= plan->time_us; r->next++) {
        r->skipped += due != NULL; /* only the last of them: the others are older than this sample */
        due = a;
    }
    if (!due)
        return false;
    const struct advice_situation *asked = &plan->situation;
    if (asked->need <= 0 || asked->current <= 0) {
        r->skipped++;
        return false;
    }
    r->under_way = true;
    r->class = due->class;
    r->action = due->action;
    r->arrives_us = plan->time_us + due->latency_ms * USEC_PER_MSEC;
    r->advice = (struct advice){.id = ++r->asked,
                                .sampled_us = plan->time_us,
                                .need = asked->need,
                                .current = asked->current,
                                .side = asked->side,
                                .target_replicas = due->target_replicas,
                                .confidence_percent = due->confidence_percent,
                                .provider = due->provider};
    return true;
}

/* Waiting for the operator; see backfill_wait.h. */
#include "backfill_wait.h"

#include "output.h"

#include "api/pa_checkpoint.h"
#include "base/clock.h"
#include "base/str.h"

#include <stdio.h>

#define LOOK_EVERY_US  (250 * USEC_PER_MSEC)
#define EVENT_GRACE_US (3 * USEC_PER_SEC) /* an event is written after the deletion that it tells of */

const char *backfill_outcome_name(enum backfill_outcome_kind kind)
{
    static const char *const names[] = {"Left", "Waiting", "Imported", "Rejected", "Gone"};
    return names[kind];
}

/* 1: there; 0: gone, or another one has its name. */
static int is_there(struct cluster *c, const char *path, const char *uid, struct error *err)
{
    struct buf body = BUF_INIT((size_t)1 << 20);
    int code = 0, result = cluster_ask(c, KUBE_GET, path, NULL, &body, &code, err);
    if (result < 0) {
        buf_done(&body);
        return code == 404 ? 0 : -1;
    }
    _json_cleanup_ json_t *root = json_parse(buf_str(&body), body.len, err);
    const char *now = root ? json_str(root, "metadata.uid") : NULL;
    buf_done(&body);
    return root ? now && streq(now, uid) : -1;
}

static bool look_at_event(const json_t *event, const char *uid, struct backfill_outcome *ret)
{
    const char *related = json_str(event, "related.uid"), *reason = json_str(event, "reason"),
               *note = json_str(event, "note");
    if (!related || !reason || !note || !streq(related, uid))
        return false;
    bool imported = streq(reason, "BackfillImported");
    if (!imported && !streq(reason, "BackfillRejected"))
        return false;
    struct buf clean = BUF_INIT(sizeof ret->note);
    (void)str_sanitize(&clean, note, __builtin_strlen(note), sizeof ret->note - 1);
    ret->kind = imported ? BACKFILL_IMPORTED : BACKFILL_REJECTED;
    (void)str_copy(ret->note, sizeof ret->note, buf_str(&clean));
    buf_done(&clean);
    return true;
}

static bool find_event(struct cluster *c, const char *path, const char *uid, struct backfill_outcome *ret)
{
    struct buf body = BUF_INIT((size_t)16 << 20);
    bool found = false;
    size_t i;
    json_t *event;
    if (cluster_ask(c, KUBE_GET, path, NULL, &body, NULL, NULL) == 0) {
        _json_cleanup_ json_t *root = json_parse(buf_str(&body), body.len, NULL);
        json_array_foreach((json_t *)(uintptr_t)json_at(root, "items"), i, event) found =
            found || look_at_event(event, uid, ret);
    }
    buf_done(&body);
    return found;
}

/* Who may not read events is told where to look. */
static void ask_events(struct cluster *c, const struct object_meta *autoscaler, const char *uid,
                       struct backfill_outcome *ret)
{
    struct buf path = BUF_INIT(4096), selector = BUF_INIT(1024);
    int64_t until = loop_now_us(c->loop) + EVENT_GRACE_US;
    resource_path(&path, &resource_events, c->namespace_, NULL, NULL);
    (void)buf_printf(&selector, "regarding.name=%s", autoscaler->name);
    resource_query(&path, "fieldSelector", buf_str(&selector));
    while (!find_event(c, buf_str(&path), uid, ret) && loop_now_us(c->loop) < until)
        cluster_sleep(c, LOOK_EVERY_US);
    buf_done(&path);
    buf_done(&selector);
    if (ret->kind != BACKFILL_GONE)
        return;
    (void)snprintf(ret->note, sizeof ret->note,
                   "the operator has dealt with it; `kubectl describe pa %s -n %s` shows in its events what it did",
                   autoscaler->name, c->namespace_);
}

int backfill_wait(struct cluster *c, const struct object_meta *autoscaler, const struct object_meta *object,
                  int64_t timeout_s, struct backfill_outcome *ret, struct error *err)
{
    struct buf path = BUF_INIT(4096);
    int64_t start = loop_now_us(c->loop), until = start + timeout_s * USEC_PER_SEC;
    int there = 1;
    resource_path(&path, &resource_checkpoints, c->namespace_, object->name, NULL);
    while (timeout_s > 0 && (there = is_there(c, buf_str(&path), object->uid, err)) == 1 &&
           loop_now_us(c->loop) < until) {
        output_progress("waiting for the operator,", (uint64_t)(loop_now_us(c->loop) - start),
                        (uint64_t)(until - start));
        cluster_sleep(c, LOOK_EVERY_US);
    }
    output_progress("", 1, 1);
    buf_done(&path);
    if (there < 0)
        return error_wrap(err, "waiting for the operator");
    ret->kind = timeout_s == 0 ? BACKFILL_LEFT : there ? BACKFILL_WAITING : BACKFILL_GONE;
    if (ret->kind == BACKFILL_GONE)
        ask_events(c, autoscaler, object->uid, ret);
    else
        (void)snprintf(
            ret->note, sizeof ret->note,
            "%s left as predictiveautoscalercheckpoint/%s; the operator takes it in as soon as it looks after %s%s",
            ret->kind == BACKFILL_LEFT ? "they are" : "still", object->name, autoscaler->name,
            ret->kind == BACKFILL_LEFT ? "" : ": is it running, and is the autoscaler Ready?");
    return 0;
}

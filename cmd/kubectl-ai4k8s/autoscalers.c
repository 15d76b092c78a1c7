/* Reading autoscalers; see autoscalers.h. */
#include "autoscalers.h"

#include "base/alloc.h"
#include "base/rfc3339.h"
#include "base/str.h"

#include <stdlib.h>

#define MAX_ANSWER ((size_t)256 << 20)

static int take_one(struct shown_list *list, const json_t *object, struct error *err)
{
    struct api_problems problems = {0};
    list->items = xreallocarray(list->items, list->n + 1, sizeof *list->items);
    struct shown *s = &list->items[list->n];
    *s = (struct shown){0};
    if (object_meta_decode(object, &s->meta, err) < 0)
        return -1;
    list->n++;
    s->readable = pa_decode(object, &s->pa, &problems) == 0;
    const json_t *status = json_object_get(object, "status");
    if (json_object_size(status) > 0) {
        struct buf raw = BUF_INIT(MAX_ANSWER);
        json_write(&raw, status);
        s->raw_status = buf_steal(&raw);
        s->has_status = true;
        pa_status_decode(object, &s->status);
    }
    return 0;
}

static int take_all(struct shown_list *list, const struct buf *body, struct error *err)
{
    size_t i;
    json_t *item;
    _json_cleanup_ json_t *root = json_parse(buf_str(body), body->len, err);
    if (!root)
        return -1;
    const json_t *items = json_at(root, "items");
    if (!json_is_array(items))
        return take_one(list, root, err);
    json_array_foreach((json_t *)(uintptr_t)items, i, item) if (take_one(list, item, err) < 0) return -1;
    return 0;
}

int autoscalers_read(struct cluster *c, const char *name, bool everywhere, struct shown_list *ret, struct error *err)
{
    struct buf path = BUF_INIT(4096), body = BUF_INIT(MAX_ANSWER);
    int code = 0, result;
    *ret = (struct shown_list){0};
    if (name) {
        result = cluster_autoscaler(c, name, &body, err);
    } else {
        resource_path(&path, &resource_predictiveautoscalers, everywhere ? NULL : c->namespace_, NULL, NULL);
        result = cluster_ask(c, KUBE_GET, buf_str(&path), NULL, &body, &code, err);
        if (result < 0)
            result = cluster_explain_missing(c, "", code, err);
    }
    if (result == 0)
        result = take_all(ret, &body, err);
    if (result == 0 && name && ret->n != 1)
        result = error_set(err, ERROR_PARSE, "the answer is not one PredictiveAutoscaler");
    buf_done(&path);
    buf_done(&body);
    return result;
}

void autoscalers_done(struct shown_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        object_meta_done(&list->items[i].meta);
        free(list->items[i].raw_status);
    }
    free(list->items);
    *list = (struct shown_list){0};
}

void autoscaler_target(const struct shown *s, struct buf *out)
{
    if (s->readable)
        (void)buf_printf(out, "%s/%s", s->pa.spec.scale_target_ref.kind, s->pa.spec.scale_target_ref.name);
    else
        (void)buf_putc(out, '-');
}

static void say_peak(const struct shown *s, struct buf *out)
{
    const struct pa_forecast_status *f = &s->status.forecast;
    char time[RFC3339_CAP];
    if (!s->status.has_forecast || !f->has_peak || f->peak.replicas <= s->status.desired_replicas)
        return;
    rfc3339_format(time, f->peak.point.time_us);
    (void)buf_printf(out, "; %d needed at %.5s UTC", f->peak.replicas, time + 11);
}

void autoscaler_next(const struct shown *s, struct buf *out)
{
    const struct pa_status *status = &s->status;
    if (!s->readable) {
        (void)buf_puts(out, "not known to this version");
    } else if (s->pa.spec.mode == PA_OFF) {
        (void)buf_puts(out, "nothing: mode Off");
    } else if (!s->has_status) {
        (void)buf_puts(out, "not looked at yet");
    } else {
        bool shows_only = s->pa.paused || s->pa.spec.mode == PA_RECOMMEND;
        if (status->desired_replicas == status->current_replicas)
            (void)buf_printf(out, "hold %d", status->current_replicas);
        else
            (void)buf_printf(out, "%s %s to %d", shows_only ? "would scale" : "scale",
                             status->desired_replicas > status->current_replicas ? "up" : "down",
                             status->desired_replicas);
        if (s->pa.paused)
            (void)buf_puts(out, " (paused)");
        say_peak(s, out);
    }
}

const char *autoscaler_why(const struct shown *s)
{
    if (!s->has_status)
        return "the operator has said nothing yet: is it running?";
    const struct pa_condition *ready = pa_condition_get(&s->status, PA_READY);
    if (ready && ready->status == CONDITION_FALSE)
        return ready->message;
    return s->status.has_last_decision ? s->status.last_decision.message : "there is no decision yet";
}

/* Lease objects; see lease.h. The text of the last answer is kept and edited, so that fields which this
 * program has never heard of survive a renewal. */
#include "kube/lease.h"

#include "base/alloc.h"
#include "base/rfc3339.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

static char *text_at(const json_t *root, const char *dotted)
{
    const char *s = json_str(root, dotted);
    return xstrdup(s ? s : "");
}

static int64_t count_at(const json_t *root, const char *dotted)
{
    int64_t n = json_int(root, dotted, 0);
    return n < 0 ? 0 : MIN(n, INT32_MAX); /* int32 in the API */
}

int lease_decode(const char *body, size_t len, struct lease *ret, struct error *err)
{
    _json_cleanup_ json_t *root = json_parse(body, len, err);
    if (!root)
        return error_wrap(err, "decoding a Lease");
    const char *kind = json_str(root, "kind");
    if (!kind || !streq(kind, "Lease") || !json_str(root, "metadata.resourceVersion"))
        return error_set(err, ERROR_PARSE, "decoding a Lease: the answer is not one");
    (void)json_object_del(json_object_get(root, "metadata"), "managedFields");
    struct buf text = BUF_INIT(len + 1);
    json_write(&text, root);
    if (text.failed) { /* escapes may make it longer than it was; a Lease has no need of that */
        buf_done(&text);
        return error_set(err, ERROR_LIMIT, "decoding a Lease: it grew on rewriting");
    }
    *ret = (struct lease){
        .record =
            {
                .holder = text_at(root, "spec.holderIdentity"),
                .duration_s = count_at(root, "spec.leaseDurationSeconds"),
                .transitions = count_at(root, "spec.leaseTransitions"),
                .acquire_time = text_at(root, "spec.acquireTime"),
                .renew_time = text_at(root, "spec.renewTime"),
            },
        .json = buf_steal(&text),
    };
    return 0;
}

void lease_done(struct lease *l)
{
    free(l->record.holder);
    free(l->record.acquire_time);
    free(l->record.renew_time);
    free(l->json);
    *l = (struct lease){0};
}

bool lease_record_equal(const struct lease_record *a, const struct lease_record *b)
{
    return a->duration_s == b->duration_s && a->transitions == b->transitions && streq0(a->holder, b->holder) &&
           streq0(a->acquire_time, b->acquire_time) && streq0(a->renew_time, b->renew_time);
}

static json_t *blank(const char *namespace_, const char *name)
{
    return json_pack("{s:s, s:s, s:{s:s, s:s}, s:{}}", "apiVersion", "coordination.k8s.io/v1", "kind", "Lease",
                     "metadata", "namespace", namespace_, "name", name, "spec");
}

static void set_time(json_t *spec, const char *key, int64_t real_us)
{
    char text[RFC3339_CAP];
    rfc3339_format_micro(text, real_us);
    (void)json_object_set_new(spec, key, json_string(text));
}

int lease_encode(struct buf *out, const struct lease *base, const char *namespace_, const char *name,
                 const struct lease_update *update, struct error *err)
{
    _json_cleanup_ json_t *root = base ? json_parse(base->json, strlen(base->json), err) : blank(namespace_, name);
    if (!root)
        return error_wrap(err, "encoding a Lease");
    json_t *spec = json_object_get(root, "spec");
    if (!json_is_object(spec)) {
        spec = json_object();
        (void)json_object_set_new(root, "spec", spec);
    }
    (void)json_object_set_new(spec, "holderIdentity", json_string(update->holder));
    (void)json_object_set_new(spec, "leaseDurationSeconds", json_integer(update->duration_s));
    (void)json_object_set_new(spec, "leaseTransitions", json_integer(update->transitions));
    if (update->acquire_real_us >= 0)
        set_time(spec, "acquireTime", update->acquire_real_us);
    set_time(spec, "renewTime", update->renew_real_us);
    json_write(out, root);
    return out->failed ? error_set(err, ERROR_LIMIT, "encoding a Lease: longer than %zu bytes", out->max) : 0;
}

/* metav1.Status, and what a refusal means when the answer is none: proxies and load balancers in front of the
 * API server answer with HTML or plain text, and then the HTTP status is all there is to go by. */
#include "kube/meta.h"

#include "base/str.h"

#include <string.h>

/* `code` 0: the reason does not follow from a status code alone. */
static const struct {
    const char *name;
    enum status_reason reason;
    int code;
} reasons[] = {
    {"Unknown", STATUS_UNKNOWN, 0},
    {"Unauthorized", STATUS_UNAUTHORIZED, 401},
    {"Forbidden", STATUS_FORBIDDEN, 403},
    {"NotFound", STATUS_NOT_FOUND, 404},
    {"AlreadyExists", STATUS_ALREADY_EXISTS, 0},
    {"Conflict", STATUS_CONFLICT, 409},
    {"Gone", STATUS_GONE, 410},
    {"Expired", STATUS_EXPIRED, 0},
    {"Invalid", STATUS_INVALID, 422},
    {"ServerTimeout", STATUS_SERVER_TIMEOUT, 0},
    {"Timeout", STATUS_TIMEOUT, 504},
    {"TooManyRequests", STATUS_TOO_MANY_REQUESTS, 429},
    {"BadRequest", STATUS_BAD_REQUEST, 400},
    {"MethodNotAllowed", STATUS_METHOD_NOT_ALLOWED, 405},
    {"NotAcceptable", STATUS_NOT_ACCEPTABLE, 406},
    {"RequestEntityTooLarge", STATUS_TOO_LARGE, 413},
    {"UnsupportedMediaType", STATUS_UNSUPPORTED_MEDIA_TYPE, 415},
    {"InternalError", STATUS_INTERNAL_ERROR, 500},
    {"ServiceUnavailable", STATUS_SERVICE_UNAVAILABLE, 503},
};

const char *status_reason_name(enum status_reason reason)
{
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
        if (reasons[i].reason == reason)
            return reasons[i].name;
    return "Unknown";
}

static enum status_reason reason_of_code(int code)
{
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
        if (reasons[i].code && reasons[i].code == code)
            return reasons[i].reason;
    return STATUS_UNKNOWN;
}

static enum status_reason reason_of_name(const char *name, int code)
{
    for (size_t i = 0; name && i < ARRAY_SIZE(reasons); i++)
        if (reasons[i].reason != STATUS_UNKNOWN && streq(reasons[i].name, name))
            return reasons[i].reason;
    return reason_of_code(code);
}

static void set_message(struct kube_status *status, const char *text, size_t len)
{
    struct buf clean = BUF_INIT(8 * sizeof(status->message)); /* cleaning may lengthen what it replaces */
    str_sanitize(&clean, text, len, sizeof(status->message) - 1);
    (void)str_copy(status->message, sizeof(status->message), buf_str(&clean));
    buf_done(&clean);
}

static void read_causes(const json_t *causes, struct kube_status *status)
{
    size_t i;
    const json_t *cause;
    json_array_foreach(causes, i, cause)
    {
        const char *reason = json_str(cause, "reason");
        if (!reason)
            continue;
        status->too_large_resource_version |= streq(reason, "ResourceVersionTooLarge");
        status->field_manager_conflict |= streq(reason, "FieldManagerConflict");
    }
}

static bool decode_status(const json_t *root, struct kube_status *status)
{
    const char *kind = json_str(root, "kind");
    if (!kind || !streq(kind, "Status"))
        return false;
    if (status->code < 300) /* an in-stream event: the HTTP status was 200 */
        status->code = (int)MAX(0, MIN(json_int(root, "code", 0), 999));
    status->reason = reason_of_name(json_str(root, "reason"), status->code);
    int64_t retry_s = json_int(root, "details.retryAfterSeconds", 0);
    if (retry_s > 0)
        status->retry_after_ms = MIN(retry_s, INT64_C(86400)) * 1000;
    read_causes(json_at(root, "details.causes"), status);
    const char *message = json_str(root, "message");
    if (message)
        set_message(status, message, strlen(message));
    /* Before 1.19 only the message says so ("Timeout: Too large resource version: 9, current: 1"). */
    status->too_large_resource_version |=
        status->code == 504 && message && strstr(message, "Too large resource version");
    return true;
}

/* What a proxy said: the title of a page, or the text. */
static void describe_foreign(const char *body, size_t len, struct kube_status *status)
{
    const char *at = memmem(body, len, "<title>", 7);
    if (at) {
        at += 7;
        const char *end = memmem(at, len - (size_t)(at - body), "</title>", 8);
        if (end)
            set_message(status, at, (size_t)(end - at));
    } else if (len > 0 && body[0] != '<' && body[0] != '{') {
        set_message(status, body, MIN(len, 256));
    }
}

void kube_status_decode(int code, const char *body, size_t len, struct kube_status *ret)
{
    *ret = (struct kube_status){.code = code, .reason = reason_of_code(code), .retry_after_ms = -1};
    _json_cleanup_ json_t *root = json_parse(body ? body : "", body ? len : 0, NULL);
    if (!decode_status(root, ret) && body)
        describe_foreign(body, len, ret);
    if (!ret->message[0])
        (void)str_copy(ret->message, sizeof(ret->message),
                       ret->reason == STATUS_UNKNOWN ? "the server refused without saying why"
                                                     : status_reason_name(ret->reason));
}

int kube_status_error(const struct kube_status *status, struct error *err)
{
    error_set(err, ERROR_API, "%s (HTTP %d %s)", status->message, status->code, status_reason_name(status->reason));
    if (err) {
        err->code = status->code;
        err->retry_after_ms =
            status->retry_after_ms > 0 ? (uint32_t)MIN(status->retry_after_ms, (int64_t)UINT32_MAX) : 0;
    }
    return -1;
}

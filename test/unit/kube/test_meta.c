/* ObjectMeta, Status and selectors: what real servers send, what proxies send, and what nobody should. */
#include "base/alloc.h"
#include "base/rfc3339.h"
#include "base/str.h"
#include "kube/meta.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static json_t *parse(const char *text)
{
    struct error err;
    json_t *j = json_parse(text, strlen(text), &err);
    if (!j)
        fail_msg("%s: %s", text, err.message);
    return j;
}

static void test_object_meta(void **state)
{
    (void)state;
    _json_cleanup_ json_t *j =
        parse("{\"metadata\":{\"name\":\"web-1\",\"namespace\":\"shop\",\"uid\":\"u1\",\"resourceVersion\":"
              "\"12345678901234567890123\","
              "\"generation\":7,\"creationTimestamp\":\"2026-11-21T08:48:03Z\",\"deletionTimestamp\":\"2026-"
              "11-21T08:48:04.5Z\","
              "\"ownerReferences\":[{\"kind\":\"X\",\"name\":\"x\",\"uid\":\"1\"},"
              "{\"kind\":\"ReplicaSet\",\"name\":\"web\",\"uid\":\"u2\",\"controller\":true}],"
              "\"managedFields\":[{\"manager\":\"a\"}]},\"spec\":{}}");
    struct object_meta m;
    struct error err;
    assert_int_equal(object_meta_decode(j, &m, &err), 0);
    assert_string_equal(m.name, "web-1");
    assert_string_equal(m.namespace_, "shop");
    assert_string_equal(m.uid, "u1");
    assert_string_equal(m.resource_version, "12345678901234567890123");
    assert_int_equal(m.generation, 7);
    assert_int_equal(m.deletion_us - m.creation_us, 1500000);
    assert_string_equal(m.owner_kind, "ReplicaSet");
    assert_string_equal(m.owner_name, "web");
    assert_string_equal(m.owner_uid, "u2");
    object_meta_done(&m);
    assert_null(m.name);

    _json_cleanup_ json_t *least = parse("{\"metadata\":{\"name\":\"n\",\"namespace\":\"\","
                                         "\"creationTimestamp\":null,\"ownerReferences\":[]}}");
    assert_int_equal(object_meta_decode(least, &m, &err), 0);
    assert_null(m.namespace_);
    assert_null(m.owner_uid);
    assert_int_equal(m.creation_us, 0);
    assert_int_equal(m.deletion_us, 0);
    object_meta_done(&m);
}

static void test_bad_meta(void **state)
{
    (void)state;
    static const struct {
        const char *json, *message;
    } cases[] = {
        {"{}", "the object has no metadata"},
        {"[]", "the object has no metadata"},
        {"{\"metadata\":3}", "the object has no metadata"},
        {"{\"metadata\":{}}", "metadata: name is missing"},
        {"{\"metadata\":{\"name\":\"\"}}", "metadata: name is missing"},
        {"{\"metadata\":{\"name\":3}}", "metadata: name: want a string, have an integer"},
        {"{\"metadata\":{\"name\":\"n\",\"uid\":[]}}", "metadata: uid: want a string, have a list"},
        {"{\"metadata\":{\"name\":\"n\",\"generation\":\"1\"}}",
         "metadata: generation: want an integer, have a string"},
        {"{\"metadata\":{\"name\":\"n\",\"creationTimestamp\":\"today\"}}",
         "metadata: creationTimestamp: \"today\" is not a time"},
        {"{\"metadata\":{\"name\":\"n\",\"ownerReferences\":{}}}", "metadata: ownerReferences: want a list"},
        {"{\"metadata\":{\"name\":\"n\",\"ownerReferences\":[{\"controller\":true,\"kind\":\"A\"}]}}",
         "metadata: ownerReferences: an owner without kind, name or uid"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _json_cleanup_ json_t *j = parse(cases[i].json);
        struct object_meta m = {0};
        struct error err;
        assert_true(object_meta_decode(j, &m, &err) < 0);
        assert_string_equal(err.message, cases[i].message);
        assert_int_equal(err.kind, ERROR_PARSE);
        assert_null(m.name);
    }
}

static void test_keys(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(100);
    object_key(&b, "ns", "name");
    assert_string_equal(buf_str(&b), "ns/name");
    const char *ns, *name;
    object_key_split(b.data, &ns, &name);
    assert_string_equal(ns, "ns");
    assert_string_equal(name, "name");
    buf_clear(&b);
    object_key(&b, NULL, "node");
    assert_string_equal(buf_str(&b), "node");
    object_key_split(b.data, &ns, &name);
    assert_string_equal(ns, "");
    assert_string_equal(name, "node");
    buf_done(&b);

    static const char *const ascending[] = {"",
                                            "1",
                                            "9",
                                            "10",
                                            "99",
                                            "100",
                                            "18446744073709551615",
                                            "18446744073709551616",
                                            "123456789012345678901234567890"};
    for (size_t i = 0; i < ARRAY_SIZE(ascending); i++)
        for (size_t k = 0; k < ARRAY_SIZE(ascending); k++) {
            int c = resource_version_compare(ascending[i], ascending[k]);
            assert_true((c < 0) == (i < k) && (c > 0) == (i > k));
        }
    assert_int_equal(resource_version_compare(NULL, ""), 0);
    assert_true(resource_version_compare(NULL, "1") < 0);
}

static void test_status(void **state)
{
    (void)state;
    static const struct {
        int code;
        const char *body;
        int want_code;
        enum status_reason reason;
        int64_t retry_ms;
        bool too_large, manager;
        const char *message;
    } cases[] = {
        {404,
         "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"pods \\\"x\\\" not "
         "found\",\"reason\":\"NotFound\",\"details\":{\"name\":\"x\"},\"code\":404}",
         404, STATUS_NOT_FOUND, -1, false, false, "pods \"x\" not found"},
        {409, "{\"kind\":\"Status\",\"reason\":\"AlreadyExists\",\"message\":\"m\",\"code\":409}", 409,
         STATUS_ALREADY_EXISTS, -1, false, false, "m"},
        {409,
         "{\"kind\":\"Status\",\"reason\":\"Conflict\",\"message\":\"m\",\"details\":{\"causes\":[{"
         "\"reason\":\"FieldManagerConflict\",\"field\":\".spec.replicas\"}]}}",
         409, STATUS_CONFLICT, -1, false, true, "m"},
        {504,
         "{\"kind\":\"Status\",\"reason\":\"Timeout\",\"message\":\"Too large resource version: 9, current: "
         "1\",\"details\":{\"causes\":[{\"reason\":\"ResourceVersionTooLarge\"}],\"retryAfterSeconds\":1},"
         "\"code\":504}",
         504, STATUS_TIMEOUT, 1000, true, false, "Too large resource version: 9, current: 1"},
        {504,
         "{\"kind\":\"Status\",\"reason\":\"Timeout\",\"message\":\"Timeout: Too large resource version: 9, "
         "current: "
         "1\"}",
         504, STATUS_TIMEOUT, -1, true, false, "Timeout: Too large resource version: 9, current: 1"},
        /* in a watch stream: HTTP 200, the Status has the code */
        {200,
         "{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"too old resource version: 1 "
         "(17)\",\"reason\":\"Expired\",\"code\":410}",
         410, STATUS_EXPIRED, -1, false, false, "too old resource version: 1 (17)"},
        {0, "{\"kind\":\"Status\",\"reason\":\"Gone\",\"code\":410}", 410, STATUS_GONE, -1, false, false, "Gone"},
        {429, "{\"kind\":\"Status\",\"reason\":\"TooManyRequests\",\"details\":{\"retryAfterSeconds\":32}}", 429,
         STATUS_TOO_MANY_REQUESTS, 32000, false, false, "TooManyRequests"},
        {429, "{\"kind\":\"Status\",\"details\":{\"retryAfterSeconds\":9000000000000000000}}", 429,
         STATUS_TOO_MANY_REQUESTS, 86400000, false, false, "TooManyRequests"},
        {429, "{\"kind\":\"Status\",\"details\":{\"retryAfterSeconds\":-5}}", 429, STATUS_TOO_MANY_REQUESTS, -1, false,
         false, "TooManyRequests"},
        {422, "{\"kind\":\"Status\",\"reason\":\"SomethingNew\",\"message\":\"a\\u001b[31mb\\nc\"}", 422,
         STATUS_INVALID, -1, false, false, NULL},
        /* not a Status */
        {401, "Unauthorized", 401, STATUS_UNAUTHORIZED, -1, false, false, "Unauthorized"},
        {502, "<html><head><title>502 Bad Gateway</title></head><body>x</body></html>", 502, STATUS_UNKNOWN, -1, false,
         false, "502 Bad Gateway"},
        {502, "<html>no title", 502, STATUS_UNKNOWN, -1, false, false, "the server refused without saying why"},
        {502, "<title>unclosed", 502, STATUS_UNKNOWN, -1, false, false, "the server refused without saying why"},
        {503, "", 503, STATUS_SERVICE_UNAVAILABLE, -1, false, false, "ServiceUnavailable"},
        {503, NULL, 503, STATUS_SERVICE_UNAVAILABLE, -1, false, false, "ServiceUnavailable"},
        {500, "{\"kind\":\"Pod\",\"reason\":\"NotFound\",\"message\":\"x\"}", 500, STATUS_INTERNAL_ERROR, -1, false,
         false, "InternalError"},
        {500, "{\"kind\":\"Status\",", 500, STATUS_INTERNAL_ERROR, -1, false, false, "InternalError"},
        {403, "{\"kind\":\"Status\",\"reason\":7,\"message\":[],\"details\":\"x\"}", 403, STATUS_FORBIDDEN, -1, false,
         false, "Forbidden"},
        {418, "short and stout\n", 418, STATUS_UNKNOWN, -1, false, false, NULL},
        {413, "", 413, STATUS_TOO_LARGE, -1, false, false, "RequestEntityTooLarge"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct kube_status s;
        kube_status_decode(cases[i].code, cases[i].body, cases[i].body ? strlen(cases[i].body) : 0, &s);
        if (s.code != cases[i].want_code || s.reason != cases[i].reason || s.retry_after_ms != cases[i].retry_ms ||
            s.too_large_resource_version != cases[i].too_large || s.field_manager_conflict != cases[i].manager)
            fail_msg("case %zu: %d %s %lld %d %d", i, s.code, status_reason_name(s.reason), (long long)s.retry_after_ms,
                     s.too_large_resource_version, s.field_manager_conflict);
        if (cases[i].message)
            assert_string_equal(s.message, cases[i].message);
        for (const char *c = s.message; *c; c++)
            assert_true((unsigned char)*c >= 0x20);
        assert_true(s.message[0]);
    }
}

static void test_status_sizes(void **state)
{
    (void)state;
    struct kube_status s;
    struct error err;
    struct buf b = BUF_INIT(100000);
    (void)buf_puts(&b, "{\"kind\":\"Status\",\"reason\":\"Invalid\",\"message\":\"");
    for (int i = 0; i < 9000; i++)
        (void)buf_puts(&b, "\xc3\xa4");
    (void)buf_puts(&b, "\"}");
    kube_status_decode(422, b.data, b.len, &s);
    assert_true(strlen(s.message) < sizeof(s.message) && strlen(s.message) > 900);
    assert_true(str_is_utf8(s.message, strlen(s.message)));
    assert_true(kube_status_error(&s, &err) < 0);
    assert_int_equal(err.kind, ERROR_API);
    assert_int_equal(err.code, 422);
    assert_true(str_is_utf8(err.message, strlen(err.message)));
    buf_done(&b);

    const char slow[] = "{\"kind\":\"Status\",\"message\":\"slow down\",\"details\":{\"retryAfterSeconds\":2}}";
    kube_status_decode(429, slow, strlen(slow), &s);
    assert_true(kube_status_error(&s, &err) < 0);
    assert_string_equal(err.message, "slow down (HTTP 429 TooManyRequests)");
    assert_int_equal(err.retry_after_ms, 2000);
}

static void test_selector(void **state)
{
    (void)state;
    static const struct {
        const char *json, *want; /* want "!...": the message */
    } cases[] = {
        {"{}", ""},
        {"{\"matchLabels\":{},\"matchExpressions\":[]}", ""},
        {"{\"matchLabels\":null}", ""},
        {"{\"matchLabels\":{\"b\":\"2\",\"a\":\"1\",\"c\":\"\"}}", "a=1,b=2,c="},
        {"{\"matchLabels\":{\"app.kubernetes.io/name\":\"web\"}}", "app.kubernetes.io/name=web"},
        {"{\"matchLabels\":{\"m\":\"1\"},\"matchExpressions\":[{\"key\":\"c\",\"operator\":\"In\",\"values\":"
         "[\"e\",\"d\"]},"
         "{\"key\":\"f\",\"operator\":\"DoesNotExist\"},{\"key\":\"g\",\"operator\":\"Exists\",\"values\":[]}"
         ","
         "{\"key\":\"a\",\"operator\":\"NotIn\",\"values\":[\"x\"]}]}",
         "a notin (x),c in (d,e),!f,g,m=1"},
        {"[]", "!selector: want an object with matchLabels and matchExpressions"},
        {"{\"matchLabels\":[]}", "!selector: want an object with matchLabels and matchExpressions"},
        {"{\"matchLabels\":{\"a\":\"1,b=2\"}}", "!selector: a: not a label value"},
        {"{\"matchLabels\":{\"a\":1}}", "!selector: a: not a label value"},
        {"{\"matchLabels\":{\"a,b\":\"1\"}}", "!selector: \"a,b\" is not a label key"},
        {"{\"matchLabels\":{\"\":\"1\"}}", "!selector: \"\" is not a label key"},
        {"{\"matchLabels\":{\"/a\":\"1\"}}", "!selector: \"/a\" is not a label key"},
        {"{\"matchLabels\":{\"a/\":\"1\"}}", "!selector: \"a/\" is not a label key"},
        {"{\"matchLabels\":{\"a/b/c\":\"1\"}}", "!selector: \"a/b/c\" is not a label key"},
        {"{\"matchLabels\":{\"A.com/b\":\"1\"}}", "!selector: \"A.com/b\" is not a label key"},
        {"{\"matchLabels\":{\"a\":\"-x\"}}", "!selector: a: not a label value"},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\"}]}", "!selector: a: operator In needs values"},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\",\"values\":[\"ok\",\"b)\"]}]}",
         "!selector: a: value 1 is not a label value"},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\",\"values\":[3]}]}",
         "!selector: a: value 0 is not a label value"},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Exists\",\"values\":[\"b\"]}]}",
         "!selector: a: operator Exists takes no values"},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Gt\",\"values\":[\"1\"]}]}",
         "!selector: a: unknown operator \"Gt\""},
        {"{\"matchExpressions\":[{\"key\":\"a\"}]}", "!selector: matchExpressions[0]: want key and operator"},
        {"{\"matchExpressions\":[7]}", "!selector: matchExpressions[0]: want key and operator"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _json_cleanup_ json_t *j = parse(cases[i].json);
        struct buf b = BUF_INIT(1000);
        struct error err = ERROR_INIT;
        int r = selector_format(j, &b, &err);
        if (cases[i].want[0] == '!') {
            assert_true(r < 0);
            assert_string_equal(err.message, cases[i].want + 1);
        } else {
            assert_int_equal(r, 0);
            assert_string_equal(buf_str(&b), cases[i].want);
        }
        buf_done(&b);
    }
    struct buf small = BUF_INIT(3);
    struct error err;
    assert_int_equal(selector_format(NULL, &small, &err), 1); /* nothing is not everything */
    _json_cleanup_ json_t *null = parse("null"), *j = parse("{\"matchLabels\":{\"abc\":\"1\"}}");
    assert_int_equal(selector_format(null, &small, &err), 1);
    assert_true(selector_format(j, &small, &err) < 0); /* half a selector would select more */
    assert_int_equal(err.kind, ERROR_LIMIT);
    buf_done(&small);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(condition_status_name(CONDITION_TRUE), "True");
    assert_string_equal(condition_status_name(CONDITION_FALSE), "False");
    assert_string_equal(condition_status_name(CONDITION_UNKNOWN), "Unknown");
    assert_string_equal(status_reason_name(STATUS_TOO_LARGE), "RequestEntityTooLarge");
    for (int r = STATUS_UNAUTHORIZED; r <= STATUS_SERVICE_UNAVAILABLE; r++) {
        /* every name reads back as its reason */
        struct kube_status s;
        struct buf b = BUF_INIT(200);
        (void)buf_printf(&b, "{\"kind\":\"Status\",\"reason\":\"%s\"}", status_reason_name((enum status_reason)r));
        kube_status_decode(299, b.data, b.len, &s);
        assert_int_equal(s.reason, r);
        buf_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_object_meta), cmocka_unit_test(test_bad_meta),     cmocka_unit_test(test_keys),
        cmocka_unit_test(test_status),      cmocka_unit_test(test_status_sizes), cmocka_unit_test(test_selector),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

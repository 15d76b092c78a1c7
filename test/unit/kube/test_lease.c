/* Lease documents: what is not ours survives a write, and what is no Lease is refused. */
#include "base/clock.h"
#include "kube/lease.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char full[] = "{\"apiVersion\":\"coordination.k8s.io/"
                           "v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":\"op\",\"namespace\":\"sys\","
                           "\"uid\":\"u\",\"resourceVersion\":\"41\",\"labels\":{\"team\":\"a\"},"
                           "\"managedFields\":[{\"manager\":\"x\"}]},"
                           "\"spec\":{\"holderIdentity\":\"other\",\"leaseDurationSeconds\":15,"
                           "\"acquireTime\":\"2026-11-21T08:00:00.000000Z\","
                           "\"renewTime\":\"2026-11-21T08:48:03.000001Z\",\"leaseTransitions\":3,"
                           "\"strategy\":\"OldestEmulationVersion\","
                           "\"preferredHolder\":\"third\",\"ofTheFuture\":{\"x\":[1]}}}";

static struct lease decoded(const char *text)
{
    struct lease l;
    struct error err = ERROR_INIT;
    if (lease_decode(text, strlen(text), &l, &err) < 0)
        fail_msg("%s", error_text(&err));
    return l;
}

static void test_decode(void **state)
{
    (void)state;
    struct lease l = decoded(full);
    assert_string_equal(l.record.holder, "other");
    assert_int_equal(l.record.duration_s, 15);
    assert_int_equal(l.record.transitions, 3);
    assert_string_equal(l.record.renew_time, "2026-11-21T08:48:03.000001Z");
    lease_done(&l);
    l = decoded("{\"kind\":\"Lease\",\"metadata\":{\"resourceVersion\":\"1\"}}");
    assert_string_equal(l.record.holder, "");
    assert_int_equal(l.record.duration_s, 0);
    lease_done(&l);
    /* Numbers that are none, negative, or beyond int32 must not make a lease that never ends. */
    l = decoded("{\"kind\":\"Lease\",\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":{\"leaseDurationSeconds\":-5,"
                "\"leaseTransitions\":9223372036854775807,\"holderIdentity\":null}}");
    assert_int_equal(l.record.duration_s, 0);
    assert_int_equal(l.record.transitions, INT32_MAX);
    lease_done(&l);
}

static void test_refuses_what_is_no_lease(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"kind\":\"Status\",\"metadata\":{\"resourceVersion\":\"1\"}}",
        "{\"kind\":\"Lease\",\"metadata\":{}}",
        "{\"kind\":\"Lease\",\"metadata\":{\"resourceVersion\":7}}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct lease l;
        struct error err = ERROR_INIT;
        assert_true(lease_decode(texts[i], strlen(texts[i]), &l, &err) < 0);
        assert_int_equal(err.kind, ERROR_PARSE);
    }
}

static void test_equal(void **state)
{
    (void)state;
    struct lease a = decoded(full), b = decoded(full);
    assert_true(lease_record_equal(&a.record, &b.record));
    b.record.renew_time[18] = '4';
    assert_false(lease_record_equal(&a.record, &b.record));
    lease_done(&b);
    b = decoded(full);
    b.record.transitions++;
    assert_false(lease_record_equal(&a.record, &b.record));
    lease_done(&a);
    lease_done(&b);
}

static void test_write_keeps_the_rest(void **state)
{
    (void)state;
    struct lease base = decoded(full);
    struct buf out = BUF_INIT(4096);
    struct error err = ERROR_INIT;
    struct lease_update update = {.holder = "us",
                                  .duration_s = 15,
                                  .transitions = 4,
                                  .renew_real_us = INT64_C(1795251000) * USEC_PER_SEC + 5,
                                  .acquire_real_us = -1};
    assert_int_equal(lease_encode(&out, &base, "sys", "op", &update, &err), 0);
    _json_cleanup_ json_t *root = json_parse(out.data, out.len, &err);
    assert_non_null(root);
    assert_string_equal(json_str(root, "metadata.resourceVersion"), "41");
    assert_string_equal(json_str(root, "metadata.labels.team"), "a");
    assert_null(json_at(root, "metadata.managedFields"));
    assert_string_equal(json_str(root, "spec.strategy"), "OldestEmulationVersion");
    assert_string_equal(json_str(root, "spec.preferredHolder"), "third");
    assert_non_null(json_at(root, "spec.ofTheFuture.x"));
    assert_string_equal(json_str(root, "spec.holderIdentity"), "us");
    assert_int_equal(json_int(root, "spec.leaseTransitions", -1), 4);
    assert_string_equal(json_str(root, "spec.acquireTime"), "2026-11-21T08:00:00.000000Z");
    assert_string_equal(json_str(root, "spec.renewTime"), "2026-11-21T08:50:00.000005Z");
    buf_done(&out);
    lease_done(&base);
}

static void test_create(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(4096);
    struct error err = ERROR_INIT;
    struct lease_update update = {.holder = "us", .duration_s = 15, .renew_real_us = 0, .acquire_real_us = 0};
    assert_int_equal(lease_encode(&out, NULL, "sys", "op", &update, &err), 0);
    assert_string_equal(out.data,
                        "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":"
                        "\"op\",\"namespace\":\"sys\"},\"spec\":{\"acquireTime\":\"1970-01-01T00:00:00.000000Z\","
                        "\"holderIdentity\":\"us\",\"leaseDurationSeconds\":15,\"leaseTransitions\":0,"
                        "\"renewTime\":\"1970-01-01T00:00:00.000000Z\"}}");
    buf_done(&out);
    struct buf small = BUF_INIT(16);
    assert_true(lease_encode(&small, NULL, "sys", "op", &update, &err) < 0);
    assert_int_equal(err.kind, ERROR_LIMIT);
    buf_done(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode), cmocka_unit_test(test_refuses_what_is_no_lease),
        cmocka_unit_test(test_equal),  cmocka_unit_test(test_write_keeps_the_rest),
        cmocka_unit_test(test_create),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Checkpoints: names that are always valid, bodies that read back, samples that are what they were. */
#include "api/pa.h"
#include "api/pa_checkpoint.h"
#include "base/str.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW INT64_C(1767225600000000)

static struct pa_checkpoint backfill(void)
{
    struct pa_checkpoint c = {.part = PA_PART_BACKFILL, .time_us = NOW, .has_backfill = true};
    c.backfill = (struct pa_backfill){.metric = "cpu", .start_us = NOW, .interval_s = 300};
    (void)str_copy(c.autoscaler.name, sizeof c.autoscaler.name, "web");
    return c;
}

static json_t *body_of(const struct pa_checkpoint *c, const struct pa_checkpoint_owner *owner)
{
    struct buf out = BUF_INIT(1 << 20);
    struct error err = ERROR_INIT;
    pa_checkpoint_body(c, "shop", owner, &out);
    json_t *object = json_parse(out.data, out.len, &err);
    assert_non_null(object);
    buf_done(&out);
    return object;
}

static void samples_survive(void **state UNUSED)
{
    static const float samples[] = {0, 1.5f, 3.4e38f, 1e-45f, NAN, 7};
    float back[PA_BACKFILL_MAX_SAMPLES];
    struct pa_checkpoint c = backfill(), read;
    struct error err = ERROR_INIT;
    pa_backfill_put(&c, samples, ARRAY_SIZE(samples));
    _json_cleanup_ json_t *object = body_of(&c, NULL);
    assert_string_equal(json_str(object, "metadata.name"), "web-backfill");
    assert_null(json_at(object, "metadata.ownerReferences"));
    assert_null(json_at(object, "spec.autoscaler.uid"));
    assert_null(json_at(object, "spec.expireTime"));
    assert_int_equal(pa_checkpoint_decode(object, &read, &err), 0);
    assert_int_equal(read.part, PA_PART_BACKFILL);
    assert_string_equal(read.backfill.metric, "cpu");
    assert_int_equal(read.backfill.start_us, NOW);
    assert_int_equal(pa_backfill_get(&read, back, &err), ARRAY_SIZE(samples));
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
        assert_true((isnan(samples[i]) && isnan(back[i])) || memcmp(&samples[i], &back[i], 4) == 0);
    pa_checkpoint_done(&c);
    pa_checkpoint_done(&read);
}

static void bad_samples_are_refused(void **state UNUSED)
{
    static const struct {
        unsigned char bytes[8];
        size_t len;
        const char *message;
    } cases[] = {
        {{0, 0, 0}, 3, "the data is not whole float32 samples: 3 bytes"},
        {{0, 0, 0x80, 0x3f, 0, 0, 0x80, 0x7f}, 8, "sample 1 is infinite"},
        {{0, 0, 0x80, 0xbf}, 4, "sample 0 is negative"},
        {{0, 0, 0x80, 0xff}, 4, "sample 0 is negative"},
    };
    float back[PA_BACKFILL_MAX_SAMPLES];
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct pa_checkpoint c = backfill();
        struct error err = ERROR_INIT;
        buf_init(&c.data, 100);
        (void)buf_append(&c.data, cases[i].bytes, cases[i].len);
        assert_true(pa_backfill_get(&c, back, &err) < 0);
        assert_string_equal(err.message, cases[i].message);
        pa_checkpoint_done(&c);
    }
    struct pa_checkpoint c = backfill();
    struct error err = ERROR_INIT;
    float *many = calloc(PA_BACKFILL_MAX_SAMPLES + 1, sizeof *many);
    pa_backfill_put(&c, many, PA_BACKFILL_MAX_SAMPLES);
    (void)buf_append(&c.data, many, sizeof *many);
    assert_true(pa_backfill_get(&c, back, &err) < 0);
    free(many);
    pa_checkpoint_done(&c);
}

static void a_state_reads_back(void **state UNUSED)
{
    struct pa_checkpoint c = {.part = PA_PART_TAIL, .time_us = NOW, .expire_us = NOW + 1000000, .has_target = true},
                         read;
    const struct pa_checkpoint_owner owner = {PA_API_VERSION, PA_KIND, "web", "u-1"};
    struct error err = ERROR_INIT;
    (void)str_copy(c.autoscaler.name, sizeof c.autoscaler.name, "web");
    (void)str_copy(c.autoscaler.uid, sizeof c.autoscaler.uid, "u-1");
    c.target = (struct pa_checkpoint_target){.kind = "Deployment", .name = "web", .uid = "u-2"};
    buf_init(&c.data, PA_CHECKPOINT_MAX_DATA);
    for (int i = 0; i < PA_CHECKPOINT_MAX_DATA; i++) /* as large as it gets */
        (void)buf_putc(&c.data, (char)(i * 31));
    _json_cleanup_ json_t *object = body_of(&c, &owner);
    assert_int_equal(strlen(json_str(object, "spec.data")), 131072);
    const json_t *reference = json_array_get(json_at(object, "metadata.ownerReferences"), 0);
    assert_string_equal(json_str(reference, "uid"), "u-1");
    assert_int_equal(pa_checkpoint_decode(object, &read, &err), 0);
    assert_int_equal(read.expire_us, NOW + 1000000);
    assert_string_equal(read.target.uid, "u-2");
    assert_int_equal(read.data.len, c.data.len);
    assert_memory_equal(read.data.data, c.data.data, c.data.len);
    pa_checkpoint_done(&read);
    pa_checkpoint_done(&c);
}

static void bad_objects_are_refused(void **state UNUSED)
{
#define BACKFILL "\"autoscaler\":{\"name\":\"web\"},\"part\":\"Backfill\",\"time\":\"2026-01-01T00:00:00Z\""
    static const struct {
        const char *spec, *message;
    } cases[] = {
        {"{" BACKFILL ",\"data\":\"AAAA\"}", "spec.backfill: is required when part is Backfill, and only then"},
        {"{" BACKFILL ",\"data\":\"AAA\"}", "spec.data: is too short"},
        {"{" BACKFILL ",\"data\":\"AA=A\"}", "spec.data: is not base64"},
        {"{" BACKFILL ",\"data\":\"AA AA===\"}", "spec.data: is not base64"},
        {"{" BACKFILL ",\"data\":\"AAAA\",\"backfill\":{\"metric\":\"cpu\",\"startTime\":\"2026-01-01T00:00:"
         "01Z\",\"intervalSeconds\":300}}",
         "spec.backfill.startTime: must be a multiple of intervalSeconds in Unix time"},
        {"{" BACKFILL ",\"data\":\"AAAA\",\"backfill\":{\"metric\":\"cpu\",\"startTime\":\"yesterday\","
         "\"intervalSeconds\":300}}",
         "spec.backfill.startTime: want a time such as 2026-01-31T08:00:00Z"},
        {"{\"autoscaler\":{\"name\":\"web\"},\"part\":\"Tail\",\"time\":\"2026-01-01T00:00:00Z\",\"data\":"
         "\"AAAA\"}",
         "spec: autoscaler.uid and target are required when part is Tail or History"},
        {"7", "spec: want an object, have an integer"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[1024];
        struct error err = ERROR_INIT;
        struct pa_checkpoint c;
        (void)snprintf(text, sizeof text, "{\"spec\":%s}", cases[i].spec);
        _json_cleanup_ json_t *object = json_parse(text, strlen(text), &err);
        assert_non_null(object);
        assert_true(pa_checkpoint_decode(object, &c, &err) < 0);
        if (strncmp(err.message, cases[i].message, strlen(cases[i].message)) != 0)
            assert_string_equal(err.message, cases[i].message);
    }
}

static void names_fit(void **state UNUSED)
{
    char name[API_NAME_CAP], other[API_NAME_CAP], stem[254];
    pa_checkpoint_name(name, "web", PA_PART_HISTORY);
    assert_string_equal(name, "web-history");
    for (size_t n = 230; n <= 253; n++) {
        memset(stem, 'a', n);
        stem[n] = '\0';
        for (size_t dot = n - 40; dot < n - 1; dot += 2)
            stem[dot] = dot % 3 ? '.' : '-';
        for (int part = PA_PART_TAIL; part <= PA_PART_BACKFILL; part++) {
            pa_checkpoint_name(name, stem, (enum pa_checkpoint_part)part);
            if (strlen(name) > 253 || !schema_dns_subdomain.matches(name))
                fail_msg("%s", name);
        }
    }
    pa_checkpoint_name(name, stem, PA_PART_TAIL);
    stem[252] = 'b';
    pa_checkpoint_name(other, stem, PA_PART_TAIL);
    assert_string_not_equal(name, other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_survive),    cmocka_unit_test(bad_samples_are_refused),
        cmocka_unit_test(a_state_reads_back), cmocka_unit_test(bad_objects_are_refused),
        cmocka_unit_test(names_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

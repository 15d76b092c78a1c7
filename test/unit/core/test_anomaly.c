/* The detector of anomalies: what it must find and must leave alone, the same answers from the same rows with and
 * without rests, checkpoints and other seeds, and what an anomaly does to scaling. */
#include "demand_fixture.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "core/anomaly.h"

#define ROWS 3000
#define CAP  2016

static struct anomaly_config config(uint32_t metrics)
{
    return (struct anomaly_config){
        .n_metrics = metrics, .season = DAY, .seed = 42, .sensitivity = ANOMALY_SENSITIVITY_MEDIUM};
}

/* A detector with the series it looks at. */
struct run {
    struct anomaly_config config;
    struct anomaly *a;
    struct series series[ANOMALY_MAX_METRICS];
    const struct series *all[ANOMALY_MAX_METRICS];
};

static void run_init(struct run *r, uint32_t metrics, uint32_t cap)
{
    *r = (struct run){.config = config(metrics)};
    for (uint32_t m = 0; m < metrics; m++) {
        series_init(&r->series[m], cap);
        series_skip_to(&r->series[m], 5666000);
        r->all[m] = &r->series[m];
    }
    r->a = anomaly_new(&r->config);
}

static void run_done(struct run *r)
{
    anomaly_free(r->a);
    for (uint32_t m = 0; m < r->config.n_metrics; m++)
        series_done(&r->series[m]);
}

static struct anomaly_result run_take(struct run *r, const double *values)
{
    struct anomaly_result result = anomaly_judge(r->a, r->all, r->series[0].next, values);
    for (uint32_t m = 0; m < r->config.n_metrics; m++)
        series_push(&r->series[m], values[m], 0);
    assert_true(result.score >= 0 && result.score <= 1);
    assert_true(result.is_anomaly == (result.severity != ANOMALY_NONE) && (!result.is_anomaly || result.unusual));
    return result;
}

static double noisy(int64_t i, uint64_t *seed)
{
    return daily(i, DAY) * (0.95 + 0.1 * uniform(seed));
}

static void ordinary_days_are_quiet(void **state)
{
    (void)state;
    struct run r;
    uint64_t seed = 3;
    uint32_t alarms = 0;
    run_init(&r, 1, CAP);
    for (int i = 0; i < ROWS; i++) {
        double v = noisy(i, &seed);
        struct anomaly_result result = run_take(&r, &v);
        alarms += result.is_anomaly;
        assert_true(i >= ANOMALY_WARMUP || !(result.score > 0));
    }
    assert_true(alarms <= 4); /* in ten days */
    run_done(&r);
}

/* What the alarm at `at` is, or the first of the `within` rows from there; rows before it as on ordinary days. */
static struct anomaly_result first_alarm(struct run *r, int at, int within, double (*odd)(int i, double usual))
{
    uint64_t seed = 3;
    for (int i = 0; i < at + within; i++) {
        double v = noisy(i, &seed);
        v = i >= at ? odd(i - at, v) : v;
        struct anomaly_result result = run_take(r, &v);
        if (i >= at && result.is_anomaly)
            return result;
    }
    return (struct anomaly_result){0};
}

static double spike(int i, double usual)
{
    return i == 0 ? 5 * usual + 100 : usual;
}
static double outage(int i, double usual)
{
    (void)i;
    (void)usual;
    return 0;
}
static double half_as_much_again(int i, double usual)
{
    (void)i;
    return 1.5 * usual + 40;
}

static void finds_what_is_odd(void **state)
{
    (void)state;
    static const struct {
        double (*odd)(int, double);
        int at, within;
        enum anomaly_severity least;
    } cases[] = {
        {spike, 2000, 1, ANOMALY_HIGH},
        {outage, 2016 + 144, 6, ANOMALY_MEDIUM},
        {half_as_much_again, 2016, 12, ANOMALY_MEDIUM},
        {spike, 60, 1, ANOMALY_LOW},
        {spike, 500, 1, ANOMALY_MEDIUM},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct run r;
        run_init(&r, 1, CAP);
        struct anomaly_result result = first_alarm(&r, cases[i].at, cases[i].within, cases[i].odd);
        assert_true(result.is_anomaly);
        assert_true(result.severity >= cases[i].least);
        run_done(&r);
    }
}

static void one_alarm_per_event(void **state)
{
    (void)state;
    struct run r;
    uint64_t seed = 3;
    uint32_t alarms = 0, unusual = 0;
    run_init(&r, 1, CAP);
    for (int i = 0; i < 2100; i++) {
        double v = noisy(i, &seed);
        v = i >= 2000 && i < 2020 ? 400 : v;
        struct anomaly_result result = run_take(&r, &v);
        alarms += i >= 2000 && result.is_anomaly;
        unusual += i >= 2000 && i < 2020 && result.unusual;
    }
    assert_in_range(alarms, 1, 3); /* it is reported again only while it grows stranger still */
    assert_true(unusual >= 15);
    run_done(&r);
}

/* A level that lasts is the level: with days of it remembered, coming back to it is nothing, leaving it is. */
static void a_lasting_level_is_the_level(void **state)
{
    (void)state;
    struct run r;
    uint64_t seed = 3;
    uint32_t late = 0;
    run_init(&r, 1, CAP);
    for (int i = 0; i < 4000; i++) {
        double v = noisy(i, &seed) + (i >= 2016 ? 300 : 0);
        struct anomaly_result result = run_take(&r, &v);
        late += i >= 2016 + DAY && result.unusual;
    }
    assert_true(late <= 6);
    run_done(&r);
}

static void tells_which_metric_of_several(void **state)
{
    (void)state;
    struct run r;
    uint64_t seed = 3;
    run_init(&r, 4, 600);
    bool found = false;
    for (int i = 0; i < 1500; i++) {
        double v[4] = {noisy(i, &seed), 1e9 * noisy(i, &seed), 5, i % 3 ? noisy(i, &seed) / 100 : (double)NAN};
        if (i == 1400)
            v[2] = 9;
        struct anomaly_result result = run_take(&r, v);
        found |= i == 1400 && result.is_anomaly;
    }
    assert_true(found);
    run_done(&r);
}

/* No data is never an anomaly, and neither gaps nor the ends of the range of floats hurt. */
static void survives_any_values(void **state)
{
    (void)state;
    static const double odd[] = {0, -0.0, 1e308, -1e308, 5e-324, 1e30, -1e30, (double)INFINITY, (double)NAN, 1};
    static const uint32_t capacities[] = {12, 64, 300, 700};
    uint64_t seed = 5;
    for (size_t c = 0; c < ARRAY_SIZE(capacities); c++) {
        struct run r;
        run_init(&r, 2, capacities[c]);
        for (int i = 0; i < 1200; i++) {
            double v[2] = {odd[dice(&seed) % ARRAY_SIZE(odd)], odd[dice(&seed) % ARRAY_SIZE(odd)]};
            struct anomaly_result result = run_take(&r, v);
            assert_true(!(isnan(v[0]) && isnan(v[1])) || !result.unusual);
            uint64_t gap = dice(&seed) % 50 == 0 ? dice(&seed) % 1000 : 0; /* time without rows */
            for (uint32_t m = 0; m < 2; m++)
                series_skip_to(&r.series[m], r.series[m].next + (int64_t)gap);
        }
        run_done(&r);
    }
}

/* Four runs over the same rows: plain, resting after each row, encoded and decoded after each row, and both now and
 * then. All answers and all encodings are the same, bit for bit. */
static void the_same_with_rests_and_checkpoints(void **state)
{
    (void)state;
    struct run runs[4];
    uint64_t seed = 7, when = 9;
    for (int k = 0; k < 4; k++)
        run_init(&runs[k], 2, 300);
    for (int i = 0; i < 260; i++) {
        double v[2] = {noisy(i, &seed), uniform(&seed) < 0.02 ? 500 : 10 * uniform(&seed)};
        struct anomaly_result first = {0};
        struct buf bytes[4];
        for (int k = 0; k < 4; k++) {
            struct anomaly_result result = run_take(&runs[k], v);
            if (k == 0)
                first = result;
            assert_memory_equal(&result.score, &first.score, sizeof first.score);
            assert_true(result.is_anomaly == first.is_anomaly && result.unusual == first.unusual);
            bool now = k == 3 && dice(&when) % 7 == 0;
            bytes[k] = BUF_INIT(1 << 16);
            anomaly_encode(runs[k].a, &(struct codec_writer){&bytes[k]});
            assert_true(bytes[k].len == bytes[0].len && memcmp(bytes[k].data, bytes[0].data, bytes[0].len) == 0);
            if (k == 1 || now)
                anomaly_rest(runs[k].a);
            if ((k == 2 && (i < 60 || i % 16 == 0)) || now) { /* each fits a forest: not at every row */
                struct codec_reader r = codec_reader(bytes[k].data, bytes[k].len);
                anomaly_free(runs[k].a);
                runs[k].a = anomaly_decode(&runs[k].config, &r);
                assert_non_null(runs[k].a);
                assert_true(codec_done(&r));
            }
        }
        for (int k = 0; k < 4; k++)
            buf_done(&bytes[k]);
    }
    for (int k = 0; k < 4; k++)
        run_done(&runs[k]);
}

static void what_is_no_state_is_refused(void **state)
{
    (void)state;
    struct run r;
    uint64_t seed = 3;
    run_init(&r, 1, 500);
    for (int i = 0; i < 100; i++) {
        double v = noisy(i, &seed);
        run_take(&r, &v);
    }
    _cleanup_(buf_done) struct buf b = BUF_INIT(1 << 16);
    anomaly_encode(r.a, &(struct codec_writer){&b});
    for (size_t len = 0; len < b.len; len++) {
        struct codec_reader cut = codec_reader(b.data, len);
        assert_null(anomaly_decode(&r.config, &cut));
    }
    struct anomaly_config other = config(2);
    struct codec_reader of_another = codec_reader(b.data, b.len);
    assert_null(anomaly_decode(&other, &of_another));
    for (int i = 0; i < 20000; i++) { /* damaged bytes give a detector that works, or none */
        _cleanup_(freep) char *damaged = xcalloc(b.len, 1);
        memcpy(damaged, b.data, b.len);
        for (uint64_t k = dice(&seed) % 4 + 1; k-- > 0;)
            damaged[dice(&seed) % b.len] = (char)dice(&seed);
        struct codec_reader reader = codec_reader(damaged, b.len);
        struct anomaly *a = anomaly_decode(&r.config, &reader);
        anomaly_free(a);
    }
    run_done(&r);
}

static void history_before_the_first_row_counts(void **state)
{
    (void)state;
    struct run r;
    uint64_t seed = 3;
    run_init(&r, 1, CAP);
    for (int i = 0; i < 2000; i++)
        series_push(&r.series[0], noisy(i, &seed), 0); /* a backfill: nobody judged these */
    double v = 900;
    struct anomaly_result result = run_take(&r, &v);
    assert_true(result.is_anomaly && result.severity == ANOMALY_HIGH);
    run_done(&r);
}

static void memory_is_small_at_rest(void **state)
{
    (void)state;
    struct run r;
    uint64_t seed = 3;
    run_init(&r, 1, CAP);
    for (int i = 0; i < 100; i++) {
        double v = noisy(i, &seed);
        run_take(&r, &v);
    }
    assert_true(anomaly_memory(r.a) > 100000);
    anomaly_rest(r.a);
    assert_true(anomaly_memory(r.a) <= 1700);
    run_done(&r);
}

/* ---- what it does to scaling ---- */

#define ALARM   (&(struct anomaly_result){.score = 0.9, .is_anomaly = true, .unusual = true, .severity = ANOMALY_HIGH})
#define UNUSUAL (&(struct anomaly_result){.score = 0.2, .unusual = true})
#define USUAL   (&(struct anomaly_result){.score = 0.1})

static void excludes_a_dozen_rows_of_an_episode(void **state)
{
    (void)state;
    struct anomaly_policy p = {0};
    int64_t t = T0;
    assert_false(anomaly_policy_excludes(&p, ANOMALY_EXCLUDE_SAMPLES, UNUSUAL, t)); /* no alarm: no episode */
    for (int i = 0; i < 40; i++, t += 300 * S)
        assert_true(anomaly_policy_excludes(&p, ANOMALY_EXCLUDE_SAMPLES, i ? UNUSUAL : ALARM, t) ==
                    (i < ANOMALY_MAX_EXCLUDED));
    for (int i = 0; i < ANOMALY_CALM; i++, t += 300 * S)
        assert_false(anomaly_policy_excludes(&p, ANOMALY_EXCLUDE_SAMPLES, USUAL, t));
    assert_true(anomaly_policy_excludes(&p, ANOMALY_EXCLUDE_SAMPLES, ALARM, t)); /* the next one */
}

static void off_excludes_and_holds_nothing(void **state)
{
    (void)state;
    struct anomaly_policy p = {0};
    assert_false(anomaly_policy_excludes(&p, ANOMALY_OFF, ALARM, T0));
    assert_false(anomaly_policy_holds(&p, ANOMALY_OFF, T0));
    assert_false(anomaly_policy_is_reactive(&p, ANOMALY_OFF, T0));
}

static void holds_half_an_hour_at_most(void **state)
{
    (void)state;
    static const struct {
        enum anomaly_mode mode;
        bool holds, reactive;
    } modes[] = {{ANOMALY_EXCLUDE_SAMPLES, false, false},
                 {ANOMALY_HOLD_SCALE_DOWN, true, false},
                 {ANOMALY_REACTIVE_ONLY, false, true}};
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        struct anomaly_policy p = {0};
        assert_false(anomaly_policy_holds(&p, modes[i].mode, T0));
        for (int64_t s = 0; s < 7200; s += 15) {
            if (s % 300 == 0)
                (void)anomaly_policy_excludes(&p, modes[i].mode, s ? UNUSUAL : ALARM, T0 + s * S);
            bool early = s < ANOMALY_MAX_HOLD_S;
            assert_true(anomaly_policy_holds(&p, modes[i].mode, T0 + s * S) == (early && modes[i].holds));
            assert_true(anomaly_policy_is_reactive(&p, modes[i].mode, T0 + s * S) == (early && modes[i].reactive));
        }
    }
}

static void an_episode_ends_when_it_is_calm(void **state)
{
    (void)state;
    struct anomaly_policy p = {0};
    (void)anomaly_policy_excludes(&p, ANOMALY_HOLD_SCALE_DOWN, ALARM, T0);
    for (int i = 1; i <= ANOMALY_CALM; i++) {
        assert_true(anomaly_policy_holds(&p, ANOMALY_HOLD_SCALE_DOWN, T0 + i * 10 * S));
        (void)anomaly_policy_excludes(&p, ANOMALY_HOLD_SCALE_DOWN, USUAL, T0 + i * 10 * S);
    }
    assert_false(anomaly_policy_holds(&p, ANOMALY_HOLD_SCALE_DOWN, T0 + 121 * S));
}

static void policy_round_trip(void **state)
{
    (void)state;
    uint64_t seed = 11;
    struct anomaly_policy p = {0};
    for (int i = 0; i < 500; i++) {
        uint64_t roll = dice(&seed) % 10;
        const struct anomaly_result *row = roll == 0 ? ALARM : roll < 5 ? UNUSUAL : USUAL;
        struct anomaly_policy q = {.since_us = 1, .excluded = 1};
        _cleanup_(buf_done) struct buf b = BUF_INIT(64);
        anomaly_policy_encode(&p, &(struct codec_writer){&b});
        struct codec_reader r = codec_reader(b.data, b.len);
        assert_int_equal(anomaly_policy_decode(&q, &r), 0);
        assert_true(p.since_us == q.since_us && p.excluded == q.excluded && p.calm == q.calm);
        assert_true(anomaly_policy_excludes(&p, ANOMALY_EXCLUDE_SAMPLES, row, T0 + i) ==
                    anomaly_policy_excludes(&q, ANOMALY_EXCLUDE_SAMPLES, row, T0 + i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_days_are_quiet),
        cmocka_unit_test(finds_what_is_odd),
        cmocka_unit_test(one_alarm_per_event),
        cmocka_unit_test(a_lasting_level_is_the_level),
        cmocka_unit_test(tells_which_metric_of_several),
        cmocka_unit_test(survives_any_values),
        cmocka_unit_test(the_same_with_rests_and_checkpoints),
        cmocka_unit_test(what_is_no_state_is_refused),
        cmocka_unit_test(history_before_the_first_row_counts),
        cmocka_unit_test(memory_is_small_at_rest),
        cmocka_unit_test(excludes_a_dozen_rows_of_an_episode),
        cmocka_unit_test(off_excludes_and_holds_nothing),
        cmocka_unit_test(holds_half_an_hour_at_most),
        cmocka_unit_test(an_episode_ends_when_it_is_calm),
        cmocka_unit_test(policy_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

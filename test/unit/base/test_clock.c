/* The machine's clock moves as a clock does; the fake one only when it is told to. */
#include "test/unit/base/unit.h"

#include "base/clock.h"

#include <time.h>

static void test_system(void **state UNUSED)
{
    int64_t before = clock_boot_us(&clock_system);
    int64_t real = clock_real_us(&clock_system);
    int64_t after = clock_boot_us(&clock_system);
    assert_true(before > 0 && after >= before);
    /* Another clock of the kernel says the same, within a minute. */
    time_t now = time(NULL);
    assert_true(real / USEC_PER_SEC >= now - 60 && real / USEC_PER_SEC <= now + 60);
    struct timespec ts;
    assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &ts), 0);
    assert_true(before / USEC_PER_SEC >= ts.tv_sec - 60 && before / USEC_PER_SEC <= ts.tv_sec);
}

static void test_fake(void **state UNUSED)
{
    struct clock_fake fake;
    clock_fake_init(&fake, 123456789);
    assert_int_equal(clock_real_us(&fake.clock), 123456789);
    assert_int_equal(clock_boot_us(&fake.clock), CLOCK_FAKE_BOOT_US);
    clock_fake_advance(&fake, 5 * USEC_PER_MSEC);
    assert_int_equal(clock_real_us(&fake.clock), 123456789 + 5000);
    assert_int_equal(clock_boot_us(&fake.clock), CLOCK_FAKE_BOOT_US + 5000);
    fake.real_us -= 3600 * USEC_PER_SEC;
    assert_int_equal(clock_boot_us(&fake.clock), CLOCK_FAKE_BOOT_US + 5000);
    assert_int_equal(clock_real_us(&fake.clock), 123456789 + 5000 - 3600 * USEC_PER_SEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_system),
        cmocka_unit_test(test_fake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

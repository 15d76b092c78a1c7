/* What a registry exposes, to the byte. */
#ifndef TEST_UNIT_BASE_EXPOSITION_H
#define TEST_UNIT_BASE_EXPOSITION_H

#include "base/metrics.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static inline void check_exposition(struct metrics *m, bool openmetrics, const char *want)
{
    struct buf out = BUF_INIT(1 << 20);
    metrics_write(m, &out, openmetrics);
    assert_string_equal(buf_str(&out), want);
    buf_done(&out);
}

#endif

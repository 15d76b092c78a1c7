/* cmocka wants these headers before its own, in every test. */
#ifndef TEST_UNIT_BASE_UNIT_H
#define TEST_UNIT_BASE_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

/* Says which row of a table failed. */
#define check_row(row, condition)                                                                                      \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            fail_msg("%s: %s", (row), #condition);                                                                     \
    } while (0)

#endif

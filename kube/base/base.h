/* The words that every file of the project may use: attributes, scoped cleanup, checked arithmetic.
 *
 * Ownership words used in all headers:
 *   takes   the callee owns the argument afterwards
 *   gives   the caller owns the result
 *   borrows the callee (or caller) may use it until the point that is named
 * A pointer argument is borrowed for the call where nothing else is said.
 *
 * Return values: `int f(..., struct error *err)` gives 0 on success; > 0 is a documented outcome that the
 * caller must handle; < 0 is a failure, `err` is filled and is passed up with context. The owner of the
 * operation logs it, once.
 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PRINTF_LIKE(fmt_index, args_index) __attribute__((format(printf, fmt_index, args_index)))
#define MUST_USE                           __attribute__((warn_unused_result))
#define UNUSED                             __attribute__((unused))
#define _cleanup_(fn)                      __attribute__((cleanup(fn)))

#define ARRAY_SIZE(a)    (sizeof(a) / sizeof((a)[0]))
#define STATIC_ASSERT(e) _Static_assert(e, #e)
#define MIN(a, b)        ((a) < (b) ? (a) : (b))
#define MAX(a, b)        ((a) > (b) ? (a) : (b))

/* The container of an embedded member (intrusive lists, heap nodes); `type` may be const. */
#define CONTAINER_OF(ptr, type, member) ((type *)((uintptr_t)(ptr)-offsetof(type, member)))

/* Hands a pointer over and forgets it, so that its scoped cleanup does nothing. */
#define TAKE_PTR(p)                                                                                                    \
    ({                                                                                                                 \
        __auto_type take_ptr_value_ = (p);                                                                             \
        (p) = NULL;                                                                                                    \
        take_ptr_value_;                                                                                               \
    })

/* Defines `type_freep` for `_cleanup_(type_freep)` from a free function that accepts NULL. */
#define DEFINE_CLEANUP(type, free_fn)                                                                                  \
    static inline void free_fn##p(type *p)                                                                             \
    {                                                                                                                  \
        if (*p)                                                                                                        \
            free_fn(*p);                                                                                               \
    }                                                                                                                  \
    struct base_semicolon_eater_

#endif

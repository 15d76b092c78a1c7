/* What the fuzz targets share: a claim that ends the program, so that libFuzzer keeps the input that broke it. */
#ifndef TEST_FUZZ_H
#define TEST_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CLAIM(x)                                                                                                       \
    do {                                                                                                               \
        if (!(x)) {                                                                                                    \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #x);                                            \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* A refusal says why, in one line. */
static inline void claim_message(const struct error *err)
{
    CLAIM(err->kind != ERROR_NONE && err->message[0] != '\0');
    for (const char *c = err->message; *c; c++)
        CLAIM((unsigned char)*c >= ' ');
}

#endif

/* See names.h. */
#include "api/names.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define HASH_CHARS 17 /* "-" and 64 bits in hexadecimal */

void api_fit_name(char out[API_NAME_CAP], const char *stem, const char *suffix)
{
    size_t n = strlen(stem), tail = strlen(suffix);
    assert(tail + HASH_CHARS + 1 < API_NAME_CAP);
    if (n + tail < API_NAME_CAP) {
        memcpy(out, stem, n + 1);
        memcpy(out + n, suffix, tail + 1);
        return;
    }
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a: names are not chosen to collide with one's own */
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (unsigned char)stem[i]) * UINT64_C(0x100000001b3);
    size_t keep = API_NAME_CAP - 1 - HASH_CHARS - tail;
    while (keep > 0 && (stem[keep - 1] == '.' || stem[keep - 1] == '-'))
        keep--; /* a part of a name does not end so */
    (void)snprintf(out, API_NAME_CAP, "%.*s-%016llx%s", (int)keep, stem, (unsigned long long)hash, suffix);
}

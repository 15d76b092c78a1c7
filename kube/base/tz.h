/* Time zones: from UTC to what a clock on the wall shows, and back. Read from TZif files (RFC 8536, versions 2 to 4) by
 * ourselves: no TZ variable, no localtime(), nothing of the process changes, and any number of zones are in use at
 * once. After the last transition of a file its POSIX rule counts, so that no zone ends in 2037.
 *
 * All times are seconds: UTC since 1970, and local time as the seconds that a wall clock would have counted since its
 * own 1970-01-01 00:00.
 */
#ifndef BASE_TZ_H
#define BASE_TZ_H

#include "base/base.h"
#include "base/error.h"

#define TZ_MAX_NAME  47
#define TZ_DIRECTORY "/usr/share/zoneinfo"

struct tz;

/* UTC is always there, without any file. Not to be freed. */
const struct tz *tz_utc(void);

/* The zone of the bytes of a TZif file. At most 64 KiB; files that count leap seconds ("right/...") are refused. */
struct tz *tz_parse(const void *data, size_t len, struct error *err);
/* The zone `name` ("Europe/Berlin") below `directory`. The name is looked at before any path is made of it: words of
 * letters, digits, "_", "+" and "-", the first one with a capital, so that it can't lead anywhere else. */
struct tz *tz_load(const char *directory, const char *name, struct error *err);
struct tz *tz_free(struct tz *tz);

/* Seconds east of UTC at `utc_s`, and the first second from which another offset may hold (INT64_MAX: never). */
int32_t tz_offset_s(const struct tz *tz, int64_t utc_s, int64_t *ret_until_s);

/* The first moment at which the wall clock shows `local_s` or later: of a time that it skips the end of the gap, of one
 * that it shows twice the first. */
int64_t tz_first_s(const struct tz *tz, int64_t local_s);
/* The latest time that the wall clock has shown up to and in this second. While an hour is repeated that is the last
 * second of its first time. tz_first_s(local) <= utc exactly where local <= tz_latest_s(utc). */
int64_t tz_latest_s(const struct tz *tz, int64_t utc_s);

/* ---- zones that are in use, each loaded once ---- */

struct tz_cache;
struct tz_cache *tz_cache_new(const char *directory); /* NULL: TZ_DIRECTORY */
struct tz_cache *tz_cache_free(struct tz_cache *cache);
/* Borrowed as long as the cache lives. NULL: no such zone; asked for again, the file is looked for again. */
const struct tz *tz_cache_get(struct tz_cache *cache, const char *name, struct error *err);

#endif

/* What the program says, and to what: results on standard output, messages and progress on standard error. The only
 * file that asks about terminals and reads the environment about them. */
#ifndef PLUGIN_OUTPUT_H
#define PLUGIN_OUTPUT_H

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"

/* Says what went wrong, once, and gives the exit status: STATUS_FAILED. */
int output_failed(const struct error *err);
/* The same for what the user gave us to read: STATUS_USAGE for contents that are wrong, STATUS_FAILED where reading
 * failed. */
int output_bad_input(const struct error *err);
/* A remark on standard error. */
void output_note(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Remarks that `n` values of a series, the first of them in `line`, were out of the range of `model`; if any. */
void output_clipped(const char *file, uint64_t n, uint64_t line, const char *model);

/* Writes all of it to standard output; where that fails, says why, once. Behind a failure nothing is written any more.
 */
void output_text(const struct buf *text);
/* False: there was such a failure, and what would be computed for more of it is in vain. */
bool output_takes_more(void);
/* What is buffered goes out. False: not everything written so far has. */
bool output_flush(void);
/* At the very end: `status`, or STATUS_FAILED when standard output could not take everything. */
int output_end(int status);

bool output_is_terminal(void); /* standard output */
bool output_has_colour(void);  /* a terminal, and NO_COLOR is not set */
unsigned output_width(void);   /* columns; 100 where there is no terminal */

/* "LABEL 42 %" on a terminal's standard error, overwritten by the next one; nothing elsewhere. `part` == `whole` takes
 * it away. */
void output_progress(const char *label, uint64_t part, uint64_t whole);
/* "42 LABEL", where the whole is not known. */
void output_progress_count(const char *label, uint64_t count);

#endif

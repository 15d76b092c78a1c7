/* The options that all offline commands share, as a child parser of argp. */
#ifndef PLUGIN_SERIES_OPTIONS_H
#define PLUGIN_SERIES_OPTIONS_H

#include "lab/play.h"

#include <argp.h>

enum series_output { OUTPUT_AUTO, OUTPUT_TABLE, OUTPUT_JSONL, OUTPUT_SVG };

struct series_options {
    const char **files; /* released by series_options_done() */
    unsigned n_files;
    struct series_file_options file;
    struct play_options play;
    enum series_output output;
};

struct series_options series_options_default(void);
void series_options_done(struct series_options *o);
/* Its input is a struct series_options. Files are given with --series or as arguments. */
extern const struct argp series_options_argp;

/* Reads file `i` and says on standard error what is worth a remark. 0, or the exit status. */
int series_options_read(const struct series_options *o, unsigned i, struct series_file *ret);

#endif

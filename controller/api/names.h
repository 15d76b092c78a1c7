/* Names of objects that are derived from names of others, always valid and never longer than the API allows.
 */
#ifndef API_NAMES_H
#define API_NAMES_H

#include "base/base.h"

#define API_NAME_CAP 254

/* "<stem><suffix>"; where that is too long, the stem is cut and a hash of the whole stem stands behind it.
 * `stem` is a valid name, but for its length. */
void api_fit_name(char out[API_NAME_CAP], const char *stem, const char *suffix);

#endif

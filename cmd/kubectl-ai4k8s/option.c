/* Reading values of options; see option.h. */
#include "option.h"

#include "base/buf.h"
#include "base/str.h"

#include <string.h>

#define MAX_DURATION_S INT64_C(1000000000)

int64_t option_number(struct argp_state *state, const char *option, const char *text, int64_t min, int64_t max)
{
    int64_t value;
    if (!str_to_i64(text, &value) || value < min || value > max)
        argp_error(state, "%s takes a whole number from %lld to %lld, not \"%s\"", option, (long long)min,
                   (long long)max, text);
    return value;
}

int64_t option_duration_s(struct argp_state *state, const char *option, const char *text, int64_t min)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    char digits[16];
    int64_t value;
    size_t n = strlen(text);
    if (n >= 2 && n <= sizeof digits) {
        memcpy(digits, text, n - 1);
        digits[n - 1] = '\0';
        for (size_t i = 0; i < ARRAY_SIZE(units); i++)
            if (text[n - 1] == units[i].unit && str_to_i64(digits, &value) && value >= min &&
                value <= MAX_DURATION_S / units[i].seconds)
                return value * units[i].seconds;
    }
    argp_error(state, "%s takes a number and one of s, m, h, d, w, such as 7d or 36h, not \"%s\"", option, text);
    return min;
}

int option_choice(struct argp_state *state, const char *option, const char *text, const char *const words[])
{
    struct buf list = BUF_INIT(1024);
    for (int i = 0; words[i]; i++) {
        if (streq(text, words[i])) {
            buf_done(&list);
            return i;
        }
        (void)buf_printf(&list, "%s%s", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
    }
    argp_error(state, "%s is %s, not \"%s\"", option, buf_str(&list), text);
    buf_done(&list);
    return 0;
}

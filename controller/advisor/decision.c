/* Reading a model's answer strictly; the header has the rules. */
#include "advisor/decision.h"

#include <math.h>
#include <string.h>

#include "base/str.h"
#include "kube/json.h"

#define MAX_REPLICAS 10000

static const char *const actions[] = {"scale_up", "scale_down", "maintain"};
static const char *const levels[] = {"low", "medium", "high"};
static const char *const timings[] = {"immediate", "gradual", "scheduled"};
static const char *const members[] = {"action",          "target_replicas", "confidence",        "reasoning",
                                      "risk_assessment", "cost_impact",     "recommended_timing"};

const char *decision_action_name(enum decision_action action)
{
    return actions[action];
}

const char *decision_level_name(enum decision_level level)
{
    return levels[level];
}

const char *decision_timing_name(enum decision_timing timing)
{
    return timings[timing];
}

static bool find_word(const char *const *words, size_t n, const char *word, int *ret)
{
    for (size_t i = 0; i < n; i++)
        if (streq(words[i], word)) {
            *ret = (int)i;
            return true;
        }
    return false;
}

bool decision_words(const char *action, const char *risk, const char *cost, const char *timing, struct decision *ret)
{
    int a, r, c, t;
    if (!find_word(actions, ARRAY_SIZE(actions), action, &a) || !find_word(levels, ARRAY_SIZE(levels), risk, &r) ||
        !find_word(levels, ARRAY_SIZE(levels), cost, &c) || !find_word(timings, ARRAY_SIZE(timings), timing, &t))
        return false;
    ret->action = (enum decision_action)a;
    ret->risk = (enum decision_level)r;
    ret->cost = (enum decision_level)c;
    ret->timing = (enum decision_timing)t;
    return true;
}

const char *decision_schema(void)
{
    return "{\"type\":\"object\",\"properties\":{"
           "\"action\":{\"type\":\"string\",\"enum\":[\"scale_up\",\"scale_down\",\"maintain\"]},"
           "\"target_replicas\":{\"type\":\"integer\"},"
           "\"confidence\":{\"type\":\"number\"},"
           "\"reasoning\":{\"type\":\"string\"},"
           "\"risk_assessment\":{\"type\":\"string\",\"enum\":[\"low\",\"medium\",\"high\"]},"
           "\"cost_impact\":{\"type\":\"string\",\"enum\":[\"low\",\"medium\",\"high\"]},"
           "\"recommended_timing\":{\"type\":\"string\",\"enum\":[\"immediate\",\"gradual\",\"scheduled\"]}},"
           "\"required\":[\"action\",\"target_replicas\",\"confidence\",\"reasoning\",\"risk_assessment\","
           "\"cost_impact\",\"recommended_timing\"],\"additionalProperties\":false}";
}

/* ---- text ---- */

/* Characters that change how others look, or don't show: direction, zero width, tags. */
static bool is_hidden(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {{0x00ad, 0x00ad}, {0x061c, 0x061c}, {0x115f, 0x1160}, {0x180e, 0x180e},
                  {0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x206f}, {0x3164, 0x3164},
                  {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe0fff}};
    for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

/* Length of a terminal's escape sequence that begins at text[0] == ESC. */
static size_t escape_len(const char *text, size_t len)
{
    if (len < 2 || text[1] != '[')
        return MIN(len, 2U);
    size_t i = 2;
    while (i < len && (unsigned char)text[i] >= 0x20 && (unsigned char)text[i] < 0x40)
        i++;
    return MIN(i + 1, len);
}

size_t decision_clean_text(const char *text, size_t len, char *out, size_t cap)
{
    size_t used = 0;
    bool space = false;
    for (size_t i = 0; i < len && cap > 0;) {
        size_t n;
        uint32_t c = str_code_point(text + i, len - i, &n);
        const char *bytes = text + i;
        if (c == 0x1b) {
            i += escape_len(bytes, len - i);
            continue;
        }
        i += n;
        if (c == STR_INVALID) {
            bytes = "?";
            n = 1;
        } else if (c <= 0x20 || c == 0x7f || (c >= 0x80 && c <= 0xa0) || c == 0x2028 || c == 0x2029) {
            space = used > 0;
            continue;
        } else if (is_hidden(c)) {
            continue;
        }
        if (used + space + n + 1 > cap)
            break;
        if (space)
            out[used++] = ' ';
        space = false;
        memcpy(out + used, bytes, n);
        used += n;
    }
    if (cap > 0)
        out[used] = '\0';
    return used;
}

/* ---- the object ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void trim(const char **text, size_t *len)
{
    while (*len > 0 && is_space((*text)[0])) {
        (*text)++;
        (*len)--;
    }
    while (*len > 0 && is_space((*text)[*len - 1]))
        (*len)--;
}

/* One code fence around the whole is what many models put there: ```json ... ```. */
static void take_off_fence(const char **text, size_t *len)
{
    trim(text, len);
    if (*len < 6 || memcmp(*text, "```", 3) != 0 || memcmp(*text + *len - 3, "```", 3) != 0)
        return;
    const char *line_end = memchr(*text, '\n', *len);
    if (!line_end)
        return;
    size_t head = (size_t)(line_end - *text) + 1;
    if (head + 3 > *len)
        return;
    *text += head;
    *len -= head + 3;
    trim(text, len);
}

static int want_enum(const json_t *root, const char *name, const char *const *values, size_t n, int *ret,
                     struct error *err)
{
    const json_t *v = json_object_get(root, name);
    for (size_t i = 0; json_is_string(v) && i < n; i++)
        if (strcmp(json_string_value(v), values[i]) == 0) {
            *ret = (int)i;
            return 0;
        }
    return error_set(err, ERROR_PARSE, "%s is not one of the words that it may be", name);
}

static int check_members(const json_t *root, struct error *err)
{
    if (!json_is_object(root))
        return error_set(err, ERROR_PARSE, "the answer is not a JSON object");
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        if (!json_object_get(root, members[i]))
            return error_set(err, ERROR_PARSE, "%s is missing", members[i]);
    if (json_object_size(root) != ARRAY_SIZE(members))
        return error_set(err, ERROR_PARSE, "the answer has members that were not asked for");
    return 0;
}

bool decision_fits(const struct decision *d, int32_t current)
{
    return d->action == DECISION_SCALE_UP     ? d->target_replicas > current
           : d->action == DECISION_SCALE_DOWN ? d->target_replicas < current
                                              : d->target_replicas == current;
}

static int check_sense(const struct decision *d, const struct advice_situation *asked, struct error *err)
{
    if (asked && !decision_fits(d, asked->current))
        return error_set(err, ERROR_PARSE, "action %s contradicts target_replicas %d where %d run", actions[d->action],
                         d->target_replicas, asked->current);
    if (d->target_replicas == 0)
        return error_set(err, ERROR_PARSE, "target_replicas is 0: scaling to zero is not the advisor's to decide");
    return 0;
}

static int read_members(const json_t *root, struct decision *d, struct error *err)
{
    int action, risk, cost, timing;
    if (check_members(root, err) < 0 || want_enum(root, "action", actions, ARRAY_SIZE(actions), &action, err) < 0 ||
        want_enum(root, "risk_assessment", levels, ARRAY_SIZE(levels), &risk, err) < 0 ||
        want_enum(root, "cost_impact", levels, ARRAY_SIZE(levels), &cost, err) < 0 ||
        want_enum(root, "recommended_timing", timings, ARRAY_SIZE(timings), &timing, err) < 0)
        return -1;
    const json_t *target = json_object_get(root, "target_replicas");
    if (!json_is_integer(target) || json_integer_value(target) < 0 || json_integer_value(target) > MAX_REPLICAS)
        return error_set(err, ERROR_PARSE, "target_replicas is not an integer of 0..%d", MAX_REPLICAS);
    const json_t *confidence = json_object_get(root, "confidence");
    double sure = json_is_number(confidence) ? json_number_value(confidence) : -1;
    if (!isfinite(sure) || sure < 0 || sure > 1)
        return error_set(err, ERROR_PARSE, "confidence is not a number of 0..1");
    const json_t *reasoning = json_object_get(root, "reasoning");
    if (!json_is_string(reasoning))
        return error_set(err, ERROR_PARSE, "reasoning is not text");
    *d = (struct decision){.action = (enum decision_action)action,
                           .target_replicas = (int32_t)json_integer_value(target),
                           .confidence_percent = (uint32_t)floor(sure * 100 + 1e-9),
                           .risk = (enum decision_level)risk,
                           .cost = (enum decision_level)cost,
                           .timing = (enum decision_timing)timing};
    (void)decision_clean_text(json_string_value(reasoning), json_string_length(reasoning), d->reasoning,
                              sizeof d->reasoning);
    return 0;
}

int decision_parse(const char *content, size_t len, const struct advice_situation *asked, struct decision *ret,
                   struct error *err)
{
    if (len > DECISION_CONTENT_MAX)
        return error_set(err, ERROR_LIMIT, "the answer has more than %d bytes", DECISION_CONTENT_MAX);
    take_off_fence(&content, &len);

    _json_cleanup_ json_t *root = json_parse(content, len, NULL); /* its message may quote the text */
    if (!root)
        return error_set(err, ERROR_PARSE, "the answer is not strict JSON");
    struct decision d = {.target_replicas = 0};
    if (read_members(root, &d, err) < 0 || check_sense(&d, asked, err) < 0)
        return -1;
    *ret = d;
    return 0;
}

/* A scanner for one level of a JSON object; see peek.h. */
#include "kube/peek.h"

#include <string.h>

struct scan {
    const char *at, *end;
};

static void skip_space(struct scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
        s->at++;
}

static bool skip_char(struct scan *s, char c)
{
    skip_space(s);
    if (s->at == s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

/* From behind the opening quote to behind the closing one. */
static bool skip_string(struct scan *s)
{
    while (s->at < s->end) {
        char c = *s->at++;
        if (c == '"')
            return true;
        if (c == '\\' && s->at < s->end)
            s->at++;
    }
    return false;
}

/* One value of any kind, up to what must follow it. */
static bool skip_value(struct scan *s)
{
    unsigned depth = 0;
    while (s->at < s->end) {
        char c = *s->at;
        if (depth == 0 && (c == ',' || c == '}' || c == ']'))
            return true;
        s->at++;
        if (c == '"' && !skip_string(s))
            return false;
        if (c == '{' || c == '[')
            depth++;
        if (c == '}' || c == ']')
            depth--;
    }
    return false;
}

struct peek peek_member(struct peek json, const char *key)
{
    const struct peek absent = {0};
    if (!json.at)
        return absent;
    struct scan s = {json.at, json.at + json.len};
    size_t key_len = strlen(key);
    if (!skip_char(&s, '{'))
        return absent;
    do {
        if (!skip_char(&s, '"'))
            return absent;
        const char *name = s.at;
        if (!skip_string(&s))
            return absent;
        size_t name_len = (size_t)(s.at - 1 - name);
        if (!skip_char(&s, ':'))
            return absent;
        skip_space(&s);
        const char *value = s.at;
        if (!skip_value(&s))
            return absent;
        if (name_len == key_len && memcmp(name, key, key_len) == 0) {
            const char *end = s.at;
            while (end > value && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\n' || end[-1] == '\r'))
                end--;
            return (struct peek){value, (size_t)(end - value)};
        }
    } while (skip_char(&s, ','));
    return absent;
}

bool peek_str(struct peek json, const char *key, char *out, size_t cap)
{
    struct peek v = peek_member(json, key);
    if (!v.at || v.len < 2 || v.len - 2 >= cap || v.at[0] != '"' || v.at[v.len - 1] != '"')
        return false;
    if (memchr(v.at + 1, '\\', v.len - 2) || memchr(v.at + 1, '"', v.len - 2))
        return false;
    memcpy(out, v.at + 1, v.len - 2);
    out[v.len - 2] = '\0';
    return true;
}

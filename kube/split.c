/* A scanner with a bit per open bracket. Inside an item it only looks for the end; at the top of a list it
 * also remembers the string before a colon, to know "items" when its array opens. */
#include "kube/split.h"

#include "kube/json.h"

#include <string.h>

#define MAX_ITEM ((size_t)16 << 20)
#define MAX_REST ((size_t)256 << 10)
/* What one unusually large item made the buffer grow to is not kept for ever. */
#define KEEP_CAP ((size_t)256 << 10)

enum state {
    BETWEEN,    /* before a top-level value */
    TOP,        /* inside the list object, outside of its items */
    ITEM_FIRST, /* after "items":[ */
    ITEM_MORE,  /* after a comma */
    ITEM_END,   /* after an item of a list */
    ITEM,
    AFTER, /* behind the list object */
};

/* What was last seen at the top of the list. */
enum key_state { KEY_NONE, KEY_READ, KEY_ITEMS, KEY_ESCAPED };

void split_init(struct split *s, enum split_mode mode, size_t max_item,
                int (*on_item)(void *data, const char *json, size_t len, struct error *err), void *data)
{
    *s = (struct split){
        .mode = mode,
        .item = BUF_INIT(max_item ? max_item : MAX_ITEM),
        .rest = BUF_INIT(MAX_REST),
        .on_item = on_item,
        .data = data,
        .state = BETWEEN,
    };
}

void split_done(struct split *s)
{
    buf_done(&s->item);
    buf_done(&s->rest);
}

static int open_bracket(struct split *s, char c, struct error *err)
{
    if (s->depth == JSON_MAX_DEPTH)
        return error_set(err, ERROR_LIMIT, "JSON is nested deeper than %d levels", JSON_MAX_DEPTH);
    uint64_t bit = UINT64_C(1) << s->depth++;
    s->kinds = c == '{' ? s->kinds | bit : s->kinds & ~bit;
    return 0;
}

static int close_bracket(struct split *s, char c, struct error *err)
{
    bool object = s->depth > 0 && (s->kinds >> (s->depth - 1) & 1);
    if (s->depth == 0 || object != (c == '}'))
        return error_set(err, ERROR_PARSE, "invalid JSON: a '%c' that closes nothing", c);
    s->depth--;
    return 0;
}

static unsigned item_base(const struct split *s)
{
    return s->mode == SPLIT_LIST ? 2 : 0; /* the list object and its array */
}

/* From inside a string: to behind its end, or to the end of the bytes. */
static size_t skip_string(struct split *s, const char *bytes, size_t len)
{
    size_t i = 0;
    while (i < len) {
        if (s->escaped) {
            s->escaped = false;
            i++;
            continue;
        }
        while (i < len && bytes[i] != '"' && bytes[i] != '\\')
            i++;
        if (i == len)
            break;
        if (bytes[i++] == '"') {
            s->in_string = false;
            break;
        }
        s->escaped = true;
    }
    return i;
}

/* Takes bytes of an item up to its end. */
static int scan_item(struct split *s, const char *bytes, size_t len, size_t *ret_used, struct error *err)
{
    size_t i = 0;
    do {
        if (s->in_string) {
            i += skip_string(s, bytes + i, len - i);
            continue;
        }
        char c = bytes[i++];
        if (c == '"')
            s->in_string = true;
        else if (c == '{' || c == '[') {
            if (open_bracket(s, c, err) < 0)
                return -1;
        } else if ((c == '}' || c == ']') && close_bracket(s, c, err) < 0)
            return -1;
    } while (i < len && s->depth > item_base(s));
    *ret_used = i;
    return 0;
}

static int feed_item(struct split *s, const char *bytes, size_t len, size_t *ret_used, struct error *err)
{
    if (scan_item(s, bytes, len, ret_used, err) < 0)
        return -1;
    if (buf_append(&s->item, bytes, *ret_used) < 0)
        return error_set(err, ERROR_LIMIT, "one object is larger than %zu bytes", s->item.max);
    if (s->depth > item_base(s))
        return 0;
    s->state = s->mode == SPLIT_LIST ? ITEM_END : BETWEEN;
    int r = s->on_item(s->data, s->item.data, s->item.len, err);
    if (s->item.cap > KEEP_CAP)
        buf_done(&s->item);
    else
        buf_clear(&s->item);
    return r < 0 ? r : 0;
}

static int enter_items(struct split *s, struct error *err)
{
    if (s->saw_items)
        return error_set(err, ERROR_PARSE, "invalid list: \"items\" is there twice");
    s->saw_items = true;
    s->state = ITEM_FIRST;
    return 0;
}

/* One byte inside a string that stands directly in the list object. */
static void top_string(struct split *s, char c)
{
    if (s->escaped) {
        s->escaped = false;
    } else if (c == '\\') {
        s->escaped = true;
        s->key_state = KEY_ESCAPED;
    } else if (c == '"') {
        s->in_string = false;
        return;
    }
    if (s->key_len < sizeof(s->key))
        s->key[s->key_len++] = c;
}

/* One byte of the list object outside of its items. */
static int feed_top(struct split *s, char c, struct error *err)
{
    if (buf_putc(&s->rest, c) < 0)
        return error_set(err, ERROR_LIMIT, "a list has more than %zu bytes beside its items", s->rest.max);
    if (s->in_string) {
        top_string(s, c);
        return 0;
    }
    switch (c) {
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        return 0;
    case '"':
        s->in_string = true;
        s->key_len = 0;
        s->key_state = KEY_READ;
        return 0;
    case ':':
        /* Nobody writes a name of a list with escapes, but "\u0069tems" would be "items" for the parser. */
        if (s->depth == 1 && s->key_state == KEY_ESCAPED)
            return error_set(err, ERROR_PARSE, "invalid list: an escape in a member's name");
        bool items = s->depth == 1 && s->key_state == KEY_READ && s->key_len == 5 && memcmp(s->key, "items", 5) == 0;
        s->key_state = items ? KEY_ITEMS : KEY_NONE;
        return 0;
    case '{':
    case '[':
        if (open_bracket(s, c, err) < 0)
            return -1;
        if (c == '[' && s->key_state == KEY_ITEMS && enter_items(s, err) < 0)
            return -1;
        break;
    case '}':
    case ']':
        if (close_bracket(s, c, err) < 0)
            return -1;
        if (s->depth == 0) {
            s->state = AFTER;
            s->done = true;
        }
        break;
    default:
        break;
    }
    s->key_state = KEY_NONE;
    return 0;
}

/* One byte between values that is no white space. */
static int feed_between(struct split *s, char c, struct error *err)
{
    bool first = s->state == ITEM_FIRST, wants_item = first || s->state == ITEM_MORE;
    if (c == '{' && (wants_item || (s->state == BETWEEN && s->mode == SPLIT_STREAM))) {
        s->state = ITEM;
        (void)buf_putc(&s->item, c);
        return open_bracket(s, c, err);
    }
    if (c == '{' && s->state == BETWEEN) {
        s->state = TOP;
        (void)buf_putc(&s->rest, c);
        return open_bracket(s, c, err);
    }
    if (c == ']' && (first || s->state == ITEM_END)) {
        s->state = TOP;
        (void)buf_putc(&s->rest, c);
        return close_bracket(s, c, err);
    }
    if (c == ',' && s->state == ITEM_END) {
        s->state = ITEM_MORE;
        return 0;
    }
    return error_set(err, ERROR_PARSE, "invalid %s: byte 0x%02x where %s should be",
                     s->mode == SPLIT_LIST ? "list" : "stream", (unsigned char)c,
                     s->state == AFTER      ? "the end"
                     : s->state == ITEM_END ? "a comma"
                                            : "an object");
}

int split_feed(struct split *s, const char *bytes, size_t len, struct error *err)
{
    for (size_t i = 0; i < len;) {
        if (s->state == ITEM) {
            size_t used;
            if (feed_item(s, bytes + i, len - i, &used, err) < 0)
                return -1;
            i += used;
            continue;
        }
        char c = bytes[i++];
        if (s->state == TOP) {
            if (feed_top(s, c, err) < 0)
                return -1;
        } else if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
            if (feed_between(s, c, err) < 0)
                return -1;
        }
    }
    return 0;
}

int split_finish(struct split *s, struct error *err)
{
    bool complete = s->mode == SPLIT_LIST ? s->state == AFTER : s->state == BETWEEN;
    return complete
               ? 0
               : error_set(err, ERROR_PARSE, "the %s ends in the middle", s->mode == SPLIT_LIST ? "list" : "stream");
}

/* What a scripted server does on a connection, step by step, down to the byte. A script is built once and then given
 * away; it may be played on many connections.
 *
 *     struct script *s = script_new();
 *     script_head(s, 200, "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n");
 *     script_split(s, 7, 1);                  // from here on: seven bytes at a time, a millisecond apart
 *     script_chunk(s, "{\"type\":\"ADDED\"}\n");
 *     script_delay(s, 50);
 *     script_cut(s);
 *
 * A script that ends without closing leaves the connection open for the next request.
 */
#ifndef TEST_SERVER_SCRIPT_H
#define TEST_SERVER_SCRIPT_H

#include "base/base.h"

struct script;

struct script *script_new(void);
struct script *script_ref(struct script *s);
struct script *script_free(struct script *s); /* drops a reference */

/* A whole answer with Content-Length; `content_type` and `body` may be NULL. */
struct script *script_answer(int status, const char *content_type, const char *body);

/* Bytes. Whatever is sent is sent as it stands: nothing is checked. */
void script_bytes(struct script *s, const void *data, size_t len);
void script_text(struct script *s, const char *text);
void script_printf(struct script *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Status line, `headers` ("Name: value\r\n" each, or NULL) and the empty line. */
void script_head(struct script *s, int status, const char *headers);
/* Head with Content-Length, and body. */
void script_reply(struct script *s, int status, const char *headers, const char *body);
void script_chunk(struct script *s, const char *text);
void script_last_chunk(struct script *s);

/* What is added after it goes out `n` bytes at a time (a TLS record and a segment each), `pause_ms` apart; 0: at once.
 */
void script_split(struct script *s, size_t n, int pause_ms);
void script_delay(struct script *s, int ms);
/* Plays what server_append() brings, one after the other, until one of those ends with script_done() or closes. */
void script_hold(struct script *s);
void script_done(struct script *s);
/* Nothing more for ever; the connection stays. */
void script_stall(struct script *s);

/* The ends of a connection. */
void script_cut(struct script *s);       /* close_notify, FIN */
void script_cut_dirty(struct script *s); /* FIN without close_notify: what an attacker or a dying proxy does */
void script_reset(struct script *s);     /* RST */

/* For server_on_accept(): the connection before and without HTTP. */
void script_tls(struct script *s);            /* the handshake; without it what is sent is in the clear */
void script_read(struct script *s, size_t n); /* waits for n more bytes of the peer */

/* The inside, for server.c. */
enum script_op {
    SCRIPT_BYTES,
    SCRIPT_DELAY,
    SCRIPT_HOLD,
    SCRIPT_DONE,
    SCRIPT_STALL,
    SCRIPT_CUT,
    SCRIPT_CUT_DIRTY,
    SCRIPT_RESET,
    SCRIPT_TLS,
    SCRIPT_READ,
};
struct script_step {
    enum script_op op;
    char *bytes;
    size_t len;   /* of bytes; SCRIPT_READ: how many */
    size_t split; /* 0: all at once */
    int ms;       /* SCRIPT_DELAY; SCRIPT_BYTES: the pause after each piece */
};
size_t script_length(const struct script *s);
const struct script_step *script_at(const struct script *s, size_t i);

#endif

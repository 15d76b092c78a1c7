/* The client's credentials while it runs: a token file is read again every minute and when the server says
 * 401, CA and client certificate files every five minutes. What can't be read or makes no sense leaves the
 * last good ones in use. Used by client.c alone.
 *
 * Nothing here has a timer: files are looked at when a request is about to go and the last look is too long
 * ago, so an idle process does nothing. Their contents are compared, never their times (a kubelet swaps a
 * symlink).
 */
#ifndef KUBE_CLIENT_AUTH_H
#define KUBE_CLIENT_AUTH_H

#include "base/http.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "kube/config.h"

struct client_auth;

/* `config`, `log`, `metrics` and `loop` are borrowed for its life; `log` and `metrics` may be NULL. An
 * expired client certificate is refused, unless there is a token beside it. */
struct client_auth *client_auth_new(const struct kube_config *config, struct log *log, struct metrics *metrics,
                                    struct loop *loop, struct error *err);
struct client_auth *client_auth_free(struct client_auth *a);

const char *client_auth_url(const struct client_auth *a);
/* Where to send a request now, with the credentials of now. Borrowed until the next call. */
struct http_origin *client_auth_origin(struct client_auth *a);
/* Counts the tokens so far: to be noted when a request is sent. */
uint64_t client_auth_token(const struct client_auth *a);
/* A request that was sent with token number `token` got 401. Whether there is another token to try. */
bool client_auth_refused(struct client_auth *a, uint64_t token);

#endif

/* Certificates for http: PEM is looked at before libcurl gets it, and a handshake that fails is explained. The only
 * file that knows OpenSSL's certificates is tls.c.
 *
 * libcurl says "SSL certificate problem: certificate has expired". What a user needs is which certificate, since when,
 * and what to do; that is known only while the chain is verified, so a `tls_peer` is put beside the verification.
 */
#ifndef BASE_TLS_H
#define BASE_TLS_H

#include "base/base.h"
#include "base/error.h"

struct tls_certificate {
    char subject[128];    /* "CN=admin, O=system:masters" */
    int64_t not_before_s; /* Unix seconds */
    int64_t not_after_s;
};

/* PEM with at least one certificate, all of which parse. */
int tls_check_ca(const char *pem, struct error *err) MUST_USE;
/* A certificate (with its chain behind it, or not) and the unencrypted private key that belongs to it. An expired one
 * is no error here: clocks differ, and the server decides. */
int tls_check_pair(const char *cert_pem, const char *key_pem, struct tls_certificate *ret, struct error *err) MUST_USE;

/* The CA certificates of this machine. Parsing them takes some 30 ms, so that libcurl is not left to do it on the loop.
 */
struct tls_store;
struct tls_store *tls_store_system(struct error *err) MUST_USE;
struct tls_store *tls_store_free(struct tls_store *s); /* connections made with it keep what they need */
/* To be called with the SSL_CTX of a new connection: it trusts these. */
void tls_store_use(const struct tls_store *s, void *ssl_ctx);

/* What the verification of one server's chain said. Reference counted: a connection may outlive the request that made
 * it. */
struct tls_peer;
struct tls_peer *tls_peer_new(const char *expected_name);
struct tls_peer *tls_peer_ref(struct tls_peer *p);
struct tls_peer *tls_peer_unref(struct tls_peer *p);
/* To be called with the SSL_CTX of a new connection, which takes a reference. `slot` is from tls_slot_new(). */
void tls_peer_watch(struct tls_peer *p, void *ssl_ctx, int slot);
/* What is wrong with the server's certificate and what to do, one line; NULL: nothing was found. */
const char *tls_peer_problem(const struct tls_peer *p);

/* A place in all SSL_CTXs for the reference above; one per client. < 0: there is none left. */
int tls_slot_new(void);
void tls_slot_free(int slot);

#endif

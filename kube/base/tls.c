/* OpenSSL's view of certificates; see tls.h. Its error queue is left empty by every function here, because libcurl
 * reads the same queue after its own calls. */
#include "base/tls.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/rfc3339.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_NAMES_SHOWN = 6, MAX_CERTIFICATES = 1000 };

struct tls_peer {
    unsigned refs;
    char *expected_name;
    char *problem;
};

DEFINE_CLEANUP(BIO *, BIO_free_all);
DEFINE_CLEANUP(X509 *, X509_free);
DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free);
DEFINE_CLEANUP(GENERAL_NAMES *, GENERAL_NAMES_free);

static int64_t unix_seconds(const ASN1_TIME *t)
{
    struct tm tm;
    if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
        return 0;
    int64_t hours = days_from_civil(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday) * 24 + tm.tm_hour;
    return (hours * 60 + tm.tm_min) * 60 + tm.tm_sec;
}

static void format_name(const X509_NAME *name, char *out, size_t cap)
{
    out[0] = '\0';
    _cleanup_(BIO_free_allp) BIO *bio = BIO_new(BIO_s_mem());
    if (!bio || !name || X509_NAME_print_ex(bio, name, 0, XN_FLAG_ONELINE & ~(unsigned long)XN_FLAG_SPC_EQ) < 0)
        return;
    int n = BIO_read(bio, out, (int)cap - 1);
    out[MAX(n, 0)] = '\0';
}

static void format_date(const ASN1_TIME *t, char out[RFC3339_CAP])
{
    rfc3339_format(out, unix_seconds(t) * 1000000);
}

/* Never asks a terminal. */
static int no_passphrase(char *buf UNUSED, int size UNUSED, int writing UNUSED, void *data UNUSED)
{
    return -1;
}

static bool end_of_pem(void)
{
    unsigned long e = ERR_peek_last_error();
    return ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
}

/* Gives the first certificate; all of them have been parsed. */
static X509 *parse_certificates(const char *pem, const char *what, struct error *err)
{
    _cleanup_(BIO_free_allp) BIO *bio = BIO_new_mem_buf(pem, -1);
    _cleanup_(X509_freep) X509 *first = NULL;
    int count = 0;
    for (; bio && count < MAX_CERTIFICATES; count++) {
        ERR_clear_error();
        X509 *cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
        if (!cert)
            break;
        if (first)
            X509_free(cert);
        else
            first = cert;
    }
    bool whole = end_of_pem();
    ERR_clear_error();
    if (count > 0 && whole)
        return TAKE_PTR(first);
    if (count == 0 && whole)
        (void)error_set(err, ERROR_CONFIG,
                        "%s: no PEM certificate in it; it should hold \"-----BEGIN CERTIFICATE-----\" blocks", what);
    else
        (void)error_set(err, ERROR_CONFIG, "%s: certificate %d in it is damaged", what, count + 1);
    return NULL;
}

int tls_check_ca(const char *pem, struct error *err)
{
    _cleanup_(X509_freep) X509 *first = parse_certificates(pem, "CA certificates", err);
    return first ? 0 : -1;
}

int tls_check_pair(const char *cert_pem, const char *key_pem, struct tls_certificate *ret, struct error *err)
{
    _cleanup_(X509_freep) X509 *cert = parse_certificates(cert_pem, "client certificate", err);
    if (!cert)
        return -1;
    _cleanup_(BIO_free_allp) BIO *bio = BIO_new_mem_buf(key_pem, -1);
    _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    ERR_clear_error();
    if (!key && strstr(key_pem, "ENCRYPTED"))
        return error_set(err, ERROR_CONFIG,
                         "client key: it is protected by a passphrase; give an unencrypted key (openssl pkey -in KEY)");
    if (!key)
        return error_set(
            err, ERROR_CONFIG,
            "client key: no PEM private key in it; it should hold a \"-----BEGIN PRIVATE KEY-----\" block");
    struct tls_certificate c = {.not_before_s = unix_seconds(X509_get0_notBefore(cert)),
                                .not_after_s = unix_seconds(X509_get0_notAfter(cert))};
    format_name(X509_get_subject_name(cert), c.subject, sizeof(c.subject));
    bool match = X509_check_private_key(cert, key) == 1;
    ERR_clear_error();
    if (!match)
        return error_set(
            err, ERROR_CONFIG,
            "client certificate %s does not belong to the client key; give the two that were made together", c.subject);
    *ret = c;
    return 0;
}

/* The machine's CA certificates */

struct tls_store {
    X509_STORE *store;
};

struct tls_store *tls_store_system(struct error *err)
{
    /* Debian, Red Hat, SUSE, Alpine: where Go looks, too. */
    static const char *const bundles[] = {
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/ssl/cert.pem",
    };
    struct tls_store *s = xcalloc(1, sizeof(*s));
    s->store = X509_STORE_new();
    bool loaded = false;
    for (size_t i = 0; s->store && !loaded && i < ARRAY_SIZE(bundles); i++)
        loaded = X509_STORE_load_file(s->store, bundles[i]) == 1;
    ERR_clear_error();
    if (loaded)
        return s;
    (void)error_set(
        err, ERROR_CONFIG,
        "no CA certificates on this machine (%s and others); install them (ca-certificates), or give the CA of "
        "the server",
        bundles[0]);
    return tls_store_free(s);
}

struct tls_store *tls_store_free(struct tls_store *s)
{
    if (!s)
        return NULL;
    X509_STORE_free(s->store);
    free(s);
    return NULL;
}

void tls_store_use(const struct tls_store *s, void *ssl_ctx)
{
    SSL_CTX_set1_cert_store(ssl_ctx, s->store);
}

/* The verification of a server's chain */

struct tls_peer *tls_peer_new(const char *expected_name)
{
    struct tls_peer *p = xcalloc(1, sizeof(*p));
    p->refs = 1;
    p->expected_name = xstrdup(expected_name);
    return p;
}

struct tls_peer *tls_peer_ref(struct tls_peer *p)
{
    p->refs++;
    return p;
}

struct tls_peer *tls_peer_unref(struct tls_peer *p)
{
    if (!p || --p->refs > 0)
        return NULL;
    free(p->expected_name);
    free(p->problem);
    free(p);
    return NULL;
}

const char *tls_peer_problem(const struct tls_peer *p)
{
    return p->problem;
}

static char *describe_failure(int code, int depth, X509 *cert)
{
    char subject[128] = "", issuer[128] = "", from[RFC3339_CAP] = "", until[RFC3339_CAP] = "";
    if (cert) {
        format_name(X509_get_subject_name(cert), subject, sizeof(subject));
        format_name(X509_get_issuer_name(cert), issuer, sizeof(issuer));
        format_date(X509_get0_notBefore(cert), from);
        format_date(X509_get0_notAfter(cert), until);
    }
    const char *whose = depth == 0 ? "the server's certificate" : "a CA certificate in the server's chain";
    switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return xasprintf("%s (%s) expired on %s; renew it, or check this machine's clock", whose, subject, until);
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return xasprintf("%s (%s) is valid from %s on; check this machine's clock", whose, subject, from);
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return xasprintf(
            "the server's certificate (%s) is self-signed and not among the trusted ones; give it as the CA", subject);
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return xasprintf(
            "%s (%s) is signed by %s, which the trusted CA certificates don't include; give the CA of this "
            "server",
            whose, subject, issuer);
    default:
        return xasprintf("%s (%s) is not accepted: %s", whose, subject, X509_verify_cert_error_string(code));
    }
}

static void append_name(struct buf *out, const GENERAL_NAME *name)
{
    char text[INET6_ADDRSTRLEN] = "another";
    if (name->type == GEN_DNS) {
        int len = ASN1_STRING_length(name->d.dNSName);
        (void)buf_append(out, ASN1_STRING_get0_data(name->d.dNSName), (size_t)MAX(len, 0));
        return;
    }
    if (name->type == GEN_IPADD) {
        int len = ASN1_STRING_length(name->d.iPAddress);
        if (len == 4 || len == 16)
            (void)inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(name->d.iPAddress), text,
                            sizeof(text));
    }
    (void)buf_puts(out, text);
}

/* libcurl compares the name itself and refuses; here only the text is made. */
static char *describe_mismatch(X509 *cert, const char *expected)
{
    if (X509_check_ip_asc(cert, expected, 0) == 1 || X509_check_host(cert, expected, 0, 0, NULL) == 1)
        return NULL;
    struct buf names = BUF_INIT(400);
    _cleanup_(GENERAL_NAMES_freep) GENERAL_NAMES *sans = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    int n = sans ? sk_GENERAL_NAME_num(sans) : 0;
    for (int i = 0; i < n && i < MAX_NAMES_SHOWN; i++) {
        (void)buf_puts(&names, i ? ", " : "");
        append_name(&names, sk_GENERAL_NAME_value(sans, i));
    }
    (void)buf_puts(&names, n == 0 ? "no name" : n > MAX_NAMES_SHOWN ? " ..." : "");
    char *text =
        xasprintf("the server's certificate is for %s, not for %s; use an address it is for, or set the server "
                  "name to verify",
                  buf_str(&names), expected);
    buf_done(&names);
    return text;
}

static int verify(X509_STORE_CTX *ctx, void *arg)
{
    struct tls_peer *p = arg;
    int ok = X509_verify_cert(ctx);
    int code = X509_STORE_CTX_get_error(ctx);
    free(p->problem);
    p->problem = NULL;
    if (ok != 1)
        p->problem = describe_failure(code, X509_STORE_CTX_get_error_depth(ctx), X509_STORE_CTX_get_current_cert(ctx));
    else if (X509_STORE_CTX_get0_cert(ctx))
        p->problem = describe_mismatch(X509_STORE_CTX_get0_cert(ctx), p->expected_name);
    return ok;
}

static void forget_peer(void *parent UNUSED, void *ptr, CRYPTO_EX_DATA *ad UNUSED, int idx UNUSED, long argl UNUSED,
                        void *argp UNUSED)
{
    (void)tls_peer_unref(ptr);
}

int tls_slot_new(void)
{
    return SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, forget_peer);
}

void tls_slot_free(int slot)
{
    if (slot >= 0)
        (void)CRYPTO_free_ex_index(CRYPTO_EX_INDEX_SSL_CTX, slot);
}

void tls_peer_watch(struct tls_peer *p, void *ssl_ctx, int slot)
{
    SSL_CTX *ctx = ssl_ctx;
    if (slot < 0 || SSL_CTX_set_ex_data(ctx, slot, p) != 1)
        return;
    (void)tls_peer_ref(p);
    SSL_CTX_set_cert_verify_callback(ctx, verify, p);
    /* A server that renegotiates (TLS 1.2) is none of ours, and would verify again long after the handshake. */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
}

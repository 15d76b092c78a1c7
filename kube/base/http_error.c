/* Messages for failed exchanges. libcurl's code says in which phase it failed; the socket's errno, the verification of
 * the certificate and the peer's TLS alert say why. */
#include "base/http_error.h"

#include "base/rfc3339.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TOO_LARGE = 100 /* CURLE_TOO_LARGE, since libcurl 8.6 */ };

static bool says(const struct http_failure *f, const char *text)
{
    return strcasestr(f->detail, text) != NULL;
}

static const char *own_words(const struct http_failure *f)
{
    return *f->detail ? f->detail : curl_easy_strerror((CURLcode)f->code);
}

/* ", the client certificate (CN=x) expired on ...", when it did: servers rarely say so themselves. */
static const char *expiry_hint(const struct http_failure *f, char *out, size_t cap)
{
    out[0] = '\0';
    if (!f->origin->cert_pem || f->origin->cert.not_after_s >= f->real_us / 1000000)
        return out;
    char date[RFC3339_CAP];
    rfc3339_format(date, f->origin->cert.not_after_s * 1000000);
    (void)snprintf(out, cap, "; the client certificate (%s) expired on %s: renew it", f->origin->cert.subject, date);
    return out;
}

static int describe_connect(const struct http_failure *f, struct error *err)
{
    const char *place = f->origin->place;
    int e = f->os_errno;
    if (e == ECONNREFUSED)
        (void)error_set(err, ERROR_IO,
                        "can't connect to %s: connection refused; is it running there, is the port right?", place);
    else if (e == ENETUNREACH || e == EHOSTUNREACH)
        (void)error_set(err, ERROR_IO, "can't connect to %s: no route to it; check the address and the network", place);
    else if (e)
        return error_errno(err, e, "can't connect to %s", place);
    else
        (void)error_set(err, ERROR_IO, "can't connect to %s: %s", place, own_words(f));
    if (err)
        err->code = e;
    return -1;
}

/* The server's TLS alerts about us. */
static bool is_refused_client(const struct http_failure *f)
{
    return says(f, "alert") && (says(f, "certificate") || says(f, "unknown ca") || says(f, "access denied") ||
                                says(f, "handshake failure") || says(f, "decrypt error"));
}

static int describe_refused_client(const struct http_failure *f, struct error *err)
{
    char hint[256], date[RFC3339_CAP];
    const struct http_origin *o = f->origin;
    if (!o->cert_pem)
        return error_set(err, ERROR_TLS,
                         "%s broke off the TLS handshake (%s); it may want a client certificate, and none "
                         "is configured",
                         o->place, own_words(f));
    if (*expiry_hint(f, hint, sizeof(hint)))
        return error_set(err, ERROR_TLS, "%s refused the client certificate%s", o->place, hint);
    rfc3339_format(date, o->cert.not_after_s * 1000000);
    return error_set(err, ERROR_TLS,
                     "%s refused the client certificate (%s, valid until %s): %s; does it trust the CA that "
                     "signed it?",
                     o->place, o->cert.subject, date, own_words(f));
}

/* What stays wrong until somebody changes a certificate, a key or an address. */
static int describe_lasting_tls(const struct http_failure *f, struct error *err)
{
    const char *place = f->origin->place;
    if (f->problem)
        (void)error_set(err, ERROR_TLS, "%s: %s", place, f->problem);
    else if (is_refused_client(f))
        (void)describe_refused_client(f, err);
    else if (says(f, "wrong version number") || says(f, "http request") || says(f, "packet length too long"))
        (void)error_set(err, ERROR_TLS, "%s does not speak TLS; is the port right, or is it an http:// server?", place);
    else
        return 0;
    if (err)
        err->code = HTTP_TLS_LASTING;
    return -1;
}

static int describe_tls(const struct http_failure *f, struct error *err)
{
    char hint[256];
    const char *place = f->origin->place;
    if (describe_lasting_tls(f, err) < 0)
        return -1;
    return error_set(err, ERROR_TLS, "TLS with %s failed: %s%s", place, own_words(f),
                     expiry_hint(f, hint, sizeof(hint)));
}

static int describe_broken(const struct http_failure *f, struct error *err)
{
    char hint[256];
    const char *place = f->origin->place;
    if (!f->got_response && is_refused_client(f))
        return describe_refused_client(f, err);
    if (says(f, "CONNECT tunnel") || says(f, "proxy CONNECT"))
        return error_set(err, ERROR_IO, "can't connect to %s: the proxy refused: %s", place, own_words(f));
    if (says(f, "chunk")) /* one that breaks the rules, in words that change with the version */
        return error_set(err, ERROR_HTTP, "exchange with %s: %s", place, own_words(f));
    if (f->got_response)
        (void)error_set(err, ERROR_IO, "%s closed the connection in the middle of its answer, after %zu bytes", place,
                        f->received);
    else
        (void)error_set(err, ERROR_IO, "%s closed the connection without an answer%s", place,
                        expiry_hint(f, hint, sizeof(hint)));
    if (err)
        err->code = f->os_errno;
    return -1;
}

int http_describe(const struct http_failure *f, struct error *err)
{
    const char *place = f->origin->place;
    switch ((int)f->code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return error_set(err, ERROR_IO,
                         "can't connect to %s: the name is not known; check the address, and DNS on this "
                         "machine",
                         place);
    case CURLE_COULDNT_RESOLVE_PROXY:
        return error_set(err, ERROR_IO, "can't connect to %s: the name of the proxy is not known", place);
    case CURLE_COULDNT_CONNECT:
        return describe_connect(f, err);
    case CURLE_OPERATION_TIMEDOUT:
        return error_set(err, ERROR_TIMEOUT,
                         "no connection to %s within %.1f s; is it up, does a firewall drop packets?", place,
                         (double)f->connect_timeout_us / 1e6);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_SHUTDOWN_FAILED:
        return describe_tls(f, err);
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND:
        return describe_broken(f, err);
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return error_set(err, ERROR_IO, "%s ended the HTTP/2 exchange: %s", place, own_words(f));
    case CURLE_OUT_OF_MEMORY:
    case TOO_LARGE:
        /* Both are its words for a line above its cap of 100 KiB; and small allocations don't fail here. */
        if (f->sent)
            return error_set(err, ERROR_LIMIT, "%s sent a header line that is too long", place);
        return error_set(err, ERROR_INTERNAL, "exchange with %s: %s", place, own_words(f));
    case CURLE_FAILED_INIT:
    case CURLE_BAD_FUNCTION_ARGUMENT:
        return error_set(err, ERROR_INTERNAL, "exchange with %s: %s", place, own_words(f));
    default:
        return error_set(err, ERROR_HTTP, "exchange with %s: %s", place, own_words(f));
    }
}

/* The inside of an origin, between http_origin.c, which makes and checks it, and http.c, which puts it into libcurl. */
#ifndef BASE_HTTP_ORIGIN_H
#define BASE_HTTP_ORIGIN_H

#include "base/http.h"
#include "base/tls.h"

/* One header line with a secret in it. Reference counted, because requests under way keep theirs; wiped at the end. */
struct http_secret {
    unsigned refs;
    size_t size; /* of `line` with its terminator */
    char line[];
};

enum { HTTP_MAX_SECRETS = 8 };

struct http_origin {
    unsigned refs;
    bool https;
    bool loopback;
    bool insecure;
    char *url;         /* normalised: scheme://host:port/prefix */
    char *place;       /* "host:port", for messages */
    char *verify_name; /* the host, or server_name */
    char *request_url; /* what libcurl is given: `url`, with server_name in the host's place */
    char *connect_to;  /* libcurl's way back from server_name to the host; NULL: not needed */
    char *host_header; /* "Host: host:port", the same; NULL: libcurl's own */
    char *proxy;       /* NULL: the client's; "": none */
    char *ca_pem, *cert_pem, *key_pem;
    struct tls_store *system; /* where no CA is given; NULL: not needed */
    struct tls_certificate cert;
    struct http_secret *secrets[HTTP_MAX_SECRETS];
    size_t n_secrets;
};

struct http_secret *http_secret_ref(struct http_secret *s);
struct http_secret *http_secret_unref(struct http_secret *s);
/* free() of a text that must not stay in memory; NULL is fine. */
char *http_wipe(char *s);

#endif

/* From libcurl's word for a failure to one that names the peer and the remedy; between http.c and http_error.c. */
#ifndef BASE_HTTP_ERROR_H
#define BASE_HTTP_ERROR_H

#include "base/http_origin.h"

struct http_failure {
    const struct http_origin *origin;
    int code;            /* CURLcode */
    int os_errno;        /* of the socket, 0: not known */
    const char *detail;  /* libcurl's own text, may be "" */
    const char *problem; /* of the server's certificate (tls.h), or NULL */
    int64_t connect_timeout_us;
    int64_t real_us; /* now */
    size_t received; /* bytes of the body */
    bool sent, got_response;
};

/* Fills `err`; gives -1. */
int http_describe(const struct http_failure *f, struct error *err);

#endif

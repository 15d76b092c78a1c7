/* Origins: where a server is, whom to trust about it, and the secrets that go there and nowhere else; see http.h. */
#include "base/http_origin.h"

#include "base/alloc.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_HOST = 253, MAX_URL = 2048, MAX_TOKEN = 64 * 1024 };

struct url_parts {
    bool https;
    bool ipv6;
    char host[MAX_HOST + 1]; /* without brackets */
    unsigned port;
    const char *prefix; /* "" or "/..." */
    size_t prefix_len;  /* without slashes at the end */
};

struct http_secret *http_secret_ref(struct http_secret *s)
{
    s->refs++;
    return s;
}

struct http_secret *http_secret_unref(struct http_secret *s)
{
    if (!s || --s->refs > 0)
        return NULL;
    explicit_bzero(s->line, s->size);
    free(s);
    return NULL;
}

char *http_wipe(char *s)
{
    if (s)
        explicit_bzero(s, strlen(s));
    free(s);
    return NULL;
}

/* URLs */

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_host_name(const char *s)
{
    size_t len = strlen(s);
    for (size_t i = 0; i < len; i++)
        if (!is_alnum(s[i]) && s[i] != '-' && s[i] != '.' && s[i] != '_')
            return false;
    return len > 0 && len <= MAX_HOST && is_alnum(s[0]);
}

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return strcasecmp(host, "localhost") == 0;
}

/* Gives what follows the host, or NULL. */
static const char *parse_host(const char *s, struct url_parts *u)
{
    size_t len = strcspn(s, *s == '[' ? "]" : ":/");
    u->ipv6 = *s == '[';
    if (u->ipv6) {
        if (s[len] != ']' || len - 1 > MAX_HOST)
            return NULL;
        memcpy(u->host, s + 1, len - 1);
        u->host[len - 1] = '\0';
        struct in6_addr v6;
        return inet_pton(AF_INET6, u->host, &v6) == 1 ? s + len + 1 : NULL;
    }
    if (len > MAX_HOST)
        return NULL;
    memcpy(u->host, s, len);
    u->host[len] = '\0';
    return is_host_name(u->host) ? s + len : NULL;
}

static int parse_url(const char *url, struct url_parts *u, struct error *err)
{
    *u = (struct url_parts){0};
    size_t len = strlen(url);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)url[i] <= ' ' || (unsigned char)url[i] >= 0x7F)
            return error_set(err, ERROR_CONFIG, "a space, control or non-ASCII character in it at %zu", i + 1);
    if (len > MAX_URL)
        return error_set(err, ERROR_CONFIG, "longer than %d characters", MAX_URL);
    if (strpbrk(url, "@?#\\"))
        return error_set(err, ERROR_CONFIG,
                         "a user name, a query or a fragment in it; only scheme, host, port and path belong there");
    const char *s = NULL;
    if (strncasecmp(url, "https://", 8) == 0)
        s = url + 8;
    else if (strncasecmp(url, "http://", 7) == 0)
        s = url + 7;
    if (!s)
        return error_set(err, ERROR_CONFIG, "it should start with https://");
    u->https = s == url + 8;
    const char *rest = parse_host(s, u);
    if (!rest)
        return error_set(err, ERROR_CONFIG, "the host is not a name or an address");
    u->port = u->https ? 443 : 80;
    if (*rest == ':') {
        size_t digits = strcspn(rest + 1, "/");
        char text[8] = "";
        int64_t port = 0;
        if (digits < sizeof(text))
            memcpy(text, rest + 1, digits);
        if (!str_to_i64(text, &port) || port < 1 || port > 65535)
            return error_set(err, ERROR_CONFIG, "the port is not a number from 1 to 65535");
        u->port = (unsigned)port;
        rest += 1 + digits;
    }
    if (*rest != '\0' && *rest != '/')
        return error_set(err, ERROR_CONFIG, "not understood from \"%.20s\" on", rest);
    u->prefix = rest;
    u->prefix_len = strlen(rest);
    while (u->prefix_len > 0 && rest[u->prefix_len - 1] == '/')
        u->prefix_len--;
    return 0;
}

int http_url_check(const char *url, bool *ret_safe, struct error *err)
{
    struct url_parts u;
    if (parse_url(url, &u, err) < 0)
        return -1;
    *ret_safe = u.https || is_loopback(u.host);
    return 0;
}

/* A URL is shown when it can't have a secret in it. */
static int explain_url(const char *url, struct error *err)
{
    return strpbrk(url, "@?#\\") ? error_wrap(err, "server URL") : error_wrap(err, "server URL \"%.100s\"", url);
}

static void set_addresses(struct http_origin *o, const struct url_parts *u, const char *server_name)
{
    const char *open = u->ipv6 ? "[" : "", *close = u->ipv6 ? "]" : "";
    const char *scheme = u->https ? "https" : "http";
    o->https = u->https;
    o->loopback = is_loopback(u->host);
    o->place = xasprintf("%s%s%s:%u", open, u->host, close, u->port);
    o->url = xasprintf("%s://%s%.*s", scheme, o->place, (int)u->prefix_len, u->prefix);
    o->verify_name = xstrdup(server_name ? server_name : u->host);
    if (!server_name) {
        o->request_url = xstrdup(o->url);
        return;
    }
    /* libcurl takes SNI and the name to verify from the URL, so the URL gets the name and the connection is led back.
     */
    o->request_url = xasprintf("%s://%s:%u%.*s", scheme, server_name, u->port, (int)u->prefix_len, u->prefix);
    o->connect_to = xasprintf("%s:%u:%s", server_name, u->port, o->place);
    o->host_header = xasprintf("Host: %s", o->place);
}

/* Origins */

static int set_certificates(struct http_origin *o, const struct http_origin_config *c, struct error *err)
{
    if (c->ca_pem && c->insecure_skip_verify)
        return error_set(err, ERROR_CONFIG,
                         "CA certificates are given and verification is switched off; drop one of them");
    if (c->ca_pem && tls_check_ca(c->ca_pem, err) < 0)
        return -1;
    if (!c->client_cert_pem != !c->client_key_pem)
        return error_set(err, ERROR_CONFIG, "a client %s is given without its %s; give both or neither",
                         c->client_cert_pem ? "certificate" : "key", c->client_cert_pem ? "key" : "certificate");
    if (c->client_cert_pem && tls_check_pair(c->client_cert_pem, c->client_key_pem, &o->cert, err) < 0)
        return -1;
    o->insecure = c->insecure_skip_verify;
    if (o->https && !c->ca_pem && !o->insecure) {
        o->system = tls_store_system(err);
        if (!o->system)
            return -1;
    }
    o->ca_pem = xstrdup0(c->ca_pem);
    o->cert_pem = xstrdup0(c->client_cert_pem);
    o->key_pem = xstrdup0(c->client_key_pem);
    return 0;
}

struct http_origin *http_origin_new(const struct http_origin_config *c, struct error *err)
{
    struct url_parts u;
    if (parse_url(c->url, &u, err) < 0) {
        (void)explain_url(c->url, err);
        return NULL;
    }
    const char *name = c->server_name && *c->server_name ? c->server_name : NULL;
    if (name && !is_host_name(name)) {
        (void)error_set(err, ERROR_CONFIG, "server name \"%.100s\" is not a host name", name);
        return NULL;
    }
    if (name && strcasecmp(name, u.host) == 0)
        name = NULL;
    struct http_origin *o = xcalloc(1, sizeof(*o));
    o->refs = 1;
    set_addresses(o, &u, name);
    o->proxy = xstrdup0(c->proxy);
    if (set_certificates(o, c, err) < 0)
        return http_origin_unref(o);
    return o;
}

struct http_origin *http_origin_ref(struct http_origin *o)
{
    o->refs++;
    return o;
}

struct http_origin *http_origin_unref(struct http_origin *o)
{
    if (!o || --o->refs > 0)
        return NULL;
    for (size_t i = 0; i < o->n_secrets; i++)
        (void)http_secret_unref(o->secrets[i]);
    free(o->url);
    free(o->place);
    free(o->verify_name);
    free(o->request_url);
    free(o->connect_to);
    free(o->host_header);
    free(o->ca_pem);
    free(o->cert_pem);
    (void)tls_store_free(o->system);
    o->proxy = http_wipe(o->proxy); /* a proxy's URL may carry a password */
    o->key_pem = http_wipe(o->key_pem);
    free(o);
    return NULL;
}

const char *http_origin_url(const struct http_origin *o)
{
    return o->url;
}

bool http_origin_is_loopback(const struct http_origin *o)
{
    return o->loopback;
}

int64_t http_origin_cert_expiry(const struct http_origin *o)
{
    return o->cert_pem ? o->cert.not_after_s : 0;
}

/* Secrets */

static size_t find_secret(const struct http_origin *o, const char *name)
{
    size_t len = strlen(name), i = 0;
    while (i < o->n_secrets && !(strncasecmp(o->secrets[i]->line, name, len) == 0 && o->secrets[i]->line[len] == ':'))
        i++;
    return i;
}

/* `spaces`: inside the value they are allowed ("Basic ..."), at its ends never. */
static int check_secret(const struct http_origin *o, const char *name, const char *value, bool spaces,
                        struct error *err)
{
    for (const char *p = name; *p; p++)
        if (!is_alnum(*p) && *p != '-' && *p != '_')
            return error_set(err, ERROR_CONFIG, "a header name has a character that is not a letter, digit, - or _");
    if (!*name)
        return error_set(err, ERROR_CONFIG, "a header has no name");
    if (!o->https && !o->loopback)
        return error_set(err, ERROR_CONFIG, "a credential for %s would go unencrypted; use https", o->url);
    size_t len = strlen(value);
    if (len == 0 || len > MAX_TOKEN)
        return error_set(err, ERROR_CONFIG, "the credential for %s is %s", o->url,
                         len ? "longer than 64 KiB" : "empty");
    for (size_t i = 0; i < len; i++) {
        bool inner_space = spaces && value[i] == ' ' && i > 0 && i < len - 1;
        if (!inner_space && ((unsigned char)value[i] <= ' ' || (unsigned char)value[i] >= 0x7F))
            return error_set(
                err, ERROR_CONFIG,
                "the credential for %s has a space, line break or other character in it that can't be sent "
                "(at %zu of %zu)",
                o->url, i + 1, len);
    }
    return 0;
}

static int set_secret(struct http_origin *o, const char *name, const char *scheme, const char *value, struct error *err)
{
    size_t i = find_secret(o, name);
    if (!value) {
        if (i < o->n_secrets) {
            (void)http_secret_unref(o->secrets[i]);
            o->secrets[i] = o->secrets[--o->n_secrets];
        }
        return 0;
    }
    if (check_secret(o, name, value, !*scheme, err) < 0)
        return -1;
    if (i == HTTP_MAX_SECRETS)
        return error_set(err, ERROR_LIMIT, "more than %d authentication headers for %s", HTTP_MAX_SECRETS, o->url);
    size_t size = strlen(name) + 2 + strlen(scheme) + strlen(value) + 1;
    struct http_secret *s = xcalloc(1, sizeof(*s) + size);
    s->refs = 1;
    s->size = size;
    char *end = stpcpy(stpcpy(s->line, name), ": ");
    (void)stpcpy(stpcpy(end, scheme), value);
    if (i < o->n_secrets)
        (void)http_secret_unref(o->secrets[i]);
    else
        o->n_secrets++;
    o->secrets[i] = s;
    return 0;
}

int http_origin_set_bearer(struct http_origin *o, const char *token, struct error *err)
{
    return set_secret(o, "Authorization", "Bearer ", token, err);
}

int http_origin_set_header(struct http_origin *o, const char *name, const char *secret, struct error *err)
{
    return set_secret(o, name, "", secret, err);
}

/* A kubeconfig is three lists of named entries. The files stay separate trees; a name is looked up in them
 * from left to right, so that every message can say in which file and line the entry is that it is about. */
#include "kube/kubeconfig.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"
#include "kube/credential.h"
#include "kube/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE_BYTES ((size_t)4 << 20)
#define MAX_FILES      32
#define MAX_GROUPS     256

struct source {
    const char *path;
    struct yaml_doc doc;
};

struct files {
    struct source *list;
    size_t n;
};

/* One named entry of one of the lists. */
struct entry {
    const struct source *source;
    const char *kind; /* "cluster" */
    const char *name;
    const json_t *value; /* what stands under "cluster:"; NULL when nothing does */
    char path[64];       /* "clusters[1].cluster" */
};

static void fail_at(const struct source *source, const char *path, const char *key, struct error *err, const char *fmt,
                    va_list args) __attribute__((format(printf, 5, 0)));
static void fail_at(const struct source *source, const char *path, const char *key, struct error *err, const char *fmt,
                    va_list args)
{
    /* From the key to the entry to the element of the list: the nearest one that the file has. */
    char at[160], text[280];
    (void)snprintf(at, sizeof(at), "%s%s%s", path, key ? "." : "", key ? key : "");
    (void)vsnprintf(text, sizeof(text), fmt, args);
    int line = yaml_line(&source->doc, at);
    for (char *dot; line == 0 && (dot = strrchr(at, '.')); line = yaml_line(&source->doc, at))
        *dot = '\0';
    if (line == 0)
        (void)error_set(err, ERROR_CONFIG, "%s: %s", source->path, text);
    else
        (void)error_set(err, ERROR_CONFIG, "%s:%d: %s", source->path, line, text);
}

static void fail_entry(const struct entry *e, const char *key, struct error *err, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
static void fail_entry(const struct entry *e, const char *key, struct error *err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fail_at(e->source, e->path, key, err, fmt, args);
    va_end(args);
}

static void fail_in_file(const struct source *s, const char *path, struct error *err, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
static void fail_in_file(const struct source *s, const char *path, struct error *err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fail_at(s, path, NULL, err, fmt, args);
    va_end(args);
}

/* "FILE:LINE: text", where the line is that of the key, or of the entry when it has no such key. Macros,
 * because an analyzer does not see through variadic functions that these are negative. */
#define fail(...)      (fail_entry(__VA_ARGS__), -1)
#define fail_file(...) (fail_in_file(__VA_ARGS__), -1)

/* ---- files ---- */

static int check_list(const struct source *s, const char *list, struct error *err)
{
    const json_t *entries = json_at(s->doc.root, list), *entry;
    if (!entries)
        return 0;
    if (!json_is_array(entries))
        return fail_file(s, list, err, "%s: want a list", list);
    size_t i;
    json_array_foreach(entries, i, entry)
    {
        char path[64];
        (void)snprintf(path, sizeof(path), "%s[%zu]", list, i);
        const char *name = json_str(entry, "name");
        if (!name)
            return fail_file(s, path, err, "%s: want a name (a text) in each entry", list);
        for (size_t k = 0; k < i; k++)
            if (streq(name, json_str(json_array_get(entries, k), "name")))
                return fail_file(s, path, err, "%s: \"%.80s\" is defined twice", list, name);
    }
    return 0;
}

static int check_file(const struct source *s, struct error *err)
{
    const json_t *root = s->doc.root;
    if (json_is_null(root))
        return 0;
    const char *kind = json_str(root, "kind");
    if (!json_is_object(root) || (kind && !streq(kind, "Config")))
        return fail_file(s, json_is_object(root) ? "kind" : "", err, "this is not a kubeconfig (kind: Config)");
    if (check_list(s, "clusters", err) < 0 || check_list(s, "users", err) < 0 || check_list(s, "contexts", err) < 0)
        return -1;
    return 0;
}

/* 1: the file does not exist and need not. */
static int load_file(struct files *f, const char *path, bool optional, struct error *err)
{
    struct source *s = &f->list[f->n];
    struct error why;
    if (yaml_load(path, MAX_FILE_BYTES, &s->doc, &why) < 0) {
        if (optional && why.kind == ERROR_IO && why.code == ENOENT)
            return 1;
        if (err)
            *err = why;
        return -1;
    }
    s->path = path;
    f->n++;
    return check_file(s, err);
}

static void files_done(struct files *f)
{
    for (size_t i = 0; i < f->n; i++)
        yaml_done(&f->list[i].doc);
    free(f->list);
}

/* ---- entries ---- */

static bool find(const struct files *f, const char *kind, const char *name, struct entry *ret)
{
    char list[16];
    (void)snprintf(list, sizeof(list), "%ss", kind);
    for (size_t k = 0; k < f->n; k++) {
        size_t i;
        const json_t *entry;
        json_array_foreach(json_at(f->list[k].doc.root, list), i, entry)
        {
            if (!streq(json_str(entry, "name"), name))
                continue;
            *ret = (struct entry){
                .source = &f->list[k], .kind = kind, .name = json_str(entry, "name"), .value = json_at(entry, kind)};
            (void)snprintf(ret->path, sizeof(ret->path), "%s[%zu].%s", list, i, kind);
            return true;
        }
    }
    return false;
}

/* Names of a list, for messages. */
static void known_names(const struct files *f, const char *list, char *out, size_t cap)
{
    struct buf names = BUF_INIT(cap - 1);
    for (size_t k = 0; k < f->n; k++) {
        size_t i;
        const json_t *entry;
        json_array_foreach(json_at(f->list[k].doc.root, list), i, entry)
        {
            (void)buf_printf(&names, "%s%.60s", names.len ? ", " : "", json_str(entry, "name"));
        }
    }
    (void)str_copy(out, cap, names.len ? buf_str(&names) : "none");
    buf_done(&names);
}

/* 0 and a text that is not empty; 1: absent or empty; < 0: of another type. */
static int get_str(const struct entry *e, const char *key, const char **ret, struct error *err)
{
    const json_t *value = json_object_get(e->value, key);
    if (!value || json_is_null(value) || (json_is_string(value) && json_string_length(value) == 0))
        return 1;
    if (!json_is_string(value))
        return fail(e, key, err, "%s: want a text (put it in quotes)", key);
    *ret = json_string_value(value);
    return 0;
}

static int copy_str(const struct entry *e, const char *key, char **ret, struct error *err)
{
    const char *value;
    int r = get_str(e, key, &value, err);
    if (r == 0)
        *ret = xstrdup(value);
    return r;
}

static int get_bool(const struct entry *e, const char *key, bool *ret, struct error *err)
{
    return json_want_bool(e->value, key, ret, NULL) < 0 ? fail(e, key, err, "%s: want true or false", key) : 0;
}

/* The absolute name of a file that is given relative to the kubeconfig. */
static char *beside(const struct entry *e, const char *file)
{
    const char *slash = strrchr(e->source->path, '/');
    if (file[0] == '/' || !slash)
        return xstrdup(file);
    return xasprintf("%.*s/%s", (int)(slash - e->source->path), e->source->path, file);
}

/* A member that comes as base64 data or as a file. 1: neither. */
static int get_pem(const struct entry *e, const char *key, char **ret_pem, char **ret_file, struct error *err)
{
    char data_key[64];
    (void)snprintf(data_key, sizeof(data_key), "%s-data", key);
    const char *value;
    int r = get_str(e, data_key, &value, err);
    if (r == 0) {
        struct buf pem = BUF_INIT(MAX_FILE_BYTES);
        (void)buf_append(&pem, value, strlen(value)); /* room at once: growing would leave copies of a key behind */
        buf_clear(&pem);
        if (str_base64_decode(&pem, value, strlen(value)) < 0 || pem.len == 0 || memchr(pem.data, '\0', pem.len)) {
            buf_done(&pem);
            return fail(e, data_key, err, "%s: not valid base64", data_key);
        }
        *ret_pem = buf_steal(&pem);
        return 0;
    }
    if (r < 0 || (r = get_str(e, key, &value, err)) != 0)
        return r;
    char *path = beside(e, value);
    if (credential_read_pem(path, ret_pem, err) < 0) {
        free(path);
        struct error why = err ? *err : ERROR_INIT;
        return fail(e, key, err, "%s: %s", key, why.message);
    }
    *ret_file = path;
    return 0;
}

/* ---- cluster ---- */

static int check_url(const struct entry *e, const char *key, const char *url, bool https, bool http, bool socks,
                     struct error *err)
{
    const char *rest = strstr(url, "://");
    bool known = rest && ((https && str_starts(url, "https://")) || (http && str_starts(url, "http://")) ||
                          (socks && (str_starts(url, "socks5://") || str_starts(url, "socks5h://"))));
    if (!known || rest[3] == '\0' || rest[3] == '/')
        return fail(e, key, err, "%s: \"%.80s\" is not a URL of the form %s://HOST:PORT", key, url,
                    socks ? "http" : "https");
    for (const char *c = url; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7F || *c == '#' || *c == '?')
            return fail(e, key, err, "%s: a URL without spaces, query and fragment is wanted", key);
    return 0;
}

static int read_cluster(const struct entry *e, struct kube_config *c, struct error *err)
{
    int r = copy_str(e, "server", &c->server, err);
    if (r > 0)
        return fail(e, "server", err, "cluster \"%.80s\" has no server: add \"server: https://HOST:PORT\"", e->name);
    if (r < 0 || check_url(e, "server", c->server, true, true, false, err) < 0)
        return -1;
    for (size_t len = strlen(c->server); len > 0 && c->server[len - 1] == '/'; len--)
        c->server[len - 1] = '\0';

    if (get_pem(e, "certificate-authority", &c->ca_pem, &c->ca_file, err) < 0 ||
        copy_str(e, "tls-server-name", &c->server_name, err) < 0 || copy_str(e, "proxy-url", &c->proxy_url, err) < 0 ||
        get_bool(e, "insecure-skip-tls-verify", &c->insecure_skip_verify, err) < 0 ||
        get_bool(e, "disable-compression", &c->disable_compression, err) < 0)
        return -1;
    if (c->insecure_skip_verify && c->ca_pem)
        return fail(e, "insecure-skip-tls-verify", err,
                    "insecure-skip-tls-verify and a certificate authority exclude each other: remove one of them");
    return c->proxy_url ? check_url(e, "proxy-url", c->proxy_url, true, true, true, err) : 0;
}

/* ---- user ---- */

static int refuse_unsupported(const struct entry *e, struct error *err)
{
    static const struct {
        const char *key, *why;
    } refused[] = {
        {"exec", "wants to run a program to get credentials (exec), which is not done here: use a token of a service "
                 "account (kubectl create token NAME) or a client certificate"},
        {"auth-provider", "uses auth-provider, which Kubernetes has removed: use a token or a client certificate"},
        {"username", "uses a password, which Kubernetes has removed: use a token or a client certificate"},
        {"password", "uses a password, which Kubernetes has removed: use a token or a client certificate"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        if (json_at(e->value, refused[i].key))
            return fail(e, refused[i].key, err, "user \"%.80s\" %s", e->name, refused[i].why);
    return 0;
}

static int read_token(const struct entry *e, struct kube_config *c, struct error *err)
{
    const char *file;
    if (copy_str(e, "token", &c->token, err) < 0)
        return -1;
    int r = get_str(e, "tokenFile", &file, err);
    if (r != 0)
        return MIN(r, 0);
    c->token_file = beside(e, file);
    if (!c->token && credential_read_token(c->token_file, &c->token, err) < 0) {
        struct error why = err ? *err : ERROR_INIT;
        return fail(e, "tokenFile", err, "tokenFile: %s", why.message);
    }
    return 0;
}

/* Header lines that are being collected. */
struct headers {
    char **lines;
    size_t n;
};

static int add_header(struct headers *h, const struct entry *e, const char *key, const char *name, const json_t *value,
                      struct error *err)
{
    const char *text = json_string_value(value);
    if (!text)
        return fail(e, key, err, "%s: want texts", key);
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7F)
            return fail(e, key, err, "%s: a control character in a text", key);
    if (h->n == MAX_GROUPS)
        return fail(e, key, err, "more than %d impersonation headers", MAX_GROUPS);
    h->lines[h->n++] = xasprintf("%s: %s", name, text);
    return 0;
}

/* A text or a list of texts. */
static int add_headers(struct headers *h, const struct entry *e, const char *key, const char *name, const json_t *value,
                       struct error *err)
{
    if (!json_is_array(value))
        return add_header(h, e, key, name, value, err);
    size_t i;
    const json_t *one;
    json_array_foreach(value, i, one)
    {
        if (add_header(h, e, key, name, one, err) < 0)
            return -1;
    }
    return 0;
}

static int add_extra(struct headers *h, const struct entry *e, const json_t *extra, struct error *err)
{
    const char *key;
    json_t *values;
    if (!json_is_object(extra))
        return fail(e, "as-user-extra", err, "as-user-extra: want lists of texts by name");
    json_object_foreach((json_t *)(uintptr_t)extra, key, values)
    {
        struct buf name = BUF_INIT(4096);
        (void)buf_puts(&name, "Impersonate-Extra-");
        str_url_escape(&name, key);
        int r = name.failed ? fail(e, "as-user-extra", err, "as-user-extra: a name is too long")
                            : add_headers(h, e, "as-user-extra", buf_str(&name), values, err);
        buf_done(&name);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_impersonation(const struct entry *e, struct kube_config *c, struct error *err)
{
    static const char *const names[][2] = {
        {"as", "Impersonate-User"}, {"as-uid", "Impersonate-Uid"}, {"as-groups", "Impersonate-Group"}};
    struct headers h = {.lines = xcalloc(MAX_GROUPS + 1, sizeof(char *))};
    c->impersonate = h.lines;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const json_t *value = json_at(e->value, names[i][0]);
        if (value && add_headers(&h, e, names[i][0], names[i][1], value, err) < 0)
            return -1;
    }
    const json_t *extra = json_at(e->value, "as-user-extra");
    if (extra && add_extra(&h, e, extra, err) < 0)
        return -1;
    if (h.n > 0 && !json_is_string(json_at(e->value, "as")))
        return fail(e, NULL, err, "as-uid, as-groups and as-user-extra need \"as: USER\"");
    if (h.n == 0) {
        free(h.lines);
        c->impersonate = NULL;
    }
    return 0;
}

static int read_user(const struct entry *e, struct kube_config *c, struct error *err)
{
    if (refuse_unsupported(e, err) < 0 || get_pem(e, "client-certificate", &c->cert_pem, &c->cert_file, err) < 0 ||
        get_pem(e, "client-key", &c->key_pem, &c->key_file, err) < 0)
        return -1;
    if (c->cert_pem && !c->key_pem)
        return fail(e, "client-certificate", err,
                    "user \"%.80s\" has a client certificate without its key: add client-key", e->name);
    if (c->key_pem && !c->cert_pem)
        return fail(e, "client-key", err,
                    "user \"%.80s\" has a client key without its certificate: add client-certificate", e->name);
    if (read_token(e, c, err) < 0)
        return -1;
    return read_impersonation(e, c, err);
}

/* ---- context ---- */

static int find_context(const struct files *f, const char *wanted, struct entry *ret, struct error *err)
{
    char known[120];
    known_names(f, "contexts", known, sizeof(known));
    for (size_t i = 0; !wanted && i < f->n; i++) {
        const char *current = json_str(f->list[i].doc.root, "current-context");
        wanted = current && current[0] ? current : NULL;
    }
    if (!wanted)
        return fail_file(&f->list[0], "current-context", err,
                         "no current-context: add one, or choose a context with --context (known: %s)", known);
    if (!find(f, "context", wanted, ret))
        return fail_file(&f->list[0], "current-context", err, "there is no context \"%.80s\" (known: %s)", wanted,
                         known);
    return 0;
}

/* Looks up what the context names under `kind`. */
static int follow(const struct files *f, const struct entry *context, const char *kind, struct entry *ret,
                  struct error *err)
{
    const char *name = NULL;
    int r = get_str(context, kind, &name, err);
    if (r > 0)
        return fail(context, kind, err, "context \"%.80s\" names no %s: add \"%s: NAME\"", context->name, kind, kind);
    if (r < 0)
        return r;
    if (!find(f, kind, name, ret))
        return fail(context, kind, err, "context \"%.80s\" names %s \"%.80s\", which is not defined: add it under %ss",
                    context->name, kind, name, kind);
    return 0;
}

static int read_context(const struct files *f, const char *wanted, struct kube_config *c, struct error *err)
{
    struct entry context, cluster, user;
    if (find_context(f, wanted, &context, err) < 0)
        return -1;
    c->source = xasprintf("%s, context %s", context.source->path, context.name);
    int r = copy_str(&context, "namespace", &c->namespace_, err);
    if (r < 0)
        return r;
    if (r > 0)
        c->namespace_ = xstrdup("default");
    else if (!str_is_dns_label(c->namespace_))
        return fail(&context, "namespace", err, "namespace: \"%.80s\" is not the name of a namespace", c->namespace_);
    if (follow(f, &context, "cluster", &cluster, err) < 0 || read_cluster(&cluster, c, err) < 0)
        return -1;

    /* A plain http server is a local proxy (kubectl proxy), which has the credentials itself: there is none
     * to name. */
    const char *name;
    bool plain = str_starts(c->server, "http://");
    if (plain && get_str(&context, "user", &name, NULL) > 0)
        return 0;
    if (follow(f, &context, "user", &user, err) < 0 || read_user(&user, c, err) < 0)
        return -1;
    if (plain && (c->cert_pem || c->token))
        return fail(&cluster, "server", err, "credentials are only sent over https, and the server is %.80s",
                    c->server);
    return 0;
}

int kubeconfig_read(char *const *paths, size_t n, bool optional, const char *context, struct kube_config *c,
                    struct error *err)
{
    if (n > MAX_FILES)
        return error_set(err, ERROR_CONFIG, "KUBECONFIG names more than %d files", MAX_FILES);
    struct files f = {.list = xcalloc(n, sizeof(*f.list))};
    int r = 0;
    for (size_t i = 0; i < n && r >= 0; i++)
        r = load_file(&f, paths[i], optional, err);
    if (r >= 0)
        r = f.n == 0 ? 1 : read_context(&f, context, c, err);
    files_done(&f);
    return r;
}

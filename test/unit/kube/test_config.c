/* Where the API server is: every rule of kubeconfig files and of pods, and the message of every mistake. */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "kube/config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define PEM   "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
#define PEM64 "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFBQUEKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="
#define KEY   "-----BEGIN PRIVATE KEY-----\nBBBB\n-----END PRIVATE KEY-----\n"

struct dir {
    char path[64];
};

static int set_up(void **state)
{
    struct dir *d = xcalloc(1, sizeof(*d));
    (void)snprintf(d->path, sizeof(d->path), "/tmp/test_config.XXXXXX");
    *state = d;
    return mkdtemp(d->path) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct dir *d = *state;
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", d->path);
    int r = system(command);
    free(d);
    return r;
}

static const char *put(struct dir *d, const char *name, const char *text)
{
    static char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", d->path, name);
    for (char *s = path + strlen(d->path) + 1; (s = strchr(s, '/')); *s++ = '/') {
        *s = '\0';
        (void)mkdir(path, 0700);
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
    return path;
}

static struct kube_config *load(const struct kube_environment *env, const char *path, const char *context)
{
    struct kube_config *c = NULL;
    struct error err;
    if (kube_config_load(env, path, context, &c, &err) < 0)
        fail_msg("%s", err.message);
    return c;
}

static const struct kube_environment no_environment;

static void test_full(void **state)
{
    struct dir *d = *state;
    put(d, "pki/ca.crt", PEM);
    put(d, "pki/client.crt", PEM);
    put(d, "pki/client.key", KEY);
    put(d, "token", "  file-token \n\n");
    const char *path =
        put(d, "config",
            "apiVersion: v1\nkind: Config\ncurrent-context: kind\npreferences: {}\n"
            "clusters:\n"
            "- name: other\n  cluster: {server: 'https://other'}\n"
            "- name: c\n  cluster:\n    server: https://[fd00::1]:6443/prefix/\n"
            "    certificate-authority: pki/ca.crt\n    tls-server-name: kubernetes\n"
            "    proxy-url: socks5://proxy:1080\n    disable-compression: true\n"
            "users:\n"
            "- name: u\n  user:\n    client-certificate: pki/client.crt\n    client-key: pki/client.key\n"
            "    token: direct-token\n    tokenFile: token\n"
            "    as: boss\n    as-uid: '7'\n    as-groups: [g1, g2]\n"
            "    as-user-extra: {'ex/am:ple': [v1, v2], b: [x]}\n"
            "contexts:\n"
            "- name: kind\n  context: {cluster: c, user: u, namespace: shop}\n"
            "- name: second\n  context: {cluster: other, user: u}\n");
    char want[128];
    struct kube_config *c = load(&no_environment, path, NULL);
    assert_string_equal(c->server, "https://[fd00::1]:6443/prefix");
    assert_string_equal(c->namespace_, "shop");
    assert_string_equal(c->ca_pem, PEM);
    (void)snprintf(want, sizeof(want), "%s/pki/ca.crt", d->path);
    assert_string_equal(c->ca_file, want);
    assert_string_equal(c->cert_pem, PEM);
    assert_string_equal(c->key_pem, KEY);
    (void)snprintf(want, sizeof(want), "%s/pki/client.key", d->path);
    assert_string_equal(c->key_file, want);
    assert_string_equal(c->token, "direct-token"); /* at first; the file wins when it is read again */
    (void)snprintf(want, sizeof(want), "%s/token", d->path);
    assert_string_equal(c->token_file, want);
    assert_string_equal(c->server_name, "kubernetes");
    assert_string_equal(c->proxy_url, "socks5://proxy:1080");
    assert_true(c->disable_compression);
    assert_false(c->insecure_skip_verify);
    assert_false(c->in_cluster);
    static const char *const headers[] = {"Impersonate-User: boss", "Impersonate-Uid: 7", "Impersonate-Group: g1",
                                          "Impersonate-Group: g2"};
    size_t n = 0, extra = 0;
    for (; c->impersonate[n]; n++) {
        if (n < ARRAY_SIZE(headers))
            assert_string_equal(c->impersonate[n], headers[n]);
        extra += streq(c->impersonate[n], "Impersonate-Extra-ex%2Fam%3Aple: v1");
        extra += streq(c->impersonate[n], "Impersonate-Extra-ex%2Fam%3Aple: v2");
        extra += streq(c->impersonate[n], "Impersonate-Extra-b: x");
    }
    assert_int_equal(n, 7);
    assert_int_equal(extra, 3);
    (void)snprintf(want, sizeof(want), "%s/config, context kind", d->path);
    assert_string_equal(c->source, want);
    kube_config_free(c);

    c = load(&no_environment, path, "second");
    assert_string_equal(c->server, "https://other");
    assert_string_equal(c->namespace_, "default");
    assert_null(c->ca_pem);
    assert_null(c->proxy_url);
    kube_config_free(c);
}

static void test_data_beats_files(void **state)
{
    struct dir *d = *state;
    put(d, "token", "file-token\n");
    const char *path =
        put(d, "config",
            "current-context: k\nclusters: [{name: c, cluster: {server: https://h, certificate-authority: "
            "/nowhere, "
            "certificate-authority-data: " PEM64 "}}]\n"
            "users: [{name: u, user: {client-certificate: /nowhere, client-certificate-data: " PEM64
            ", client-key: /nowhere, client-key-data: " PEM64 ", tokenFile: token}}]\n"
            "contexts: [{name: k, context: {cluster: c, user: u}}]\n");
    struct kube_config *c = load(&no_environment, path, NULL);
    assert_string_equal(c->ca_pem, PEM);
    assert_null(c->ca_file);
    assert_string_equal(c->cert_pem, PEM);
    assert_string_equal(c->key_pem, PEM);
    assert_null(c->cert_file);
    assert_null(c->key_file);
    assert_string_equal(c->token, "file-token");
    assert_null(c->impersonate);
    kube_config_free(c);
}

static void test_merge(void **state)
{
    struct dir *d = *state;
    put(d, "a",
        "clusters: [{name: c, cluster: {server: https://from-a}}]\n"
        "contexts: [{name: k, context: {cluster: c, user: u, namespace: a}}]\n");
    put(d, "empty", "");
    put(d, "sub/b",
        "current-context: k\nclusters: [{name: c, cluster: {server: https://from-b}}]\n"
        "users: [{name: u, user: {tokenFile: t}}]\n"
        "contexts: [{name: k, context: {cluster: nope}}, {name: only-b, context: {cluster: c, user: u}}]\n");
    put(d, "sub/t", "T");
    put(d, "z", "current-context: zzz\n");
    char list[400];
    (void)snprintf(list, sizeof(list), ":%s/missing::%s/a:%s/empty:%s/sub/b:%s/z:", d->path, d->path, d->path, d->path,
                   d->path);
    struct kube_environment env = {
        .kubeconfig = list, .home = "/nowhere", .service_host = "10.0.0.1", .service_port = "443"};
    struct kube_config *c = load(&env, NULL, NULL);
    assert_string_equal(c->server, "https://from-a");
    assert_string_equal(c->namespace_, "a");
    assert_string_equal(c->token, "T"); /* relative to the file that says so */
    kube_config_free(c);
    c = load(&env, NULL, "only-b");
    assert_string_equal(c->namespace_, "default");
    assert_string_equal(c->server, "https://from-a");
    kube_config_free(c);

    struct error err;
    env.kubeconfig = "/nowhere/x:/nowhere/y";
    assert_true(kube_config_load(&env, NULL, NULL, &c, &err) < 0);
    assert_string_equal(err.message, "no file that KUBECONFIG names exists: /nowhere/x:/nowhere/y");
    assert_true(kube_config_load(&env, "/nowhere/x", NULL, &c, &err) < 0);
    assert_string_equal(err.message, "opening /nowhere/x: No such file or directory");
}

static void test_home_and_cluster(void **state)
{
    struct dir *d = *state;
    struct kube_environment env = {.home = d->path};
    struct kube_config *c = NULL;
    struct error err;
    assert_true(kube_config_load(&env, NULL, NULL, &c, &err) < 0);
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_non_null(strstr(err.message, "give --kubeconfig FILE"));
    assert_true(kube_config_load(&no_environment, NULL, NULL, &c, &err) < 0);

    put(d, ".kube/config",
        "current-context: k\nclusters: [{name: c, cluster: {server: 'http://127.0.0.1:8001'}}]\n"
        "contexts: [{name: k, context: {cluster: c}}]\n");
    c = load(&env, NULL, NULL);
    assert_string_equal(c->server, "http://127.0.0.1:8001");
    assert_null(c->token);
    kube_config_free(c);

    /* In a pod the service account counts, unless a context is asked for. */
    char dir[100];
    (void)snprintf(dir, sizeof(dir), "%s/sa", d->path);
    put(d, "sa/token", "abc\n");
    put(d, "sa/ca.crt", PEM);
    env = (struct kube_environment){
        .home = d->path, .service_host = "fd00:10::1", .service_port = "6443", .service_account_dir = dir};
    c = load(&env, NULL, NULL);
    assert_string_equal(c->server, "https://[fd00:10::1]:6443");
    assert_string_equal(c->namespace_, "default");
    assert_string_equal(c->token, "abc");
    assert_string_equal(c->source, "in-cluster service account");
    assert_true(c->in_cluster);
    kube_config_free(c);
    c = load(&env, NULL, "k");
    assert_string_equal(c->server, "http://127.0.0.1:8001");
    kube_config_free(c);

    put(d, "sa/namespace", "ai4k8s\n");
    env.service_host = "10.96.0.1";
    c = load(&env, NULL, NULL);
    assert_string_equal(c->server, "https://10.96.0.1:6443");
    assert_string_equal(c->namespace_, "ai4k8s");
    kube_config_free(c);

    static const char *const ports[] = {"0", "65536", "https", "44 3", "-1", "18446744073709551617"};
    for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
        env.service_port = ports[i];
        assert_true(kube_config_load(&env, NULL, NULL, &c, &err) < 0);
        assert_true(str_starts(err.message, "KUBERNETES_SERVICE_PORT is not a port"));
    }
    env.service_port = "443";
    static const char *const hosts[] = {"a/b", "a@b", "a b", "h?", "[::1]"};
    for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
        env.service_host = hosts[i];
        assert_true(kube_config_load(&env, NULL, NULL, &c, &err) < 0);
        assert_true(str_starts(err.message, "KUBERNETES_SERVICE_HOST is not a host"));
    }
    env.service_host = "h";
    put(d, "sa/namespace", "Not A Namespace");
    assert_true(kube_config_load(&env, NULL, NULL, &c, &err) < 0);
    assert_non_null(strstr(err.message, "sa/namespace does not have the name of a namespace in it"));
    put(d, "sa/token", " \n");
    assert_true(kube_config_load(&env, NULL, NULL, &c, &err) < 0);
    assert_non_null(strstr(err.message, "sa/token has no token in it"));
    put(d, "sa/token", "abc");
    put(d, "sa/ca.crt", "garbage");
    assert_true(kube_config_load(&env, NULL, NULL, &c, &err) < 0);
    assert_non_null(strstr(err.message, "sa/ca.crt has no PEM block"));
}

#define CLUSTER "clusters: [{name: c, cluster: {server: 'https://h'}}]\n"
#define CONTEXT "current-context: k\ncontexts: [{name: k, context: {cluster: c, user: u}}]\n"

static void test_mistakes(void **state)
{
    struct dir *d = *state;
    static const struct {
        const char *text, *message; /* behind "FILE" */
    } cases[] = {
        {"", ": no current-context: add one, or choose a context with --context (known: none)"},
        {"- a\n", ":1: this is not a kubeconfig (kind: Config)"},
        {"x: 1\nkind: Pod\n", ":2: this is not a kubeconfig (kind: Config)"},
        {"contexts:\n- name: a\n- name: b\n",
         ": no current-context: add one, or choose a context with --context (known: a, b)"},
        {"contexts:\n- name: a\n\ncurrent-context: x\n", ":4: there is no context \"x\" (known: a)"},
        {"clusters: {}\n", ":1: clusters: want a list"},
        {"users:\n- user: {}\n", ":2: users: want a name (a text) in each entry"},
        {"users:\n- name: 3\n", ":2: users: want a name (a text) in each entry"},
        {"users:\n- name: a\n- name: b\n- name: a\n", ":4: users: \"a\" is defined twice"},
        {"current-context: k\ncontexts:\n- name: k\n", ":3: context \"k\" names no cluster: add \"cluster: NAME\""},
        {"current-context: k\ncontexts:\n- name: k\n  context:\n    cluster: c\n",
         ":5: context \"k\" names cluster \"c\", which is not defined: add it under clusters"},
        {"current-context: k\ncontexts:\n- name: k\n  context:\n    user: u\n    cluster: 7\n",
         ":6: cluster: want a text (put it in quotes)"},
        {CONTEXT "clusters:\n- name: c\n", ":4: cluster \"c\" has no server: add \"server: https://HOST:PORT\""},
        {CONTEXT "clusters:\n- name: c\n  cluster:\n    server: ''\n",
         ":6: cluster \"c\" has no server: add \"server: https://HOST:PORT\""},
        {CONTEXT "clusters:\n- name: c\n  cluster:\n    server: 10.0.0.1:6443\n",
         ":6: server: \"10.0.0.1:6443\" is not a URL of the form https://HOST:PORT"},
        {CONTEXT "clusters:\n- name: c\n  cluster:\n    server: ftp://x\n",
         ":6: server: \"ftp://x\" is not a URL of the form https://HOST:PORT"},
        {CONTEXT "clusters:\n- name: c\n  cluster:\n    server: https:///x\n",
         ":6: server: \"https:///x\" is not a URL of the form https://HOST:PORT"},
        {CONTEXT "clusters:\n- name: c\n  cluster:\n    server: https://h/?a\n",
         ":6: server: a URL without spaces, query and fragment is wanted"},
        {CONTEXT "clusters:\n- name: c\n  cluster:\n    server: https://h\n    proxy-url: x\n",
         ":7: proxy-url: \"x\" is not a URL of the form http://HOST:PORT"},
        {CONTEXT "clusters:\n- name: c\n  cluster:\n    server: https://h\n    insecure-skip-tls-verify: 'yes'\n",
         ":7: insecure-skip-tls-verify: want true or false"},
        {CONTEXT "clusters:\n- name: c\n  cluster:\n    server: https://h\n    insecure-skip-tls-verify: true\n"
                 "    certificate-authority-data: " PEM64 "\n",
         ":7: insecure-skip-tls-verify and a certificate authority exclude each other: remove one of them"},
        {CONTEXT "clusters:\n- name: c\n  cluster:\n    server: https://h\n    certificate-authority-data: '!!!'\n",
         ":7: certificate-authority-data: not valid base64"},
        {CONTEXT "clusters:\n- name: c\n  cluster:\n    server: https://h\n    certificate-authority: /nowhere/ca\n",
         ":7: certificate-authority: opening /nowhere/ca: No such file or directory"},
        {CONTEXT CLUSTER, ":2: context \"k\" names user \"u\", which is not defined: add it under users"},
        {CLUSTER "current-context: k\ncontexts:\n- name: k\n  context:\n    cluster: c\n",
         ":5: context \"k\" names no user: add \"user: NAME\""},
        {CONTEXT CLUSTER "users:\n- name: u\n  user:\n    exec: {command: aws}\n",
         ":7: user \"u\" wants to run a program to get credentials (exec), which is not done here: use a "
         "token of a "
         "service account (kubectl create token NAME) or a client certificate"},
        {CONTEXT CLUSTER "users:\n- name: u\n  user:\n    auth-provider: {name: gcp}\n",
         ":7: user \"u\" uses auth-provider, which Kubernetes has removed: use a token or a client "
         "certificate"},
        {CONTEXT CLUSTER "users:\n- name: u\n  user:\n    password: x\n",
         ":7: user \"u\" uses a password, which Kubernetes has removed: use a token or a client certificate"},
        {CONTEXT CLUSTER "users:\n- name: u\n  user:\n    client-certificate-data: " PEM64 "\n",
         ":6: user \"u\" has a client certificate without its key: add client-key"},
        {CONTEXT CLUSTER "users:\n- name: u\n  user:\n    client-key-data: " PEM64 "\n",
         ":6: user \"u\" has a client key without its certificate: add client-certificate"},
        {CONTEXT CLUSTER "users:\n- name: u\n  user:\n    tokenFile: /nowhere/t\n",
         ":7: tokenFile: opening /nowhere/t: No such file or directory"},
        {CONTEXT CLUSTER "users:\n- name: u\n  user:\n    tokenFile: /tmp\n",
         ":7: tokenFile: /tmp is not a regular file"},
        {CONTEXT CLUSTER "users:\n- name: u\n  user:\n    token: 12345\n", ":7: token: want a text (put it in quotes)"},
        {CONTEXT CLUSTER "users:\n- name: u\n  user:\n    as-groups: [g]\n",
         ":6: as-uid, as-groups and as-user-extra need \"as: USER\""},
        {CONTEXT CLUSTER "users:\n- name: u\n  user:\n    as: \"a\\r\\nEvil: 1\"\n",
         ":7: as: a control character in a text"},
        {CONTEXT CLUSTER "users:\n- name: u\n  user:\n    as: a\n    as-groups: [[g]]\n", ":8: as-groups: want texts"},
        {CONTEXT CLUSTER "users:\n- name: u\n  user:\n    as: a\n    as-user-extra: [x]\n",
         ":8: as-user-extra: want lists of texts by name"},
        {"current-context: k\ncontexts: [{name: k, context: {cluster: c, user: u, namespace: 'A b'}}]\n",
         ":2: namespace: \"A b\" is not the name of a namespace"},
        {CONTEXT "clusters:\n- name: c\n  cluster:\n    server: http://10.0.0.1\nusers: [{name: u, user: "
                 "{token: t}}]\n",
         ":6: credentials are only sent over https, and the server is http://10.0.0.1"},
        {"a: [\n", ":2: did not find expected node content while parsing a flow node"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *path = put(d, "config", cases[i].text);
        struct kube_config *c = NULL;
        struct error err = ERROR_INIT;
        if (kube_config_load(&no_environment, path, NULL, &c, &err) == 0)
            fail_msg("taken: %s", cases[i].text);
        assert_null(c);
        assert_true(str_starts(err.message, path));
        assert_string_equal(err.message + strlen(path), cases[i].message);
    }
}

/* No message has a secret in it, whatever is wrong. */
static void test_secrets_stay(void **state)
{
    struct dir *d = *state;
    static const char *const users[] = {
        "token: s3cret\n    client-key-data: '!s3cret'\n",
        "token: s3cret\n    tokenFile: 3\n",
        "token: [s3cret]\n",
        "client-key-data: {a: s3cret}\n",
        "password: s3cret\n    username: x\n",
        "token: s3cret\n    as: [\"\\x01\"]\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
        struct buf text = BUF_INIT(10000);
        (void)buf_printf(&text, "%s%susers:\n- name: u\n  user:\n    %s", CONTEXT, CLUSTER, users[i]);
        const char *path = put(d, "config", buf_str(&text));
        struct kube_config *c = NULL;
        struct error err = ERROR_INIT;
        assert_true(kube_config_load(&no_environment, path, NULL, &c, &err) < 0);
        assert_null(strstr(err.message, "s3cret"));
        buf_done(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_data_beats_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_merge, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_home_and_cluster, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mistakes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_secrets_stay, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

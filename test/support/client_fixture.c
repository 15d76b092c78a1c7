/* See client_fixture.h. */
#include "test/support/client_fixture.h"

#include "base/alloc.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static int64_t real_now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * USEC_PER_SEC + t.tv_nsec / 1000;
}

int fixture_set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    *state = f;
    struct error err;
    clock_fake_init(&f->clock, real_now_us());
    f->loop = loop_new(&f->clock.clock, &err);
    assert_non_null(f->loop);
    f->http = http_new(f->loop, &(struct http_config){.user_agent = "test/1"}, &err);
    assert_non_null(f->http);
    f->log_fd = memfd_create("log", MFD_CLOEXEC);
    assert_true(f->log_fd >= 0);
    f->metrics = metrics_new();
    rng_seed(&f->rng, 1);
    f->options = (struct kube_client_options){
        .user_agent = "ai4k8s-test/1 (linux/amd64) kubernetes/abc",
        .field_manager = "ai4k8s",
        .metrics = f->metrics,
        .rng = &f->rng,
        .log = log_new(
            &(struct log_config){.fd = f->log_fd, .format = LOG_JSON, .level = LOG_TRACE, .clock = &f->clock.clock}),
    };
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/test_client.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    fixture_serve(f, NULL);
    return 0;
}

void fixture_serve(struct fixture *f, const struct server_options *options)
{
    f->server = server_free(f->server);
    f->server = server_new(options);
    f->config.server = (char *)(uintptr_t)server_url(f->server);
    f->config.ca_pem = (char *)(uintptr_t)server_ca_pem(f->server);
    f->config.token = (char *)(uintptr_t)SECRET;
    f->config.namespace_ = (char *)(uintptr_t) "shop";
    f->config.source = (char *)(uintptr_t) "test";
}

void fixture_client(struct fixture *f)
{
    struct error err;
    f->client = kube_client_free(f->client);
    f->client = kube_client_new(f->loop, f->http, &f->config, &f->options, &err);
    if (!f->client)
        fail_msg("%s", err.message);
}

int fixture_tear_down(void **state)
{
    struct fixture *f = *state;
    kube_client_free(f->client);
    http_free(f->http);
    server_free(f->server);
    char *log = logged(f);
    bool leaked = strstr(log, SECRET) != NULL;
    free(log);
    log_free(f->options.log);
    metrics_free(f->metrics);
    loop_free(f->loop);
    (void)close(f->log_fd);
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
    int r = system(command);
    free(f);
    if (leaked)
        print_message("the token is in the log\n");
    return leaked ? -1 : r;
}

static int on_data(void *data, const char *bytes, size_t len, struct error *err)
{
    (void)err;
    struct outcome *o = data;
    assert_true(o->n_streamed + len < sizeof(o->streamed));
    memcpy(o->streamed + o->n_streamed, bytes, len);
    o->n_streamed += len;
    return 0;
}

static void on_done(void *data, const struct kube_response *response, const struct error *err)
{
    struct outcome *o = data;
    assert_false(o->done);
    assert_non_null(response);
    o->done = true;
    o->response = *response;
    if (response->body)
        (void)str_copy(o->body, sizeof(o->body), response->body);
    o->has_error = err != NULL;
    if (!err)
        return;
    o->err = *err;
    assert_null(strstr(err->message, SECRET));
    kube_client_cancel(o->f->client, o->id); /* nothing any more */
}

void begin(struct fixture *f, struct outcome *o, struct kube_request request)
{
    if (!f->client)
        fixture_client(f);
    *o = (struct outcome){.f = f};
    request.done = on_done;
    if (request.idle_timeout_us && !request.on_data)
        request.on_data = on_data;
    if (!request.data)
        request.data = o;
    o->id = kube_client_start(f->client, &request);
    assert_true(o->id > 0);
    assert_false(o->done);
}

void finish(struct outcome *o)
{
    for (int i = 0; i < 1000 && !o->done; i++)
        (void)loop_turn(o->f->loop, 10 * USEC_PER_MSEC);
    assert_true(o->done);
}

void ask(struct fixture *f, struct outcome *o, struct kube_request request)
{
    begin(f, o, request);
    finish(o);
}

void still_waits(struct outcome *o)
{
    for (int quiet = 0; quiet < 5;)
        quiet = loop_turn(o->f->loop, 10 * USEC_PER_MSEC) ? 0 : quiet + 1;
    assert_false(o->done);
}

void pass(struct fixture *f, int64_t us)
{
    clock_fake_advance(&f->clock, us);
    while (loop_turn(f->loop, 5 * USEC_PER_MSEC))
        ;
}

void until_seen(struct fixture *f, size_t n)
{
    for (int i = 0; i < 1000 && server_seen(f->server) < n; i++)
        (void)loop_turn(f->loop, 10 * USEC_PER_MSEC);
    assert_int_equal(server_seen(f->server), n);
}

char *file_path(struct fixture *f, const char *name)
{
    return xasprintf("%s/%s", f->dir, name);
}

void put_file(struct fixture *f, const char *name, const char *text)
{
    char *path = file_path(f, name), *next = xasprintf("%s.next", path);
    int fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
    assert_int_equal(rename(next, path), 0);
    free(next);
    free(path);
}

char *logged(struct fixture *f)
{
    off_t size = lseek(f->log_fd, 0, SEEK_END);
    char *text = xcalloc((size_t)size + 1, 1);
    assert_int_equal(pread(f->log_fd, text, (size_t)size, 0), size);
    return text;
}

unsigned count_in(const char *text, const char *word)
{
    unsigned n = 0;
    for (const char *at = text; (at = strstr(at, word)); at++)
        n++;
    return n;
}

int64_t metric_milli(struct fixture *f, const char *series)
{
    struct buf out = BUF_INIT(1 << 20);
    metrics_write(f->metrics, &out, false);
    double value = -1;
    size_t len = strlen(series);
    for (const char *line = buf_str(&out); *line;) {
        size_t line_len = strcspn(line, "\n");
        if (strncmp(line, series, len) == 0 && line[len] == ' ')
            assert_true(str_to_double_n(line + len + 1, line_len - len - 1, &value));
        line += line_len + (line[line_len] == '\n');
    }
    buf_done(&out);
    return value < 0 ? -1 : (int64_t)(value * 1000 + 0.5);
}

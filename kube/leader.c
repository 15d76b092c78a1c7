/* The elector as a state machine: at most one request under way, one timer for the next attempt, one for the
 * fence.
 *
 *     acquiring --(our write was accepted)--> leading --(fence closed, or another holder seen)--> lost
 *         \____________________ leader_release ____________/--> releasing --> released
 *
 * An attempt is client-go's tryAcquireOrRenew: while we lead, a PUT with the resourceVersion of our own last
 * write (fast path); otherwise, or when that fails, GET, compare, PUT (slow path), or POST when there is no
 * Lease. All times are CLOCK_BOOTTIME read anew at each decision, not once per turn: the process may have
 * been stopped within the turn.
 */
#include "kube/leader.h"

#include "base/alloc.h"
#include "base/str.h"
#include "kube/lease.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define LEASE_MAX_BYTES  ((size_t)256 * 1024)
#define REQUEST_US       (5 * USEC_PER_SEC)
#define RELEASE_US       (4 * USEC_PER_SEC)
#define RELEASE_RETRY_US (200 * USEC_PER_MSEC)
#define HEALTH_GRACE_US  (20 * USEC_PER_SEC)
#define JITTER           1.2 /* of the acquire loop: retry x [1, 2.2) */
#define MIN_REQUEST_US   (10 * USEC_PER_MSEC)

enum state { IDLE, ACQUIRING, LEADING, LOST, RELEASING, RELEASED };
enum step { STEP_NONE, STEP_GET, STEP_CREATE, STEP_FAST, STEP_SLOW };

struct leader {
    struct kube_client *client;
    struct loop *loop;
    struct log *log;
    struct rng *rng;
    struct leader_config config;
    char *namespace_, *name, *identity;
    enum state state;

    struct lease lease;  /* as last seen; json NULL: not seen yet, or there is none */
    int64_t observed_us; /* when the record last changed, as we saw it */
    bool outdated;       /* the server may have a newer one: no fast path */
    char *reported;      /* the holder that on_new_leader was told */

    enum step step;
    int64_t request;    /* 0: none under way */
    int64_t attempt_us; /* when the attempt began */
    int64_t sent_us;    /* before the request under way was sent */
    int64_t renewed_us; /* before sending the last successful renewal */
    bool complained;    /* of failures since the last success */

    struct loop_timer attempt_timer, fence_timer, release_timer;
    void (*released)(void *data);
    void *released_data;
    struct metrics_series *status, *slowpath; /* NULL: none */
};

static void attempt(void *data);
static void on_fence(void *data);
static void on_release_end(void *data);

static int64_t now_us(const struct leader *l)
{
    return clock_boot_us(loop_clock(l->loop));
}

static int64_t deadline_us(const struct leader *l)
{
    return l->renewed_us + l->config.renew_us;
}

static bool fence_of_leader(void *data)
{
    return leader_may_write(data);
}

static bool fence_closed(void *data UNUSED)
{
    return false;
}

static int validate(const struct leader_config *c, struct error *err)
{
    if (!c->namespace_ || !c->name || !c->identity || !*c->namespace_ || !*c->name || !*c->identity)
        return error_set(err, ERROR_CONFIG, "leader election: namespace, name and identity must not be empty");
    if (c->lease_us <= c->renew_us)
        return error_set(err, ERROR_CONFIG,
                         "leader election: the lease duration must be longer than the renew deadline");
    if (c->lease_us < USEC_PER_SEC)
        return error_set(err, ERROR_CONFIG, "leader election: the lease duration must be a second or more");
    if (c->retry_us <= 0 || (double)c->renew_us <= (double)c->retry_us * JITTER)
        return error_set(err, ERROR_CONFIG,
                         "leader election: the renew deadline must be longer than 1.2 times the retry period");
    return 0;
}

static void measure(struct leader *l, struct metrics *metrics)
{
    if (!metrics)
        return;
    l->status = metrics_get(metrics_family(metrics, METRICS_GAUGE, "leader_election_master_status",
                                           "Whether this process leads: 1 yes, 0 a standby.", "name", NULL, 0),
                            l->name, NULL);
    l->slowpath = metrics_get(metrics_family(metrics, METRICS_COUNTER, "leader_election_slowpath_total",
                                             "Renewals that had to read the lease again.", "name", NULL, 0),
                              l->name, NULL);
    metrics_set(l->status, 0);
}

struct leader *leader_new(struct kube_client *client, const struct leader_config *config, struct log *log,
                          struct metrics *metrics, struct rng *rng, struct error *err)
{
    struct leader_config c = *config;
    c.lease_us = c.lease_us ? c.lease_us : 15 * USEC_PER_SEC;
    c.renew_us = c.renew_us ? c.renew_us : 10 * USEC_PER_SEC;
    c.retry_us = c.retry_us ? c.retry_us : 2 * USEC_PER_SEC;
    if (validate(&c, err) < 0)
        return NULL;
    struct leader *l = xcalloc(1, sizeof(*l));
    *l = (struct leader){.client = client,
                         .loop = kube_client_loop(client),
                         .log = log,
                         .rng = rng,
                         .config = c,
                         .namespace_ = xstrdup(c.namespace_),
                         .name = xstrdup(c.name),
                         .identity = xstrdup(c.identity)};
    loop_timer_init(&l->attempt_timer, l->loop, LOOP_LEASE, attempt, l);
    loop_timer_init(&l->fence_timer, l->loop, LOOP_LEASE, on_fence, l);
    loop_timer_init(&l->release_timer, l->loop, LOOP_LEASE, on_release_end, l);
    measure(l, metrics);
    kube_client_set_fence(client, fence_of_leader, l);
    return l;
}

/* No answer of the request under way comes any more. */
static void drop_request(struct leader *l)
{
    if (l->request)
        kube_client_cancel(l->client, l->request);
    l->request = 0;
    l->step = STEP_NONE;
}

struct leader *leader_free(struct leader *l)
{
    if (!l)
        return NULL;
    drop_request(l);
    loop_timer_disarm(&l->attempt_timer);
    loop_timer_disarm(&l->fence_timer);
    loop_timer_disarm(&l->release_timer);
    kube_client_set_fence(l->client, fence_closed, NULL);
    lease_done(&l->lease);
    free(l->reported);
    free(l->namespace_);
    free(l->name);
    free(l->identity);
    free(l);
    return NULL;
}

void leader_start(struct leader *l)
{
    assert(l->state == IDLE);
    l->state = ACQUIRING;
    log_info(l->log, "standing for election", LOG_S("lease", l->name), LOG_S("namespace", l->namespace_),
             LOG_S("identity", l->identity));
    loop_timer_arm(&l->attempt_timer, 0);
}

bool leader_is_leader(const struct leader *l)
{
    return l->state == LEADING;
}

bool leader_may_write(const struct leader *l)
{
    return l->state == LEADING && now_us(l) < deadline_us(l);
}

bool leader_healthy(const struct leader *l)
{
    bool led = l->state == LEADING || l->state == LOST;
    return !led || now_us(l) - l->renewed_us <= l->config.lease_us + HEALTH_GRACE_US;
}

const char *leader_holder(const struct leader *l)
{
    return l->lease.record.holder ? l->lease.record.holder : "";
}

/* ---- losing ---- */

static void lose(struct leader *l, const char *why)
{
    drop_request(l);
    loop_timer_disarm(&l->attempt_timer);
    loop_timer_disarm(&l->fence_timer);
    l->state = LOST;
    if (l->status)
        metrics_set(l->status, 0);
    log_error(l->log, "lease lost", LOG_S("lease", l->name), LOG_S("why", why), LOG_S("holder", leader_holder(l)));
    l->config.on_lost(l->config.data);
}

/* True when the fence has closed while we led: then all is over, and nothing else may be done. */
static bool too_late(struct leader *l)
{
    if (l->state != LEADING || now_us(l) < deadline_us(l))
        return false;
    lose(l, "not renewed within the deadline");
    return true;
}

static void on_fence(void *data)
{
    struct leader *l = data;
    if (!too_late(l) && l->state == LEADING)
        loop_timer_arm_at(&l->fence_timer, deadline_us(l));
}

/* ---- observing ---- */

/* Takes a Lease as the server showed it. */
static int observe(struct leader *l, const struct kube_response *response, struct error *err)
{
    struct lease seen;
    if (lease_decode(response->body, response->body_len, &seen, err) < 0)
        return -1;
    if (!l->lease.json || !lease_record_equal(&seen.record, &l->lease.record))
        l->observed_us = now_us(l);
    lease_done(&l->lease);
    l->lease = seen;
    l->outdated = false;
    if (*seen.record.holder && !streq0(l->reported, seen.record.holder)) {
        free(l->reported);
        l->reported = xstrdup(seen.record.holder);
        if (l->config.on_new_leader)
            l->config.on_new_leader(l->config.data, l->reported);
    }
    return 0;
}

static bool held_by_us(const struct leader *l)
{
    return l->lease.json && streq(l->lease.record.holder, l->identity);
}

static bool held_by_another(const struct leader *l)
{
    return l->lease.json && *l->lease.record.holder && !held_by_us(l);
}

static bool expired(const struct leader *l)
{
    return now_us(l) >= l->observed_us + l->lease.record.duration_s * USEC_PER_SEC;
}

/* ---- requests ---- */

static void on_done(void *data, const struct kube_response *response, const struct error *err);

static void send(struct leader *l, enum step step, enum kube_verb verb, const struct buf *body)
{
    struct buf path = BUF_INIT(4096);
    resource_path(&path, &resource_leases, l->namespace_, verb == KUBE_POST ? NULL : l->name, NULL);
    l->sent_us = now_us(l);
    int64_t timeout_us = MIN(REQUEST_US, l->config.renew_us / 2);
    if (l->state == LEADING)
        timeout_us = MAX(MIN(timeout_us, deadline_us(l) - l->sent_us), MIN_REQUEST_US);
    struct kube_request request = {
        .verb = verb,
        .path = buf_str(&path),
        .body = body ? buf_str(body) : NULL,
        .body_len = body ? body->len : 0,
        .timeout_us = timeout_us,
        .max_body = LEASE_MAX_BYTES,
        .unfenced = true,
        .no_retry = true,
        .connection = HTTP_DEDICATED,
        .priority = LOOP_LEASE,
        .done = on_done,
        .data = l,
    };
    l->step = step;
    l->request = kube_client_start(l->client, &request);
    buf_done(&path);
}

static void next_attempt(struct leader *l, int64_t after_us)
{
    if (l->state == ACQUIRING || l->state == LEADING)
        loop_timer_arm(&l->attempt_timer, after_us);
    else if (l->state == RELEASING)
        loop_timer_arm(&l->attempt_timer, RELEASE_RETRY_US);
}

/* The attempt came to nothing. A standby comes again after a jittered pause; a leader keeps its rhythm,
 * however long the attempt took. */
static void attempt_failed(struct leader *l, const char *what, const struct error *err)
{
    if (err) {
        if (!l->complained || l->state == LEADING)
            log_warn(l->log, what, LOG_S("lease", l->name), LOG_ERR(err));
        l->complained = true;
    }
    if (l->state == LEADING)
        next_attempt(l, MAX(l->attempt_us + l->config.retry_us - now_us(l), 0));
    else
        next_attempt(l, l->config.retry_us + (int64_t)(rng_unit(l->rng) * JITTER * (double)l->config.retry_us));
}

static void write_lease(struct leader *l, enum step step, enum kube_verb verb)
{
    int64_t real_us = loop_real_us(l->loop);
    bool renewing = verb == KUBE_PUT && held_by_us(l);
    struct lease_update update = {
        .holder = l->identity,
        .duration_s = l->config.lease_us / USEC_PER_SEC,
        .transitions = verb == KUBE_POST ? 0 : l->lease.record.transitions + (renewing ? 0 : 1),
        .renew_real_us = real_us,
        .acquire_real_us = renewing ? -1 : real_us,
    };
    if (l->state == RELEASING)
        update = (struct lease_update){.holder = "",
                                       .duration_s = 1,
                                       .transitions = l->lease.record.transitions,
                                       .renew_real_us = real_us,
                                       .acquire_real_us = real_us};
    struct buf body = BUF_INIT(LEASE_MAX_BYTES);
    struct error err = ERROR_INIT;
    const struct lease *base = verb == KUBE_PUT ? &l->lease : NULL;
    if (lease_encode(&body, base, l->namespace_, l->name, &update, &err) < 0)
        attempt_failed(l, "writing the lease failed", &err);
    else
        send(l, step, verb, &body);
    buf_done(&body);
}

static void attempt(void *data)
{
    struct leader *l = data;
    if (too_late(l))
        return;
    l->attempt_us = now_us(l);
    if (l->state == LEADING && held_by_us(l) && !l->outdated)
        write_lease(l, STEP_FAST, KUBE_PUT);
    else
        send(l, STEP_GET, KUBE_GET, NULL);
}

/* ---- answers ---- */

static void finish_release(struct leader *l)
{
    drop_request(l);
    loop_timer_disarm(&l->attempt_timer);
    loop_timer_disarm(&l->release_timer);
    l->state = RELEASED;
    if (l->released)
        l->released(l->released_data);
}

/* Our write was accepted. It counts from before it was sent, and not at all when that is too long ago. */
static void succeeded(struct leader *l, const struct kube_response *response)
{
    struct error err = ERROR_INIT;
    if (l->state == RELEASING) {
        log_info(l->log, "lease released", LOG_S("lease", l->name));
        finish_release(l);
        return;
    }
    if (observe(l, response, &err) < 0 || !held_by_us(l)) {
        if (err.kind == ERROR_NONE)
            (void)error_set(&err, ERROR_PARSE, "the answer names another holder");
        attempt_failed(l, "writing the lease failed", &err);
        return;
    }
    if (now_us(l) >= l->sent_us + l->config.renew_us) {
        if (!too_late(l))
            attempt_failed(l, "the lease was acquired too late to be used", NULL);
        return;
    }
    l->renewed_us = l->sent_us;
    l->complained = false;
    loop_timer_arm_at(&l->fence_timer, deadline_us(l));
    next_attempt(l, l->config.retry_us);
    if (l->state == LEADING)
        return;
    l->state = LEADING;
    if (l->status)
        metrics_set(l->status, 1);
    log_info(l->log, "lease acquired: leading", LOG_S("lease", l->name), LOG_S("identity", l->identity));
    l->config.on_started(l->config.data);
}

static void got_lease(struct leader *l, const struct kube_response *response)
{
    struct error err = ERROR_INIT;
    if (observe(l, response, &err) < 0) {
        attempt_failed(l, "reading the lease failed", &err);
        return;
    }
    if (l->state == RELEASING) {
        if (held_by_us(l))
            write_lease(l, STEP_SLOW, KUBE_PUT);
        else
            finish_release(l);
    } else if (l->state == LEADING && held_by_another(l)) {
        lose(l, "another holder has it");
    } else if (held_by_another(l) && !expired(l)) {
        l->complained = false;
        attempt_failed(l, NULL, NULL);
    } else {
        write_lease(l, STEP_SLOW, KUBE_PUT);
    }
}

/* Someone was faster, or the fast path's resourceVersion is old. Neither is an error. */
static void lost_race(struct leader *l, enum step step)
{
    if (step == STEP_FAST)
        send(l, STEP_GET, KUBE_GET, NULL);
    else
        attempt_failed(l, NULL, NULL);
}

static void refused(struct leader *l, enum step step, int code, const struct error *err)
{
    if (step == STEP_FAST && l->slowpath && l->state == LEADING)
        metrics_add(l->slowpath, 1);
    l->outdated = true; /* even a write without an answer may have been applied: the next attempt reads first */
    if (step == STEP_GET && code == 404 && l->state != RELEASING) {
        lease_done(&l->lease);
        write_lease(l, STEP_CREATE, KUBE_POST);
    } else if (step == STEP_GET && code == 404) {
        finish_release(l); /* nothing to give back */
    } else if (step != STEP_GET && (code == 409 || code == 404)) {
        lost_race(l, step);
    } else {
        attempt_failed(l, step == STEP_GET ? "reading the lease failed" : "writing the lease failed", err);
    }
}

static void on_done(void *data, const struct kube_response *response, const struct error *err)
{
    struct leader *l = data;
    enum step step = l->step;
    l->request = 0;
    l->step = STEP_NONE;
    if (too_late(l))
        return;
    if (err)
        refused(l, step, response ? response->code : 0, err);
    else if (step == STEP_GET)
        got_lease(l, response);
    else
        succeeded(l, response);
}

/* ---- release ---- */

static void on_release_end(void *data)
{
    struct leader *l = data;
    if (l->state == RELEASING)
        log_warn(l->log, "the lease could not be given back in time", LOG_S("lease", l->name));
    finish_release(l);
}

void leader_release(struct leader *l, void (*done)(void *data), void *data)
{
    assert(l->state != RELEASING);
    bool ours = l->state == LEADING;
    drop_request(l);
    loop_timer_disarm(&l->attempt_timer);
    loop_timer_disarm(&l->fence_timer);
    l->released = done;
    l->released_data = data;
    if (l->status)
        metrics_set(l->status, 0);
    l->state = ours ? RELEASING : RELEASED;
    loop_timer_arm(&l->release_timer, ours ? RELEASE_US : 0);
    if (!ours)
        return;
    if (held_by_us(l) && !l->outdated)
        write_lease(l, STEP_FAST, KUBE_PUT);
    else
        send(l, STEP_GET, KUBE_GET, NULL);
}

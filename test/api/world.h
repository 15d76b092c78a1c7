/* A client of the API server of the tests, on a clock that only moves when it is told to: what the unit tests
 * of the machinery stand on.
 *
 * Time: as long as a request is under way the world waits for the network in real time; when none is, it
 * jumps to the next timer. So pauses of half a minute cost nothing, and no deadline passes because a test
 * machine is slow. What happens to a request that is never answered is seen with world_pass(). */
#ifndef TEST_API_WORLD_H
#define TEST_API_WORLD_H

#include "base/clock.h"
#include "base/http.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "base/rng.h"
#include "kube/client.h"
#include "test/api/api.h"

struct world {
    struct clock_fake clock;
    struct loop *loop;
    struct http *http;
    struct api *api;
    struct metrics *metrics;
    struct log *log; /* to stderr when the environment has TEST_LOG, else NULL */
    struct rng rng;
    struct kube_config *config;
    struct kube_client *client;
};

struct world *world_new(void);
/* Everything that was made with its parts must be gone. */
struct world *world_free(struct world *w);
/* Another client, of another process so to speak. */
struct kube_client *world_client(struct world *w);

/* Drives it until `done` says so; false when that took 60 s of real time, or when nothing will ever happen
 * any more. */
bool world_until(struct world *w, bool (*done)(void *data), void *data);
/* Lets this much of the client's time pass. A request that is not answered within 30 ms of real time does not
 * hold it up. */
void world_pass(struct world *w, int64_t us);
/* Dispatches what comes within this much real time, without moving the clock. */
void world_listen(struct world *w, int ms);

#endif

/* A candidate for leadership under test: an elector with a client of its own, that counts what it is told and checks
 * that the fence agrees. */
#ifndef TEST_API_CANDIDATE_H
#define TEST_API_CANDIDATE_H

#include "kube/leader.h"
#include "test/api/world.h"

struct candidate {
    struct world *world;
    struct kube_client *client;
    struct leader *leader;
    unsigned started, lost, released;
    struct buf holders; /* "a b " as on_new_leader told */
};

/* On Lease "op" in "sys". */
struct candidate *candidate_new(struct world *w, const char *identity);
struct candidate *candidate_leading(struct world *w, const char *identity); /* started, and it leads */
struct candidate *candidate_free(struct candidate *c);

/* For world_until(); `data` is the candidate. */
bool candidate_leads(void *data);
bool candidate_has_lost(void *data);
bool candidate_is_released(void *data);
bool candidate_has_seen_a_holder(void *data);
/* For leader_release(). */
void candidate_on_released(void *data);

void candidate_fault(struct world *w, struct api_fault f);
/* A field of the Lease as the server has it, in `text`. */
const char *candidate_lease_text(struct world *w, const char *dotted, char *text, size_t cap);
void candidate_assert_lease(struct world *w, const char *dotted, const char *want);

#endif

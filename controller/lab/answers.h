/* What an LLM advisor answered, or would have: a file of it, and its replay in a simulation.
 *
 * The file is JSON Lines, one answer a line, in the order of their times:
 *
 *     {"time":"2024-05-01T12:00:00Z","latencySeconds":4.5,"provider":"local","decision":{"action":"scale_up",
 *      "target_replicas":6,"confidence":0.8,"reasoning":"...","risk_assessment":"low","cost_impact":"low",
 *      "recommended_timing":"immediate"}}
 *     {"time":"2024-05-01T12:05:00Z","latencySeconds":60,"failure":"Transient"}
 *
 *   time            RFC 3339, when it was asked: the sample that the answer is about
 *   latencySeconds  0 (the default) to 240, until it was there
 *   provider        whose record it counts for; at most 8 different ones
 *   decision        exactly what a provider has to answer (advisor/decision.h); or
 *   failure         a reason of the condition AdvisorAvailable: nothing came
 *
 * Strict: other members, wrong types, duplicate keys, times that don't rise, and a question before the answer to the
 * one before are refused with the line.
 *
 * The replay asks at the first sync at or after an answer's time: need, count and side of the target are those of the
 * simulation then. What came after `latencySeconds` goes into the next step as a live answer does; core/advice.h
 * decides what becomes of it. As with a live answer, one whose action contradicts its count where so many run is none.
 */
#ifndef LAB_ANSWERS_H
#define LAB_ANSWERS_H

#include "advisor/classify.h"
#include "core/step.h"

#define ANSWERS_FILE_BYTES    ((size_t)32 << 20)
#define ANSWERS_LINE_BYTES    ((size_t)20 << 10)
#define ANSWERS_MAX_LATENCY_S 240
#define ANSWERS_MAX_PROVIDERS 8

struct answer {
    int64_t time_us; /* Unix */
    int32_t latency_ms;
    int32_t target_replicas;
    uint8_t confidence_percent, provider; /* from 1 on */
    uint8_t action;                       /* enum decision_action */
    enum advisor_class class;             /* ADVISOR_OK: there is a decision */
};
struct answers {
    struct answer *list;
    size_t n;
};

/* 0, or -1: ERROR_IO when the file can't be read, ERROR_PARSE or ERROR_LIMIT with file, line and what to do when it is
 * not what it should be. `ret` is to be released after success only. */
int answers_load(const char *path, struct answers *ret, struct error *err);
/* The same of text, `name` for messages. */
int answers_parse(const char *name, const char *text, size_t len, struct answers *ret, struct error *err);
void answers_done(struct answers *a);

struct answers_replay {
    const struct answers *answers; /* borrowed */
    size_t next;
    bool under_way;
    enum advisor_class class;
    uint8_t action;
    struct advice advice;
    int64_t arrives_us;
    uint64_t asked, failures, contradictions;
    uint64_t
        skipped; /* of times at which nothing could be asked: before the start, between two syncs, without metrics */
};
/* What lies before `start_us` is skipped. */
struct answers_replay answers_replay(const struct answers *answers, int64_t start_us);
/* Before a step: the advice that has arrived, borrowed until the next call; NULL: none. */
const struct advice *answers_replay_take(struct answers_replay *r, int64_t now_us);
/* After it: true when a question is asked now, which the caller tells the core. */
bool answers_replay_ask(struct answers_replay *r, const struct core_plan *plan);

#endif

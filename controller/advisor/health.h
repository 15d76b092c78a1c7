/* How the providers do: failures by class over the last minutes, as far as they are the system's fault. What alerts.h
 * watches and the condition AdvisorAvailable tells. Private to controller/advisor. */
#ifndef ADVISOR_HEALTH_H
#define ADVISOR_HEALTH_H

#include "advisor/classify.h"

#define HEALTH_WINDOW_US INT64_C(300000000)
#define HEALTH_REMEMBERS 16

/* Of one provider. */
struct health {
    enum advisor_class class; /* of the failures under way; ADVISOR_OK: none since the last success */
    int64_t since_us;         /* CLOCK_BOOTTIME: the first of them, or the first success after them */
    int64_t recent_us[HEALTH_REMEMBERS];
    uint32_t next;
};

void health_note(struct health *h, enum advisor_class class, int64_t now_us);
/* From the first to the last of the failures of the present class: nothing but failures for so long. */
int64_t health_lasted_us(const struct health *h);
uint32_t health_failures(const struct health *h, int64_t now_us); /* within the window, at most HEALTH_REMEMBERS */

#endif

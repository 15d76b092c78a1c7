/* Failures of one provider, remembered; see health.h. */
#include "advisor/health.h"

void health_note(struct health *h, enum advisor_class class, int64_t now_us)
{
    if (class == ADVISOR_CANCELLED)
        return;
    bool failed = advisor_class_system(class);
    enum advisor_class now = failed ? class : ADVISOR_OK; /* it answers, whatever it says of the input */
    if (h->class != now) {
        h->class = now;
        h->since_us = now_us;
    }
    if (failed)
        h->recent_us[h->next++ % HEALTH_REMEMBERS] = now_us;
}

uint32_t health_failures(const struct health *h, int64_t now_us)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < HEALTH_REMEMBERS; i++)
        n += h->recent_us[i] != 0 && now_us - h->recent_us[i] < HEALTH_WINDOW_US;
    return n;
}

int64_t health_lasted_us(const struct health *h)
{
    return h->class == ADVISOR_OK ? 0 : h->recent_us[(h->next - 1) % HEALTH_REMEMBERS] - h->since_us;
}

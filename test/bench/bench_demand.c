/* What the demand model costs: median of 1,000 of each operation in the usual setting (300 s, 2016 slots, 72
 * ahead). One line each, with its target; test/bench/instructions counts the same. */
#include "core/demand.h"
#include "test/bench/meter.h"

#include <stdio.h>

#define S INT64_C(1000000)

/* A noisy day, so that no branch can be learned by heart. */
static double value_at(int64_t slot, uint64_t *rng)
{
    *rng = *rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    double x = (double)(slot % 288) / 144 - 1, noise = (double)(*rng >> 40) / (1 << 24);
    return 20 + 80 * (1 - x * x) * (1 - x * x) + 10 * noise;
}

int main(void)
{
    static struct meter m;
    const uint32_t runs = meter_runs();
    struct demand_config c = demand_config_default();
    struct demand *d = demand_new(&c);
    uint64_t rng = 1;
    int64_t slot = 0;
    bool met = true;
    for (; slot < 3000; slot++)
        demand_push_slot(d, slot, value_at(slot, &rng), 180);

    for (uint32_t i = 0; i < runs; i++, slot++) {
        double v = value_at(slot, &rng);
        meter_begin(&m);
        demand_push_slot(d, slot, v, 180);
        meter_end(&m);
    }
    met &= meter_print(&m, "one sample taken, its slot closed", 10);

    double sum = 0;
    for (uint32_t i = 0; i < runs; i++, slot++) {
        demand_push_slot(d, slot, value_at(slot, &rng), 180);
        meter_begin(&m);
        sum += (double)demand_forecast(d)->mean[7];
        meter_end(&m);
    }
    met &= meter_print(&m, "forecast from current state (72 means, 7 quantiles)", 50);

    int64_t now = slot * 300 * S;
    for (uint32_t i = 0; i < runs; i++) {
        now += 15 * S;
        double v = value_at(now / S / 300, &rng);
        meter_begin(&m);
        demand_observe(d, now, SAMPLE_OF(v), 0, 180);
        sum += demand_drive(d, now, 180).quantile;
        meter_end(&m);
    }
    met &= meter_print(&m, "one sync: observe and drive, lead 180 s", 5);
    for (uint32_t i = 0; i < runs; i++) {
        now += 15 * S;
        double v = value_at(now / S / 300, &rng);
        demand_observe(d, now, SAMPLE_OF(v), 0, 420);
        meter_begin(&m);
        sum += demand_drive(d, now, 420).quantile;
        meter_end(&m);
    }
    met &= meter_print(&m, "drive, lead 420 s", 5);

    struct demand_config other = c;
    for (uint32_t i = 0; i < runs; i++) {
        other.horizon = i % 2 ? 72 : 71; /* another shape: everything is made anew from the history */
        meter_begin(&m);
        demand_reconfigure(d, &other);
        meter_end(&m);
    }
    met &= meter_print(&m, "rebuild of 2016 samples", 2000);
    (void)demand_forecast(d);
    printf("%-54s %9zu bytes  target  14336 bytes  %s\n", "memory of one metric, forecast included", demand_memory(d),
           demand_memory(d) <= 14336 ? "met" : "MISSED");
    demand_free(d);
    return met && sum > 0 ? 0 : 1;
}

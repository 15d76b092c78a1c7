/* A forecast as JSON; see forecast_line.h. */
#include "lab/forecast_line.h"

#include "base/rfc3339.h"
#include "kube/json.h"

#include <stdio.h>

const char *const forecast_level_names[FORECAST_LEVELS] = {"0.025", "0.05", "0.1", "0.5", "0.9", "0.95", "0.975"};

static void numbers(struct json_emit *j, const char *key, const float *values, uint32_t n)
{
    char text[32];
    json_open(j, key, '[');
    for (uint32_t i = 0; i < n; i++) {
        int len = snprintf(text, sizeof text, "%.7g", (double)values[i]);
        json_emit_raw(j, NULL, text, (size_t)len);
    }
    json_close(j, ']');
}

void forecast_line(const struct series_file *s, uint32_t origin, struct demand *d, struct buf *out)
{
    const struct forecast *f = demand_forecast(d);
    char time[RFC3339_CAP];
    struct json_emit j = json_emit(out);
    rfc3339_format(time, series_file_time_us(s, origin));
    json_open(&j, NULL, '{');
    json_emit_int(&j, "origin", origin);
    json_emit_str(&j, "time", time);
    numbers(&j, "mean", f->mean, f->n);
    json_open(&j, "quantiles", '{');
    for (uint32_t i = 0; i < FORECAST_LEVELS; i++)
        numbers(&j, forecast_level_names[i], f->quantile[i], f->n);
    json_close(&j, '}');
    json_emit_bool(&j, "trusted", demand_trust(d).trusted);
    json_emit_str(&j, "model", forecast_model_name(f->model));
    json_close(&j, '}');
    (void)buf_putc(out, '\n');
}

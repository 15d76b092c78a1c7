/* The table of one schedule of a PredictiveAutoscaler: a floor by the clock. Whether a text is cron and a zone exists
 * is not asked here: a schedule that can't be understood is ignored and said in the condition Ready, so that a mistake
 * in one never keeps the others from working. */
#include "api/pa.h"
#include "api/pa_rules.h"
#include "api/pa_tables.h"

#include <string.h>

static bool only(const char *s, const char *marks)
{
    for (; *s; s++)
        if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || strchr(marks, *s)))
            return false;
    return true;
}

static bool is_cron_text(const char *s)
{
    return *s && only(s, " *,/-");
}

static bool is_zone_name(const char *s)
{
    return *s >= 'A' && *s <= 'Z' && only(s, "_+/-");
}

static const struct schema_format cron_text = {
    .pattern = "^[-A-Za-z0-9 *,/]+$", .matches = is_cron_text, .hint = "five fields of cron, such as 0 8 * * mon-fri"};
static const struct schema_format zone_name = {
    .pattern = "^[A-Z][-A-Za-z0-9_+/]*$", .matches = is_zone_name, .hint = "a time zone such as Europe/Berlin"};

static const struct schema_field fields[] = {
    {.name = "name",
     .type = SCHEMA_STRING,
     .required = true,
     .min = 1,
     .max = 63,
     .format = &schema_dns_label,
     .doc = "Name of the schedule in this list and in messages.",
     AT(pa_schedule, name)},
    {.name = "timeZone",
     .type = SCHEMA_STRING,
     .fallback = "\"UTC\"",
     .min = 1,
     .max = PA_MAX_ZONE,
     .format = &zone_name,
     .doc = "The time zone of start and end, by its name in the IANA database, such as Europe/Berlin.",
     AT(pa_schedule, time_zone)},
    {.name = "start",
     .type = SCHEMA_STRING,
     .required = true,
     .min = 1,
     .max = PA_MAX_CRON,
     .format = &cron_text,
     .doc =
         "When the window begins, in cron's five fields: minute, hour, day of the month, month, day of the week, such "
         "as \"0 8 * * mon-fri\". A time that the clock skips counts as the end of the gap, one that it shows twice "
         "as the first.",
     AT(pa_schedule, start)},
    {.name = "end",
     .type = SCHEMA_STRING,
     .required = true,
     .min = 1,
     .max = PA_MAX_CRON,
     .format = &cron_text,
     .doc =
         "When it ends, likewise. The window is open while the last start is later than the last end, so that an end "
         "on days without a start does no harm.",
     AT(pa_schedule, end)},
    {.name = "minReplicas",
     .type = SCHEMA_INT32,
     .required = true,
     .min = 1,
     .max = 100000,
     .doc = "The lower limit of replicas while the window is open; above maxReplicas it counts as maxReplicas.",
     AT(pa_schedule, min_replicas)},
};
static const struct schema_rule rules[] = {
    {.cel = "self.start != self.end",
     .message = "must not be the same as start: the window would never be open",
     .path = ".end",
     .holds = pa_schedule_has_room},
};
const struct schema_object pa_schedule_schema = SCHEMA_OBJECT_RULED(fields, rules);

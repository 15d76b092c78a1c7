/* Any text as a manifest of a PredictiveAutoscaler, strictly read: YAML, then the table of the API and its rules. What
 * is accepted becomes a specification that the core takes. */
#include <string.h>

#include "api/pa.h"
#include "api/to_core.h"
#include "test/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tz_cache *zones;
    static struct pa_file file;
    static struct api_problems problems;
    if (!zones)
        zones = tz_cache_new(NULL);
    struct error err = ERROR_INIT;
    memset(&problems, 0, sizeof problems);
    if (pa_load_text("pa.yaml", (const char *)data, size, &file, &problems, &err) < 0) {
        claim_message(&err);
        CLAIM(problems.n <= API_MAX_PROBLEMS && problems.n <= problems.total);
        return 0;
    }
    CLAIM(problems.total == 0);
    static struct core_spec spec;
    struct operator_config config;
    CLAIM(operator_config_load_text("config.yaml", "", 0, &config, NULL) == 0);
    struct error ignored = ERROR_INIT;
    pa_to_core(&file.pa, &config, zones, &spec, &ignored);
    CLAIM(!core_spec_broken(&spec));
    if (ignored.kind != ERROR_NONE)
        claim_message(&ignored);
    return 0;
}

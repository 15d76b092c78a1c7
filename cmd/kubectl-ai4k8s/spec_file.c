/* Reading manifests; see spec_file.h. */
#include "spec_file.h"

#include "output.h"

#include "api/to_core.h"

int spec_file_load(const char *path, struct spec_file *ret, struct error *err)
{
    struct operator_config config;
    if (pa_load(path, &ret->file, NULL, err) < 0 || operator_config_load(NULL, &config, err) < 0)
        return -1;
    struct error ignored;
    ret->zones = tz_cache_new(NULL);
    pa_to_core(&ret->file.pa, &config, ret->zones, &ret->core, &ignored);
    if (ignored.kind != ERROR_NONE)
        output_note("%s: %s", path, error_text(&ignored));
    return 0;
}

void spec_file_done(struct spec_file *spec)
{
    spec->zones = tz_cache_free(spec->zones);
}

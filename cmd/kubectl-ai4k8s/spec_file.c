/* Reading manifests; see spec_file.h. */
#include "spec_file.h"

#include "api/to_core.h"

int spec_file_load(const char *path, struct spec_file *ret, struct error *err)
{
    struct operator_config config;
    if (pa_load(path, &ret->file, NULL, err) < 0 || operator_config_load(NULL, &config, err) < 0)
        return -1;
    pa_to_core(&ret->file.pa, &config, &ret->core);
    return 0;
}

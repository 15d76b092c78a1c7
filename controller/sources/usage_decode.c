/* PodMetrics: {metadata, timestamp, window, containers[{name, usage{cpu, memory}}]}. A pod's usage is the sum
 * over its containers in milli units, each rounded up, as the HPA's own client does it. */
#include "sources/usage_decode.h"

#include "base/rfc3339.h"
#include "base/str.h"
#include "kube/json.h"
#include "kube/quantity.h"

#include <string.h>

#define MAX_DURATION_US (INT64_C(86400) * USEC_PER_SEC)

bool usage_parse_duration(const char *text, int64_t *ret_us)
{
    static const struct {
        const char *unit;
        double us;
    } units[] = {{"h", 3.6e9}, {"ms", 1e3}, {"m", 6e7}, {"s", 1e6}, {"us", 1}, {"\xC2\xB5s", 1}, {"ns", 1e-3}};
    double total = 0;
    if (*text == '\0')
        return false;
    while (*text) {
        size_t digits = strspn(text, "0123456789.");
        double number;
        if (digits == 0 || !str_to_double_n(text, digits, &number))
            return false;
        text += digits;
        size_t u = 0;
        while (u < ARRAY_SIZE(units) && !str_starts(text, units[u].unit))
            u++;
        if (u == ARRAY_SIZE(units))
            return false;
        text += strlen(units[u].unit);
        total += number * units[u].us;
    }
    if (!(total <= (double)MAX_DURATION_US))
        return false;
    *ret_us = (int64_t)total;
    return true;
}

/* Adds a container's value; false: it has none. */
static bool add_milli(const json_t *usage, const char *name, int64_t *sum)
{
    struct quantity q;
    const char *text = json_string_value(json_object_get(usage, name));
    if (!text || !quantity_parse(text, &q) || q.nano < 0 || q.saturated)
        return false;
    return !__builtin_add_overflow(*sum, quantity_milli(q), sum);
}

int usage_decode(const char *json, size_t len, struct usage_item *ret, struct error *err)
{
    _json_cleanup_ json_t *root = json_parse(json, len, err);
    if (!root)
        return -1;
    const char *namespace_ = json_str(root, "metadata.namespace"), *pod = json_str(root, "metadata.name");
    const char *timestamp = json_str(root, "timestamp"), *window = json_str(root, "window");
    *ret = (struct usage_item){0};
    if (!namespace_ || !pod || !str_copy(ret->namespace_, sizeof(ret->namespace_), namespace_) ||
        !str_copy(ret->pod, sizeof(ret->pod), pod))
        return error_set(err, ERROR_PARSE, "pod metrics without a namespace and a name");
    if (!timestamp || !rfc3339_parse(timestamp, &ret->usage.time_us))
        return error_set(err, ERROR_PARSE, "pod metrics of %s/%s without a timestamp", namespace_, pod);
    if (!window || !usage_parse_duration(window, &ret->usage.window_us))
        return error_set(err, ERROR_PARSE, "pod metrics of %s/%s without a window", namespace_, pod);
    const json_t *containers = json_at(root, "containers");
    size_t i;
    json_t *container;
    json_array_foreach((json_t *)(uintptr_t)containers, i, container)
    {
        const json_t *usage = json_object_get(container, "usage");
        if (!add_milli(usage, "cpu", &ret->usage.cpu_milli) || !add_milli(usage, "memory", &ret->usage.memory_milli))
            return 1;
    }
    return json_array_size(containers) == 0 ? 1 : 0;
}

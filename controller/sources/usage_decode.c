/* PodMetrics: {metadata, timestamp, window, containers[{name, usage{cpu, memory}}]}. A pod's usage is the sum
 * over its containers in milli units, each rounded up, as the HPA's own client does it. */
#include "sources/usage_decode.h"

#include "base/alloc.h"
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

/* A container's value, also added to the pod's; false: it has none. */
static bool take_milli(const json_t *usage, const char *name, int64_t *ret, int64_t *sum)
{
    struct quantity q;
    const char *text = json_string_value(json_object_get(usage, name));
    if (!text || !quantity_parse(text, &q) || q.nano < 0 || q.saturated)
        return false;
    *ret = quantity_milli(q);
    return !__builtin_add_overflow(*sum, *ret, sum);
}

static const char *name_of(const json_t *container)
{
    const char *name = json_string_value(json_object_get(container, "name"));
    return name ? name : "";
}

/* false: a container lacks a value, or there is none. */
static bool read_containers(const json_t *containers, struct pod_usage *usage)
{
    size_t n = json_array_size(containers), i, name_bytes = 0;
    json_t *container;
    if (n == 0)
        return false;
    json_array_foreach((json_t *)(uintptr_t)containers, i, container) name_bytes += strlen(name_of(container)) + 1;
    size_t kept = MIN(n, POD_MAX_CONTAINERS);
    _cleanup_(freep) char *block = xcalloc(1, kept * sizeof(*usage->containers) + name_bytes);
    struct container_usage *list = (struct container_usage *)(void *)block;
    char *names = block + kept * sizeof(*list);
    json_array_foreach((json_t *)(uintptr_t)containers, i, container)
    {
        const json_t *of = json_object_get(container, "usage");
        struct container_usage c;
        if (!take_milli(of, "cpu", &c.cpu_milli, &usage->cpu_milli) ||
            !take_milli(of, "memory", &c.memory_milli, &usage->memory_milli))
            return false;
        if (i >= kept)
            continue;
        size_t bytes = strlen(name_of(container)) + 1;
        c.name = memcpy(names, name_of(container), bytes);
        names += bytes;
        list[i] = c;
    }
    usage->n_containers = (uint32_t)kept;
    usage->containers = (struct container_usage *)(void *)TAKE_PTR(block);
    return true;
}

int usage_decode(const char *json, size_t len, struct usage_item *ret, struct error *err)
{
    *ret = (struct usage_item){0};
    _json_cleanup_ json_t *root = json_parse(json, len, err);
    if (!root)
        return -1;
    const char *namespace_ = json_str(root, "metadata.namespace"), *pod = json_str(root, "metadata.name");
    const char *timestamp = json_str(root, "timestamp"), *window = json_str(root, "window");
    if (!namespace_ || !pod || !str_copy(ret->namespace_, sizeof(ret->namespace_), namespace_) ||
        !str_copy(ret->pod, sizeof(ret->pod), pod))
        return error_set(err, ERROR_PARSE, "pod metrics without a namespace and a name");
    if (!timestamp || !rfc3339_parse(timestamp, &ret->usage.time_us))
        return error_set(err, ERROR_PARSE, "pod metrics of %s/%s without a timestamp", namespace_, pod);
    if (!window || !usage_parse_duration(window, &ret->usage.window_us))
        return error_set(err, ERROR_PARSE, "pod metrics of %s/%s without a window", namespace_, pod);
    return read_containers(json_at(root, "containers"), &ret->usage) ? 0 : 1;
}

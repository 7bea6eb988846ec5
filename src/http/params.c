/* Query parameters, strictly: unknown and repeated ones are errors that name them. */
#include "http_internal.h"

#include <stdio.h>

struct params_scan {
    struct param *params;
    uint32_t count;
    struct request *request;
};

static enum MHD_Result take_param(void *cls, enum MHD_ValueKind kind, const char *key,
                                  size_t key_size, const char *value, size_t value_size)
{
    struct params_scan *scan = cls;
    struct str name = {key, key_size};
    char shown[41];
    (void)kind;
    snprintf(shown, sizeof shown, "%.*s", (int)(name.len < 40 ? name.len : 40), name.ptr);
    for (uint32_t i = 0; i < scan->count; i++) {
        struct param *p = &scan->params[i];
        if (!str_eq(name, str_of(p->name)))
            continue;
        if (p->value.ptr) {
            reply_invalid(scan->request, shown, "%s: given twice", shown);
            return MHD_NO;
        }
        p->value = value ? (struct str){value, value_size} : STR("");
        if (utf8_valid(p->value))
            return MHD_YES;
        reply_invalid(scan->request, shown, "%s: not valid UTF-8", shown);
        return MHD_NO;
    }
    reply_invalid(scan->request, shown, "%s: no such parameter of this route", shown);
    return MHD_NO;
}

bool params_read(struct request *r, struct param *params, uint32_t count)
{
    struct params_scan scan = {params, count, r};
    MHD_get_connection_values_n(r->mhd, MHD_GET_ARGUMENT_KIND, take_param, &scan);
    return !r->response;
}

bool param_u64(struct request *r, const struct param *p, uint64_t min, uint64_t max, uint64_t *out)
{
    uint64_t value;
    if (!p->value.ptr)
        return true;
    if (!str_to_u64(p->value, &value) || value < min || value > max) {
        reply_invalid(r, p->name, "%s: expected a whole number between %llu and %llu", p->name,
                      (unsigned long long)min, (unsigned long long)max);
        return false;
    }
    *out = value;
    return true;
}

bool param_u32(struct request *r, const struct param *p, uint32_t min, uint32_t max, uint32_t *out)
{
    uint64_t value = *out;
    bool good = param_u64(r, p, min, max, &value);
    *out = (uint32_t)value;
    return good;
}

bool param_real(struct request *r, const struct param *p, double min, double max, double *out)
{
    double value;
    if (!p->value.ptr)
        return true;
    if (!str_to_f64(p->value, &value) || value < min || value > max) {
        reply_invalid(r, p->name, "%s: expected a number between %g and %g", p->name, min, max);
        return false;
    }
    *out = value;
    return true;
}

bool param_bool(struct request *r, const struct param *p, bool *out)
{
    if (!p->value.ptr)
        return true;
    *out = str_eq(p->value, STR("true"));
    if (*out || str_eq(p->value, STR("false")))
        return true;
    reply_invalid(r, p->name, "%s: expected true or false", p->name);
    return false;
}

bool param_price(struct request *r, const struct param *p, int64_t *out)
{
    if (!p->value.ptr)
        return true;
    if (str_to_minor(p->value, out) && *out >= 0)
        return true;
    reply_invalid(r, p->name, "%s: expected a price such as 12.50", p->name);
    return false;
}

bool param_ids(struct request *r, const struct param *p, uint32_t max, const struct str **out,
               uint32_t *count)
{
    struct str rest = p->value;
    uint32_t commas = 0, n = 0;
    *count = 0;
    if (rest.len == 0)
        return true;
    for (size_t i = 0; i < rest.len; i++)
        commas += rest.ptr[i] == ',';
    if (commas >= max) {
        reply_invalid(r, p->name, "%s: more than %u", p->name, max);
        return false;
    }
    struct str *list = arena_alloc(&r->arena, commas + 1, sizeof *list);
    if (!list) {
        reply_problem(r, 503, "out of memory");
        return false;
    }
    while (rest.ptr) {
        struct str one = str_cut(&rest, ',');
        const char *problem = id_problem(one);
        if (problem) {
            reply_invalid(r, p->name, "%s: entry %u %s", p->name, n + 1, problem);
            return false;
        }
        list[n++] = one;
    }
    *out = list;
    *count = n;
    return true;
}

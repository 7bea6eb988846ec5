/* The table and its lookup: a handful of rows, so a scan is faster than anything clever. The most
 * asked come first. */
#include "http_internal.h"

#include <string.h>

/* clang-format off: a table reads best as one */
const struct route routes[] = {
    {"/recommend", handle_recommend_get, HTTP_GET, ACCESS_READ, BODY_NONE, true},
    {"/recommend", handle_recommend_post, HTTP_POST, ACCESS_READ, BODY_JSON, true},
    {"/rules", handle_rules, HTTP_GET, ACCESS_READ, BODY_NONE, true},
    {"/ingest", handle_ingest, HTTP_POST, ACCESS_INGEST, BODY_STREAM, false},
    {"/jobs", handle_jobs, HTTP_GET, ACCESS_INGEST, BODY_NONE, false},
    {"/jobs/{id}", handle_job, HTTP_GET, ACCESS_INGEST, BODY_NONE, false},
    {"/jobs/{id}", handle_job_cancel, HTTP_DELETE, ACCESS_INGEST, BODY_NONE, false},
    {"/train", handle_train, HTTP_POST, ACCESS_ADMIN, BODY_NONE, false},
    {"/models", handle_models, HTTP_GET, ACCESS_ADMIN, BODY_NONE, false},
    {"/models/live", handle_model_activate, HTTP_PUT, ACCESS_ADMIN, BODY_JSON, false},
    {"/models/{id}", handle_model, HTTP_GET, ACCESS_ADMIN, BODY_NONE, false},
    {"/items", handle_items, HTTP_GET, ACCESS_READ, BODY_NONE, true},
    {"/items/{id}", handle_item, HTTP_GET, ACCESS_READ, BODY_NONE, true},
    {"/items/{id}", handle_item_put, HTTP_PUT, ACCESS_INGEST, BODY_JSON, false},
    {"/items/{id}", handle_item_patch, HTTP_PATCH, ACCESS_INGEST, BODY_JSON, false},
    {"/items/{id}", handle_item_delete, HTTP_DELETE, ACCESS_INGEST, BODY_NONE, false},
    {"/users/{id}", handle_user, HTTP_GET, ACCESS_ADMIN, BODY_NONE, false},
    {"/users/{id}", handle_user_erase, HTTP_DELETE, ACCESS_ADMIN, BODY_NONE, false},
    {"/livez", handle_livez, HTTP_GET, ACCESS_OPEN, BODY_NONE, false},
    {"/readyz", handle_readyz, HTTP_GET, ACCESS_OPEN, BODY_NONE, false},
    {"/healthz", handle_readyz, HTTP_GET, ACCESS_OPEN, BODY_NONE, false},
    {"/version", handle_version, HTTP_GET, ACCESS_OPEN, BODY_NONE, false},
    {"/openapi.yaml", handle_openapi, HTTP_GET, ACCESS_OPEN, BODY_NONE, false},
    {"/metrics", handle_metrics, HTTP_GET, ACCESS_METRICS, BODY_NONE, false},
};
/* clang-format on */
const uint32_t route_count = sizeof routes / sizeof routes[0];
_Static_assert(sizeof routes / sizeof routes[0] <= METRICS_ROUTES_MAX, "raise METRICS_ROUTES_MAX");

static const char *const method_names[] = {"GET",    "POST", "PUT",     "PATCH",
                                           "DELETE", "HEAD", "OPTIONS", "other"};

enum http_method http_method_parse(const char *name)
{
    for (int m = 0; m < HTTP_METHOD_OTHER; m++)
        if (strcmp(name, method_names[m]) == 0)
            return (enum http_method)m;
    return HTTP_METHOD_OTHER;
}

const char *http_method_name(enum http_method method)
{
    return method_names[method];
}

/* "/items/{id}" takes "/items/" and at least one byte more. */
static bool pattern_matches(const char *pattern, struct str path, struct str *id)
{
    const char *open = strchr(pattern, '{');
    if (!open) {
        *id = STR_NONE;
        return str_eq(path, str_of(pattern));
    }
    struct str prefix = {pattern, (size_t)(open - pattern)};
    if (!str_starts(path, prefix) || path.len == prefix.len)
        return false;
    *id = (struct str){path.ptr + prefix.len, path.len - prefix.len};
    return true;
}

const struct route *route_find(enum http_method method, struct str path, struct str *id,
                               unsigned *allowed)
{
    enum http_method wanted = method == HTTP_HEAD ? HTTP_GET : method;
    const char *named = NULL; /* "/models/live" is not an {id} of "/models/{id}" */
    *allowed = 0;
    for (uint32_t i = 0; i < route_count; i++) {
        struct str found;
        if (!pattern_matches(routes[i].pattern, path, &found))
            continue;
        if (found.ptr && named)
            continue;
        if (routes[i].method == wanted) {
            *id = found;
            return &routes[i];
        }
        if (!found.ptr)
            named = routes[i].pattern;
        *allowed |= 1u << routes[i].method;
        if (routes[i].method == HTTP_GET)
            *allowed |= 1u << HTTP_HEAD;
    }
    return NULL;
}

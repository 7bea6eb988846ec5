/* The table and its lookup: a handful of rows, so a scan is faster than anything clever. The most
 * asked come first. */
#include "http_internal.h"

#include <string.h>

/* clang-format off: a table reads best as one */
const struct route routes[] = {
    {HTTP_GET, "/recommend", ACCESS_READ, BODY_NONE, handle_recommend_get, true},
    {HTTP_POST, "/recommend", ACCESS_READ, BODY_JSON, handle_recommend_post, true},
    {HTTP_GET, "/rules", ACCESS_READ, BODY_NONE, handle_rules, true},
    {HTTP_POST, "/ingest", ACCESS_INGEST, BODY_STREAM, handle_ingest, false},
    {HTTP_GET, "/jobs", ACCESS_INGEST, BODY_NONE, handle_jobs, false},
    {HTTP_GET, "/jobs/{id}", ACCESS_INGEST, BODY_NONE, handle_job, false},
    {HTTP_DELETE, "/jobs/{id}", ACCESS_INGEST, BODY_NONE, handle_job_cancel, false},
    {HTTP_POST, "/train", ACCESS_ADMIN, BODY_NONE, handle_train, false},
    {HTTP_GET, "/models", ACCESS_ADMIN, BODY_NONE, handle_models, false},
    {HTTP_PUT, "/models/live", ACCESS_ADMIN, BODY_JSON, handle_model_activate, false},
    {HTTP_GET, "/models/{id}", ACCESS_ADMIN, BODY_NONE, handle_model, false},
    {HTTP_GET, "/items", ACCESS_READ, BODY_NONE, handle_items, true},
    {HTTP_GET, "/items/{id}", ACCESS_READ, BODY_NONE, handle_item, true},
    {HTTP_PUT, "/items/{id}", ACCESS_INGEST, BODY_JSON, handle_item_put, false},
    {HTTP_PATCH, "/items/{id}", ACCESS_INGEST, BODY_JSON, handle_item_patch, false},
    {HTTP_DELETE, "/items/{id}", ACCESS_INGEST, BODY_NONE, handle_item_delete, false},
    {HTTP_GET, "/users/{id}", ACCESS_ADMIN, BODY_NONE, handle_user, false},
    {HTTP_DELETE, "/users/{id}", ACCESS_ADMIN, BODY_NONE, handle_user_erase, false},
    {HTTP_GET, "/livez", ACCESS_OPEN, BODY_NONE, handle_livez, false},
    {HTTP_GET, "/readyz", ACCESS_OPEN, BODY_NONE, handle_readyz, false},
    {HTTP_GET, "/healthz", ACCESS_OPEN, BODY_NONE, handle_readyz, false},
    {HTTP_GET, "/version", ACCESS_OPEN, BODY_NONE, handle_version, false},
    {HTTP_GET, "/openapi.yaml", ACCESS_OPEN, BODY_NONE, handle_openapi, false},
    {HTTP_GET, "/metrics", ACCESS_METRICS, BODY_NONE, handle_metrics, false},
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

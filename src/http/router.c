/* Twenty paths, compared one after the other: the length decides almost always. Literal paths stand
 * before patterns, so that /models/live is not taken for a model's number. */
#include "http/router.h"

#include "http/handlers.h"
#include "http/question.h"
#include "service/metrics.h"

#include <string.h>

/* clang-format off: a table reads best as one */
static const struct path paths[] = {
    {"/recommend",
     {[METHOD_GET] = {handle_recommend_get, ACCESS_READ, .params = question_params},
      [METHOD_POST] = {handle_recommend_post, ACCESS_READ, BODY_JSON, .json = question_json}}},
    {"/rules", {[METHOD_GET] = {handle_rules, ACCESS_READ, .params = rules_params}}},
    {"/ingest",
     {[METHOD_POST] = {handle_ingest, ACCESS_INGEST, BODY_STREAM, ingest_params,
                       .begin = handle_ingest_begin, .feed = handle_ingest_piece}}},
    {"/jobs", {[METHOD_GET] = {handle_jobs, ACCESS_INGEST, .params = jobs_params}}},
    {"/jobs/{id}",
     {[METHOD_GET] = {handle_job, ACCESS_INGEST},
      [METHOD_DELETE] = {handle_job_cancel, ACCESS_INGEST}}},
    {"/train", {[METHOD_POST] = {handle_train, ACCESS_ADMIN}}},
    {"/models", {[METHOD_GET] = {handle_models, ACCESS_ADMIN}}},
    {"/models/live",
     {[METHOD_PUT] = {handle_model_activate, ACCESS_ADMIN, BODY_JSON, .json = model_live_json}}},
    {"/models/{id}", {[METHOD_GET] = {handle_model, ACCESS_ADMIN}}},
    {"/items", {[METHOD_GET] = {handle_items, ACCESS_READ, .params = items_params}}},
    {"/items/{id}",
     {[METHOD_GET] = {handle_item, ACCESS_READ},
      [METHOD_PUT] = {handle_item_put, ACCESS_INGEST, BODY_JSON},
      [METHOD_PATCH] = {handle_item_patch, ACCESS_INGEST, BODY_JSON},
      [METHOD_DELETE] = {handle_item_delete, ACCESS_INGEST}}},
    {"/users/{id}",
     {[METHOD_GET] = {handle_user, ACCESS_ADMIN},
      [METHOD_DELETE] = {handle_user_erase, ACCESS_ADMIN}}},
    {"/livez", {[METHOD_GET] = {handle_livez, ACCESS_OPEN}}},
    {"/healthz", {[METHOD_GET] = {handle_livez, ACCESS_OPEN}}},
    {"/readyz", {[METHOD_GET] = {handle_readyz, ACCESS_OPEN, .params = readyz_params}}},
    {"/version", {[METHOD_GET] = {handle_version, ACCESS_OPEN}}},
    {"/openapi.yaml", {[METHOD_GET] = {handle_openapi, ACCESS_OPEN}}},
    {"/metrics", {[METHOD_GET] = {handle_metrics, ACCESS_METRICS}}},
};

static const char *const labels[] = {
    "/recommend",  "/rules",        "/ingest",      "/jobs",        "/jobs/{id}",
    "/train",      "/models",       "/models/live", "/models/{id}", "/items",
    "/items/{id}", "/users/{id}",   "/livez",       "/healthz",     "/readyz",
    "/version",    "/openapi.yaml", "/metrics",     "none",
};
/* clang-format on */

#define PATHS  (sizeof paths / sizeof paths[0])
#define LABELS (sizeof labels / sizeof labels[0])
_Static_assert(LABELS == PATHS + 1 && LABELS <= METRICS_ROUTES_MAX, "a label for each path");

const struct path *router_paths(uint32_t *count)
{
    *count = PATHS;
    return paths;
}

const char *const *router_labels(uint32_t *count)
{
    *count = LABELS;
    return labels;
}

enum method method_parse(struct str name)
{
    for (int m = 0; m < METHOD_OTHER; m++)
        if (str_eq(name, str_of(metrics_methods[m])))
            return (enum method)m;
    return METHOD_OTHER;
}

static bool fits(const char *pattern, struct str path, struct str *argument)
{
    const char *variable = strchr(pattern, '{');
    size_t fixed = variable ? (size_t)(variable - pattern) : strlen(pattern);
    if (variable ? path.len <= fixed : path.len != fixed)
        return false;
    if (memcmp(pattern, path.ptr, fixed) != 0)
        return false;
    *argument = (struct str){path.ptr + fixed, path.len - fixed};
    return true;
}

struct match router_nowhere(void)
{
    return (struct match){.label = PATHS};
}

void router_find(enum method method, struct str path, struct match *out)
{
    *out = router_nowhere();
    for (uint32_t i = 0; i < PATHS && !out->path; i++) {
        if (!fits(paths[i].pattern, path, &out->argument))
            continue;
        out->path = &paths[i];
        out->label = i;
    }
    if (method == METHOD_HEAD)
        method = METHOD_GET;
    if (out->path && method < METHOD_ROUTED && out->path->routes[method].handle)
        out->route = &out->path->routes[method];
}

void router_allow(const struct path *path, struct buf *out)
{
    for (int m = 0; m < METHOD_ROUTED; m++) {
        if (!path->routes[m].handle)
            continue;
        buf_text(out, metrics_methods[m]);
        buf_text(out, m == METHOD_GET ? ", HEAD, " : ", ");
    }
    buf_text(out, metrics_methods[METHOD_OPTIONS]);
}

/* What operators and their tools ask: probes, version, contract, metrics. */
#include "http/handlers.h"

#include "base/assets.h"
#include "base/version.h"
#include "http/loop.h"
#include "http/respond.h"

#include <jansson.h>
#include <microhttpd.h>

int handle_livez(struct request *r)
{
    return respond_text(r, 200, STR("ok\n"));
}

struct readyz_input {
    int verbose;
};

/* "?verbose", as Kubernetes' probes write it, or "?verbose=true". */
static int parse_verbose(struct str text)
{
    if (text.len == 0 || str_eq(text, STR("true")))
        return 1;
    return str_eq(text, STR("false")) ? 0 : -1;
}

const struct field readyz_params[] = {
    {.name = "verbose",
     .kind = FIELD_CHOICE,
     .offset = offsetof(struct readyz_input, verbose),
     .choice = parse_verbose,
     .note = "true, false"},
    {.name = NULL},
};

static void add_check(struct buf *out, bool good, const char *name, const char *more)
{
    buf_printf(out, "[%c]%s %s%s%s\n", good ? '+' : '-', name, good ? "ok" : "failed",
               *more ? ": " : "", more);
}

static void write_checks(const struct shop_health *h, struct buf *out)
{
    char model[64] = "no model is loaded";
    if (h->model_loaded)
        snprintf(model, sizeof model, "model %lld", (long long)h->model_id);
    add_check(out, h->model_loaded, "model", model);
    if (h->damaged_model)
        buf_printf(out, "[!]damaged model %lld: it does not load, an older one answers\n",
                   (long long)h->damaged_model);
    add_check(out, !h->draining, "serving", h->draining ? "shutting down" : "");
    /* Answers do not need it: it is told, and counted in metrics, but does not make us unready. */
    if (h->store_writable)
        add_check(out, true, "store", "");
    else
        buf_printf(out, "[!]store: %s\n", h->store_problem);
}

int handle_readyz(struct request *r)
{
    struct readyz_input in = {.verbose = 0};
    struct shop_health health;
    int status = request_params(r, &in);
    if (status)
        return status;
    shop_health(r->loop->shop, &health);
    bool ready = health.model_loaded && !health.draining;
    respond_text(r, ready ? 200 : 503, STR_NONE);
    if (in.verbose)
        write_checks(&health, &r->out);
    if (!ready)
        respond_field(r, "Retry-After", "1");
    buf_text(&r->out, ready ? "ready\n" : "not ready\n");
    return ready ? 200 : 503;
}

int handle_version(struct request *r)
{
    buf_printf(&r->out,
               "{\"name\":\"basketd\",\"version\":\"%s\",\"commit\":\"%s\",\"libraries\":{"
               "\"libmicrohttpd\":\"%s\",\"libuv\":\"%s\",\"jansson\":\"%s\"}}",
               basketd_version(), basketd_commit(), r->loop->mhd.get_version(), uv_version_string(),
               jansson_version_str());
    return respond_tagged(r, (struct str){r->out.ptr, r->out.len}, false);
}

int handle_openapi(struct request *r)
{
    const struct asset *asset = assets_find("openapi.yaml");
    if (!asset)
        return respond_problem(r, 404, "this program was built without it");
    buf_str(&r->out, asset->content);
    r->content_type = "application/yaml";
    return respond_tagged(r, asset->content, false);
}

int handle_metrics(struct request *r)
{
    metrics_text(r->loop->shop, &r->out);
    r->content_type = "text/plain; version=0.0.4; charset=utf-8";
    return 200;
}

/* Health, version, contract, metrics. */
#include "http_internal.h"

#include "base/assets.h"
#include "base/version.h"

void handle_livez(struct request *r)
{
    if (params_read(r, NULL, 0))
        reply_text(r, 200, STR("ok\n"));
}

static void write_check(struct buf *out, bool good, const char *name, const char *detail)
{
    buf_printf(out, "[%c]%s %s%s%s\n", good ? '+' : '-', name, good ? "ok" : "failed",
               detail[0] ? ": " : "", detail);
}

void handle_readyz(struct request *r)
{
    struct param p[] = {{.name = "verbose"}};
    struct shop_health h;
    struct buf out;
    if (!params_read(r, p, 1))
        return;
    shop_health(r->loop->shop, &h);
    int status = h.model_loaded && !h.draining ? 200 : 503;
    buf_init(&out, 0);
    if (p[0].value.ptr) {
        write_check(&out, h.model_loaded, "model", h.model_loaded ? "" : "none yet");
        write_check(&out, h.store_writable, "store", h.store_problem);
        write_check(&out, !h.draining, "accepting", h.draining ? "draining" : "");
        if (h.damaged_model)
            buf_printf(&out, "[!]models model %lld is damaged, an older one answers\n",
                       (long long)h.damaged_model);
    }
    buf_text(&out, status == 200 ? "ready\n" : "not ready\n");
    reply_buf(r, status, "text/plain; charset=utf-8", &out);
    if (status == 503)
        reply_header(r, "Retry-After", "1");
}

void handle_version(struct request *r)
{
    struct buf out;
    if (!params_read(r, NULL, 0))
        return;
    buf_init(&out, 0);
    buf_printf(&out, "{\"version\":\"%s\",\"commit\":\"%s\"}", basketd_version(), basketd_commit());
    reply_tagged(r, &out, 0, out.len);
}

void handle_openapi(struct request *r)
{
    const struct asset *asset = assets_find("openapi.yaml");
    struct buf out;
    if (!params_read(r, NULL, 0))
        return;
    if (!asset) {
        reply_problem(r, 404, "this build carries no contract");
        return;
    }
    buf_init(&out, 0);
    buf_str(&out, asset->content);
    reply_buf(r, 200, "application/yaml", &out);
}

void handle_metrics(struct request *r)
{
    struct buf out;
    if (!params_read(r, NULL, 0))
        return;
    buf_init(&out, 0);
    metrics_text(r->loop->shop, &out);
    reply_buf(r, 200, "text/plain; version=0.0.4; charset=utf-8", &out);
}

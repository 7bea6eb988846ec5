/* From MHD's callbacks to a handler and back.
 *
 * MHD calls on_request once with the headers, once per piece of the body and once at its end. A
 * response queued in the first call closes the connection, so that is kept for refusals whose body
 * must not be read; everything else is answered in the last call. A request whose work is done by
 * another thread suspends its connection; the loop makes the reply when the bell rings, resumes,
 * and MHD calls once more. */
#include "http_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *on_target(void *cls, const char *target, struct MHD_Connection *mhd)
{
    struct loop *loop = cls;
    struct request *r = mem_zarray(1, sizeof *r);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (!r)
        return NULL;
    r->loop = loop;
    r->mhd = mhd;
    r->start_ns = clock_mono_ns();
    r->guard_status = guard_target(target, &r->guard_reason);
    r->connection = info ? info->socket_context : NULL;
    buf_init(&r->body, JSON_BODY_BYTES);
    if (r->connection) {
        r->connection->busy = true;
        r->connection->body_bytes = 0;
    }
    return r;
}

void on_completed(void *cls, struct MHD_Connection *mhd, void **req_cls,
                  enum MHD_RequestTerminationCode code)
{
    struct loop *loop = cls;
    struct request *r = *req_cls;
    (void)mhd;
    (void)code;
    *req_cls = NULL;
    if (!r)
        return;
    uint64_t took = clock_mono_ns() - r->start_ns;
    if (r->started) {
        metrics_in_flight(loop->metrics, -1);
        metrics_request(loop->metrics, r->route ? (uint32_t)(r->route - routes) : route_count,
                        r->method, r->status, took);
        log_debug("http.request", "id=%s method=%s route=%s status=%d us=%llu", r->request_id,
                  http_method_name(r->method), r->route ? r->route->pattern : "none", r->status,
                  (unsigned long long)(took / 1000));
    }
    if (r->connection) {
        r->connection->busy = false;
        r->connection->deadline_ns =
            clock_mono_ns() + (uint64_t)loop->shop->settings->idle_timeout_ms * 1000000u;
    }
    if (r->release)
        r->release(r->state);
    if (r->response)
        MHD_destroy_response(r->response);
    arena_deinit(&r->arena);
    buf_deinit(&r->body);
    free(r);
}

static enum MHD_Result queue_reply(struct request *r)
{
    if (r->close || r->loop->draining)
        MHD_add_response_header(r->response, "Connection", "close");
    return MHD_queue_response(r->mhd, (unsigned)r->status, r->response);
}

/* ---- the first call ---- */

struct header_scan {
    struct guard guard;
    struct request *request;
    struct str given_id, origin;
};

static enum MHD_Result take_header(void *cls, enum MHD_ValueKind kind, const char *key,
                                   size_t key_size, const char *value, size_t value_size)
{
    struct header_scan *scan = cls;
    struct str name = {key, key_size}, text = {value, value_size};
    (void)kind;
    guard_header(&scan->guard, name, text);
    if (str_eq_nocase(name, STR("X-Request-ID")))
        scan->given_id = text;
    else if (str_eq_nocase(name, STR("Origin")))
        scan->origin = text;
    return MHD_YES;
}

static void name_request(struct request *r, struct str given)
{
    bool good = given.len > 0 && given.len <= REQUEST_ID_BYTES;
    for (size_t i = 0; good && i < given.len; i++)
        good =
            given.ptr[i] > 32 && given.ptr[i] < 127 && given.ptr[i] != '"' && given.ptr[i] != '\\';
    if (good)
        memcpy(r->request_id, given.ptr, given.len);
    else
        snprintf(r->request_id, sizeof r->request_id, "%08x-%010llx", (unsigned)r->loop->id_prefix,
                 (unsigned long long)r->loop->id_next++);
}

/* The origin as configured when it is in the comma list. */
static const char *find_origin(struct request *r, struct str origin)
{
    struct str rest = str_of(r->loop->shop->settings->cors_origins);
    while (rest.ptr && origin.len > 0) {
        struct str one = str_trim(str_cut(&rest, ','));
        if (one.len > 0 && str_eq(one, origin))
            return arena_str(&r->arena, origin).ptr;
    }
    return NULL;
}

static void reply_not_found(struct request *r, unsigned allowed)
{
    char list[64] = "";
    size_t used = 0;
    if (allowed == 0) {
        reply_problem(r, 404, "no such route: %.*s", (int)(r->path.len < 100 ? r->path.len : 100),
                      r->path.ptr);
        return;
    }
    for (int m = 0; m < HTTP_METHOD_OTHER; m++)
        if (allowed & (1u << m))
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "",
                                     http_method_name((enum http_method)m));
    reply_problem(r, 405, "this route takes %s", list);
    reply_header(r, "Allow", list);
}

static void reply_options(struct request *r, unsigned allowed)
{
    const struct route *get = route_find(HTTP_GET, r->path, &r->id, &allowed);
    reply_empty(r, 204);
    reply_header(r, "Allow", "GET, HEAD, POST, OPTIONS");
    if (!get || !get->cors || !r->origin)
        return;
    reply_header(r, "Access-Control-Allow-Methods", "GET, POST");
    reply_header(r, "Access-Control-Allow-Headers",
                 "Authorization, X-API-Key, Content-Type, X-Request-ID");
    reply_header(r, "Access-Control-Max-Age", "600");
}

struct str header_value(struct request *r, const char *name)
{
    return str_of(MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, name));
}

static bool authorised(struct request *r)
{
    char id[17];
    if (r->route->scope == ACCESS_OPEN)
        return true;
    struct str key = header_value(r, "X-API-Key"), bearer = header_value(r, "Authorization");
    if (bearer.len > 7 && str_eq_nocase((struct str){bearer.ptr, 7}, STR("Bearer ")))
        key = str_trim((struct str){bearer.ptr + 7, bearer.len - 7});
    switch (access_check(r->loop->shop, key, r->route->scope, id)) {
    case ACCESS_GRANTED:
        return true;
    case ACCESS_WRONG_SCOPE:
        reply_problem(r, 403, "the key lacks the scope this route needs");
        return false;
    case ACCESS_MISSING:
        reply_problem(r, 401, "a key is needed: Authorization: Bearer bk_… or X-API-Key");
        break;
    case ACCESS_UNKNOWN:
        reply_problem(r, 401, "the key is unknown or revoked");
        break;
    }
    reply_header(r, "WWW-Authenticate", "Bearer realm=\"basketd\"");
    return false;
}

static void check_body(struct request *r, const struct guard *g)
{
    if (!r->has_body)
        return;
    if (r->route->body == BODY_NONE && g->content_length > 0)
        reply_problem(r, 413, "this route takes no body");
    else if (r->route->body == BODY_JSON && g->content_length > JSON_BODY_BYTES)
        reply_problem(r, 413, "the body is larger than 1 MiB");
    else if (r->route->body == BODY_STREAM &&
             g->content_length > r->loop->shop->settings->upload_bytes)
        reply_problem(r, 413, "the body is larger than ingest.upload allows");
}

static void dispatch(struct request *r, const struct guard *g)
{
    unsigned allowed = 0;
    r->route = route_find(r->method, r->path, &r->id, &allowed);
    if (r->method == HTTP_METHOD_OTHER)
        reply_problem(r, 501, "unknown method");
    else if (!r->route && r->method == HTTP_OPTIONS)
        reply_options(r, allowed);
    else if (!r->route)
        reply_not_found(r, allowed);
    else if (authorised(r))
        check_body(r, g);
    if (!r->response && r->route->body == BODY_STREAM)
        stream_begin(r);
}

static enum MHD_Result first_call(struct request *r, const char *url, const char *method,
                                  const char *version)
{
    struct header_scan scan = {.request = r};
    const char *problem = r->guard_reason;
    r->started = true;
    r->method = http_method_parse(method);
    r->head = r->method == HTTP_HEAD;
    r->path = str_of(url);
    metrics_in_flight(r->loop->metrics, 1);
    MHD_get_connection_values_n(r->mhd, MHD_HEADER_KIND, take_header, &scan);
    int status = r->guard_status ? r->guard_status : guard_verdict(&scan.guard, version, &problem);
    name_request(r, status ? STR_NONE : scan.given_id);
    r->origin = find_origin(r, scan.origin);
    r->has_body = scan.guard.encodings > 0 || scan.guard.content_length > 0;
    if (r->connection)
        r->connection->deadline_ns =
            r->start_ns + (uint64_t)r->loop->shop->settings->body_timeout_ms * 1000000u;
    if (status)
        reply_problem(r, status, "%s", problem);
    else
        dispatch(r, &scan.guard);
    if (!r->response || (!status && !r->has_body))
        return MHD_YES;
    r->close = true;
    return queue_reply(r);
}

/* ---- the others ---- */

static void take_piece(struct request *r, struct str bytes)
{
    r->body_bytes += bytes.len;
    if (r->connection && (r->connection->body_bytes += bytes.len) >= JSON_BODY_BYTES) {
        r->connection->body_bytes = 0;
        r->connection->deadline_ns =
            clock_mono_ns() + (uint64_t)r->loop->shop->settings->body_timeout_ms * 1000000u;
    }
    if (r->response)
        return; /* refused already: the rest is dropped */
    if (r->route->body == BODY_STREAM) {
        stream_piece(r, bytes);
    } else if (r->route->body == BODY_NONE) {
        reply_problem(r, 413, "this route takes no body");
    } else {
        buf_str(&r->body, bytes);
        if (r->body.failed)
            reply_problem(r, 413, "the body is larger than 1 MiB");
    }
}

enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                           const char *method, const char *version, const char *data, size_t *size,
                           void **req_cls)
{
    struct request *r = *req_cls;
    (void)cls;
    (void)mhd;
    if (!r || !r->connection)
        return MHD_NO;
    if (!r->started)
        return first_call(r, url, method, version);
    if (*size > 0) {
        if (r->suspended) /* MHD goes on to the next chunk in the same turn: it keeps the bytes */
            return MHD_YES;
        take_piece(r, (struct str){data, *size});
        *size = 0;
        return r->response && r->body_bytes > r->loop->shop->settings->upload_bytes ? MHD_NO
                                                                                    : MHD_YES;
    }
    if (!r->response && !r->suspended) {
        r->connection->deadline_ns = 0;
        r->route->handle(r);
    }
    if (r->suspended)
        return MHD_YES;
    if (!r->response)
        reply_problem(r, 500, "no answer was made");
    return r->response ? queue_reply(r) : MHD_NO;
}

/* ---- waiting ---- */

void request_suspend(struct request *r, void (*finish)(struct request *r))
{
    r->finish = finish;
    r->suspended = true;
    r->loop->suspended_count++;
    r->connection->deadline_ns = 0;
    MHD_suspend_connection(r->mhd);
}

void request_resume(struct request *r)
{
    r->suspended = false;
    r->loop->suspended_count--;
    r->connection->deadline_ns =
        clock_mono_ns() + (uint64_t)r->loop->shop->settings->body_timeout_ms * 1000000u;
    MHD_resume_connection(r->mhd);
    loop_kick(r->loop);
}

static bool submit(struct request *r, struct op *op, void (*finish)(struct request *r),
                   int (*send)(struct shop *, struct op *, struct error *))
{
    struct error err = ERROR_INIT;
    request_suspend(r, finish);
    if (send(r->loop->shop, op, &err) == 0)
        return true;
    reply_error(r, &err);
    request_resume(r);
    return false;
}

bool request_write(struct request *r, struct op *op, void (*finish)(struct request *r))
{
    return submit(r, op, finish, shop_write);
}

bool request_read(struct request *r, struct op *op, void (*finish)(struct request *r))
{
    return submit(r, op, finish, shop_read);
}

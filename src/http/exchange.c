/* The daemon calls the access handler once for the head, once for each piece of the body, and once
 * at the end; a request that was suspended is called again where it stopped.
 *
 *     head ─► request_begin ─► pieces ─► route->handle ─► answer queued
 *               │ refused        │ LATER     │ LATER
 *               ▼                ▼           ▼
 *     no body: answered at the end, the connection stays; body announced: answered at once, which
 *     makes the daemon close the connection without reading the body.
 *
 * An answer can only be queued in the first or the last call, so a refusal in the middle of a body
 * waits for its end, up to a cap. */
#include "http/exchange.h"

#include "base/clock.h"
#include "base/log.h"
#include "http/respond.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct conn *conn_of(const struct loop *loop, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        loop->mhd.get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

void exchange_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                         enum MHD_ConnectionNotificationCode what)
{
    struct loop *loop = cls;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            loop->mhd.get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *socket_context = conns_add(&loop->conns, info->connect_fd, clock_mono_ns());
    } else if (*socket_context) {
        conns_remove(&loop->conns, *socket_context);
        *socket_context = NULL;
    } else {
        return;
    }
    metrics_connection(loop->metrics, what == MHD_CONNECTION_NOTIFY_STARTED ? 1 : -1);
}

void *exchange_target(void *cls, const char *target, struct MHD_Connection *connection)
{
    struct loop *loop = cls;
    struct request *r = loop_take_request(loop);
    if (!r)
        return NULL;
    size_t length = strnlen(target, HEAD_TARGET_BYTES + 1);
    bool cut = length > HEAD_TARGET_BYTES;
    r->connection = connection;
    r->conn = conn_of(loop, connection);
    r->started_ns = clock_mono_ns();
    r->target = arena_str(&r->arena, (struct str){target, cut ? 0 : length});
    head_target(&r->head, r->target, cut);
    if (r->conn && r->conn->phase == CONN_IDLE)
        conn_enter(&loop->conns, r->conn, CONN_HEAD, r->started_ns);
    return r;
}

static enum MHD_Result each_field(void *cls, enum MHD_ValueKind kind, const char *name,
                                  size_t name_size, const char *value, size_t value_size)
{
    (void)kind;
    struct request *r = cls;
    head_field(&r->head, (struct str){name, name_size}, (struct str){value, value_size});
    return MHD_YES;
}

static void add_field(const struct request *r, struct MHD_Response *response, const char *name,
                      const char *value)
{
    /* Out of memory costs the field, not the answer. */
    enum MHD_Result ignored = r->loop->mhd.add_response_header(response, name, value);
    (void)ignored;
}

static bool is_traceparent(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool dash = i == 2 || i == 35 || i == 52;
        if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return s.len == 55;
}

static void add_fields(struct request *r, struct MHD_Response *response)
{
    if (r->status != 204 && r->status != 304)
        add_field(r, response, MHD_HTTP_HEADER_CONTENT_TYPE, r->content_type);
    add_field(r, response, "X-Request-ID", r->id);
    if (r->etag[0])
        add_field(r, response, MHD_HTTP_HEADER_ETAG, r->etag);
    add_field(r, response, MHD_HTTP_HEADER_CACHE_CONTROL, r->etag[0] ? "no-cache" : "no-store");
    struct str trace = r->head.value[HEAD_TRACEPARENT];
    if (trace.ptr && is_traceparent(trace)) {
        char text[56];
        memcpy(text, trace.ptr, 55);
        text[55] = '\0';
        add_field(r, response, "traceparent", text);
    }
    for (uint32_t i = 0; i < r->field_count; i++)
        add_field(r, response, r->fields[i].name, r->fields[i].value);
    if (r->close || r->loop->draining)
        add_field(r, response, MHD_HTTP_HEADER_CONNECTION, "close");
}

/* MHD_NO closes the connection without an answer: what is left when there is no memory. */
static enum MHD_Result queue_answer(struct request *r)
{
    const struct mhd *mhd = &r->loop->mhd;
    struct MHD_Response *response;
    size_t length = 0;
    if (r->out.failed) {
        buf_deinit(&r->out);
        buf_clear(&r->out);
        r->status = respond_problem(r, 503, "out of memory");
    }
    char *body = r->out.len ? buf_detach(&r->out, &length) : NULL;
    if (r->out.failed)
        return MHD_NO;
    response = body ? mhd->create_response_from_buffer(length, body, MHD_RESPMEM_MUST_FREE)
                    : mhd->create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
    if (!response) {
        free(body);
        return MHD_NO;
    }
    add_fields(r, response);
    if (r->conn) {
        conn_enter(&r->loop->conns, r->conn, CONN_REPLY, clock_mono_ns());
        conn_moved(&r->loop->conns, r->conn, length);
    }
    enum MHD_Result queued = mhd->queue_response(r->connection, (unsigned)r->status, response);
    mhd->destroy_response(response);
    return queued;
}

static enum MHD_Result suspend(struct request *r)
{
    assert(r->resume);
    r->waiting = true;
    r->loop->away++;
    if (r->conn)
        conn_enter(&r->loop->conns, r->conn, CONN_WORK, clock_mono_ns());
    r->loop->mhd.suspend_connection(r->connection);
    return MHD_YES;
}

static enum MHD_Result on_head(struct request *r, const char *method, const char *version)
{
    struct loop *loop = r->loop;
    loop->in_flight++;
    metrics_in_flight(loop->metrics, 1);
    loop->mhd.get_connection_values_n(r->connection, MHD_HEADER_KIND, each_field, r);
    int status = request_begin(r, str_of(method), str_of(version));
    bool body = head_has_body(&r->head);
    if (body && r->conn)
        conn_enter(&loop->conns, r->conn, CONN_BODY, clock_mono_ns());
    if (status == LATER)
        return suspend(r);
    if (status == GO_ON)
        return MHD_YES;
    r->status = status;
    r->close |= body;
    return r->close ? queue_answer(r) : MHD_YES;
}

/* What a client may go on sending after its request was refused. */
#define REFUSED_BYTES (1u << 20)

static enum MHD_Result on_piece(struct request *r, const char *data, size_t *size)
{
    struct str piece = {data, *size};
    const struct route *route = r->match.route;
    if (r->status == 0 && r->body_bytes + piece.len > r->body_limit)
        r->status = respond_problem(r, 413, "the body may have %llu bytes",
                                    (unsigned long long)r->body_limit);
    if (r->status == 0 && route->body == BODY_STREAM) {
        int status = route->feed(r, piece);
        if (status == LATER)
            return suspend(r); /* the piece comes again */
        r->status = status == GO_ON ? 0 : status;
    } else if (r->status == 0 && route->body == BODY_JSON) {
        buf_str(&r->body, piece);
        r->out.failed |= r->body.failed;
    }
    *size = 0;
    r->body_bytes += piece.len;
    if (r->conn)
        conn_moved(&r->loop->conns, r->conn, piece.len);
    if (r->status == 0)
        return MHD_YES;
    r->close = true;
    r->refused_bytes += piece.len;
    return r->refused_bytes > REFUSED_BYTES ? MHD_NO : MHD_YES;
}

static enum MHD_Result on_end(struct request *r)
{
    if (r->status == 0) {
        int status = r->match.route->handle(r);
        if (status == LATER)
            return suspend(r);
        r->status = status;
    }
    return queue_answer(r);
}

enum MHD_Result exchange_access(void *cls, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *data,
                                size_t *size, void **context)
{
    (void)cls;
    (void)connection;
    (void)url;
    struct request *r = *context;
    if (!r || !r->target.ptr)
        return MHD_NO; /* there was no memory for it */
    if (!r->begun)
        return on_head(r, method, version);
    if (r->waiting) /* the daemon hands over the next chunk in the same turn all the same */
        return MHD_YES;
    if (*size)
        return on_piece(r, data, size);
    return on_end(r);
}

void exchange_completed(void *cls, struct MHD_Connection *connection, void **context,
                        enum MHD_RequestTerminationCode how)
{
    (void)connection;
    struct loop *loop = cls;
    struct request *r = *context;
    *context = NULL;
    if (!r)
        return;
    uint64_t now = clock_mono_ns();
    assert(!r->waiting);
    if (r->begun) {
        loop->in_flight--;
        metrics_in_flight(loop->metrics, -1);
        if (r->status)
            metrics_request(loop->metrics, r->match.label, r->method, r->status,
                            now - r->started_ns);
        log_debug("http.request", "id=%s route=%s method=%s status=%d us=%llu end=%d", r->id,
                  router_labels(&(uint32_t){0})[r->match.label], metrics_methods[r->method],
                  r->status, (unsigned long long)((now - r->started_ns) / 1000), (int)how);
    }
    if (r->conn)
        conn_enter(&loop->conns, r->conn, CONN_IDLE, now);
    loop_give_request(r);
}

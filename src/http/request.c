/* The life of a request before its handler: what is refused is refused here, in one order: framing,
 * target, route, browser rules, key, announced length. Ops come back through the loop's mailbox,
 * and the suspended connection keeps the request alive meanwhile. */
#include "http/request.h"

#include "http/auth.h"
#include "http/cors.h"
#include "http/handlers.h"
#include "http/loop.h"
#include "http/respond.h"

#include <assert.h>
#include <string.h>

struct shop *request_shop(const struct request *r)
{
    return r->loop->shop;
}

void request_init(struct request *r, struct loop *loop)
{
    memset(r, 0, sizeof *r);
    r->loop = loop;
    arena_init(&r->arena);
    request_reset(r);
}

/* What a request keeps for the next one is only worth it when it is small. */
#define KEPT_BYTES (64u << 10)

void request_reset(struct request *r)
{
    handle_ingest_release(r);
    if (r->arena.used > KEPT_BYTES)
        arena_deinit(&r->arena);
    else
        arena_clear(&r->arena);
    if (r->body.cap > KEPT_BYTES)
        buf_deinit(&r->body);
    buf_clear(&r->body);
    r->body.max = ROUTER_JSON_BYTES;
    buf_deinit(&r->out);
    head_init(&r->head);
    problems_init(&r->problems, &r->arena);
    error_clear(&r->err);
    r->params = (struct params){.at = NULL};
    r->match = router_nowhere();
    r->target = r->path = STR_NONE;
    r->begun = r->close = r->waiting = false;
    r->resume = NULL;
    r->body_bytes = r->refused_bytes = 0;
    r->status = 0;
    r->content_type = "application/json";
    r->field_count = 0;
    r->etag[0] = r->id[0] = '\0';
}

void request_deinit(struct request *r)
{
    handle_ingest_release(r);
    arena_deinit(&r->arena);
    buf_deinit(&r->body);
    buf_deinit(&r->out);
}

static bool is_plain_id(struct str id)
{
    for (size_t i = 0; i < id.len; i++) {
        unsigned char c = (unsigned char)id.ptr[i];
        bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!alnum && c != '-' && c != '_' && c != '.' && c != ':')
            return false;
    }
    return id.len > 0 && id.len <= REQUEST_ID_BYTES;
}

/* Theirs when it can stand in a log and a header as it is, else 32 hex digits. */
static void set_id(struct request *r)
{
    static const char digits[] = "0123456789abcdef";
    struct str given = r->head.value[HEAD_REQUEST_ID];
    size_t n = 0;
    if (is_plain_id(given)) {
        memcpy(r->id, given.ptr, given.len);
        n = given.len;
    } else {
        for (uint64_t word = 0; n < 32; n++) {
            word = n % 16 ? word >> 4 : rng_u64(&r->loop->rng);
            r->id[n] = digits[word & 15];
        }
    }
    r->id[n] = '\0';
}

static int begin_options(struct request *r)
{
    struct buf allow;
    buf_init(&allow, 0);
    router_allow(r->match.path, &allow);
    respond_copied(r, "Allow", (struct str){allow.ptr, allow.len});
    buf_deinit(&allow);
    return 204;
}

static int refuse_method(struct request *r)
{
    struct buf allow;
    buf_init(&allow, 0);
    router_allow(r->match.path, &allow);
    respond_copied(r, "Allow", (struct str){allow.ptr, allow.len});
    int status = respond_problem(r, 405, "this path has %.*s",
                                 STR_ARG(((struct str){allow.ptr, allow.len})));
    buf_deinit(&allow);
    return status;
}

static int refuse_params(struct request *r)
{
    static const struct field none[] = {{.name = NULL}};
    fields_from_params(none, &r->params, NULL, &r->problems);
    return respond_problems(r);
}

static int begin_body(struct request *r)
{
    uint64_t length;
    static const uint64_t limits[] = {
        [BODY_NONE] = ROUTER_DROPPED_BYTES, [BODY_JSON] = ROUTER_JSON_BYTES};
    r->body_limit = r->match.route->body == BODY_STREAM ? request_shop(r)->settings->upload_bytes
                                                        : limits[r->match.route->body];
    int status = head_length(&r->head, r->body_limit, &length);
    if (status == 413)
        return respond_problem(r, 413, "the body may have %llu bytes",
                               (unsigned long long)r->body_limit);
    if (status != 0)
        return respond_problem(r, status, "Content-Length is not a whole number");
    return r->match.route->begin ? r->match.route->begin(r) : GO_ON;
}

int request_begin(struct request *r, struct str method, struct str version)
{
    const char *reason = NULL;
    r->begun = true;
    r->method = method_parse(method);
    set_id(r);
    int status = head_check(&r->head, version, r->method != METHOD_OTHER, &reason);
    if (status != 0) {
        r->close = true;
        return respond_problem(r, status, "%s", reason);
    }
    struct error err = ERROR_INIT;
    if (target_parse(r->target, &r->arena, &r->path, &r->params, &err) != 0)
        return respond_error(r, &err);
    router_find(r->method, r->path, &r->match);
    cors_fields(r);
    if (!r->match.path)
        return respond_problem(r, 404, "no such path");
    if (r->method == METHOD_OPTIONS)
        return begin_options(r);
    if (!r->match.route)
        return refuse_method(r);
    status = auth_check(r);
    if (status == 0 && r->params.count && !r->match.route->params)
        status = refuse_params(r);
    return status != 0 ? status : begin_body(r);
}

int request_params(struct request *r, void *into)
{
    fields_from_params(r->match.route->params, &r->params, into, &r->problems);
    return r->problems.total || r->problems.no_memory ? respond_problems(r) : 0;
}

int request_json_type(struct request *r)
{
    static const struct str types[] = {{"application/json", 16},
                                       {"application/merge-patch+json", 28},
                                       {"application/x-www-form-urlencoded", 33}};
    struct str rest = r->head.value[HEAD_CONTENT_TYPE];
    struct str type = str_trim(str_cut(&rest, ';'));
    bool known = !type.ptr;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        known |= str_eq_nocase(type, types[i]);
    if (!known)
        return respond_problem(r, 415, "send the body as Content-Type: application/json");
    if (r->head.value[HEAD_CONTENT_ENCODING].ptr)
        return respond_problem(r, 415, "this body may not be compressed");
    return 0;
}

int request_json(struct request *r, void *into)
{
    struct error err = ERROR_INIT;
    struct str body = {r->body.ptr, r->body.len};
    int status = request_json_type(r);
    if (status != 0)
        return status;
    if (fields_from_json(r->match.route->json, body, into, &r->problems, &err) != 0)
        return respond_error(r, &err);
    return r->problems.total || r->problems.no_memory ? respond_problems(r) : 0;
}

int request_number(struct request *r, int64_t *out)
{
    if (str_to_i64(r->match.argument, out) && *out >= 1 && r->match.argument.ptr[0] != '+')
        return 0;
    return respond_problem(r, 404, "expected a number in the path, got '%.*s'",
                           STR_ARG(r->match.argument));
}

int request_external_id(struct request *r)
{
    const char *why = id_problem(r->match.argument);
    return why ? respond_problem(r, 400, "the id in the path %s", why) : 0;
}

void request_done(struct op *op)
{
    char *work = (char *)op;
    loop_post((struct request *)(void *)(work - offsetof(struct request, work)));
}

/* The op may be done by now, but it only comes back when this thread looks into its mailbox. */
static int wait_for(struct request *r, int rc, const struct error *err,
                    int (*resume)(struct request *r))
{
    if (rc != 0)
        return respond_error(r, err);
    r->resume = resume;
    return LATER;
}

int request_write_op(struct request *r, struct op *op, int (*resume)(struct request *r))
{
    struct error err = ERROR_INIT;
    int rc = shop_write(request_shop(r), op, &err);
    return wait_for(r, rc, &err, resume);
}

int request_write(struct request *r, int (*resume)(struct request *r))
{
    return request_write_op(r, &r->work.op, resume);
}

int request_read(struct request *r, int (*resume)(struct request *r))
{
    struct error err = ERROR_INIT;
    int rc = shop_read(request_shop(r), &r->work.op, &err);
    return wait_for(r, rc, &err, resume);
}

static void run_on_pool(uv_work_t *pool)
{
    struct request *r = pool->data;
    r->pool_work(r);
}

static void back_from_pool(uv_work_t *pool, int status)
{
    (void)status; /* never cancelled */
    struct request *r = pool->data;
    struct loop *loop = r->loop;
    loop_resume(r);
    loop_drive(loop);
}

int request_offload(struct request *r, void (*work)(struct request *r),
                    int (*resume)(struct request *r))
{
    r->pool.data = r;
    r->pool_work = work;
    r->resume = resume;
    if (uv_queue_work(&r->loop->uv, &r->pool, run_on_pool, back_from_pool) != 0)
        return respond_problem(r, 503, "there is no thread for it");
    return LATER;
}

/* /jobs, /train, /models, /users: questions and changes that other threads answer. Each embeds its
 * op in a small state of the request; `done` wakes the loop. */
#include "http_internal.h"

#include "base/mem.h"

#include <stdlib.h>

struct ask {
    union {
        struct op op;
        struct job_show_op show;
        struct job_submit_op submit;
        struct job_cancel_op cancel;
        struct models_op models;
        struct user_op user;
    } u;
    struct request *request;
    struct buf *json; /* of the op, or NULL */
};

static void ask_done(struct op *op)
{
    request_wake(((struct ask *)(void *)op)->request);
}

static void ask_release(void *state)
{
    struct ask *ask = state;
    if (ask->json)
        buf_deinit(ask->json);
    free(ask);
}

static struct ask *ask_new(struct request *r)
{
    struct ask *ask = mem_zarray(1, sizeof *ask);
    if (!ask) {
        reply_problem(r, 503, "out of memory");
        return NULL;
    }
    ask->request = r;
    r->state = ask;
    r->release = ask_release;
    return ask;
}

/* A failed op is answered with its error. */
static bool ask_failed(struct request *r)
{
    struct ask *ask = r->state;
    if (ask->u.op.result == 0)
        return false;
    reply_error(r, &ask->u.op.err);
    return true;
}

static void finish_json(struct request *r)
{
    struct ask *ask = r->state;
    if (!ask_failed(r))
        reply_json(r, 200, ask->json);
}

static bool path_number(struct request *r, int64_t *out)
{
    if (str_to_i64(r->id, out) && *out > 0)
        return true;
    reply_problem(r, 404, "no such number: %.*s", (int)(r->id.len < 40 ? r->id.len : 40),
                  r->id.ptr);
    return false;
}

/* ---- jobs ---- */

void handle_jobs(struct request *r)
{
    struct param p[] = {{.name = "limit"}, {.name = "before"}};
    uint32_t limit = 20;
    uint64_t before = 0;
    if (!params_read(r, p, 2) || !param_u32(r, &p[0], 1, 200, &limit) ||
        !param_u64(r, &p[1], 1, INT64_MAX, &before))
        return;
    struct ask *ask = ask_new(r);
    if (!ask)
        return;
    jobs_show_prepare(&ask->u.show, 0, ask_done);
    ask->json = &ask->u.show.json;
    ask->u.show.limit = limit;
    ask->u.show.before = (int64_t)before;
    request_read(r, &ask->u.op, finish_json);
}

void handle_job(struct request *r)
{
    int64_t id;
    if (!params_read(r, NULL, 0) || !path_number(r, &id))
        return;
    struct ask *ask = ask_new(r);
    if (!ask)
        return;
    jobs_show_prepare(&ask->u.show, id, ask_done);
    ask->json = &ask->u.show.json;
    request_read(r, &ask->u.op, finish_json);
}

static void finish_cancel(struct request *r)
{
    struct ask *ask = r->state;
    struct buf out;
    if (ask_failed(r))
        return;
    buf_init(&out, 0);
    buf_printf(&out, "{\"id\":%lld,\"state\":\"%s\"}", (long long)ask->u.cancel.job_id,
               ask->u.cancel.was_running ? "cancelling" : "cancelled");
    reply_json(r, 202, &out);
}

void handle_job_cancel(struct request *r)
{
    int64_t id;
    if (!params_read(r, NULL, 0) || !path_number(r, &id))
        return;
    struct ask *ask = ask_new(r);
    if (!ask)
        return;
    jobs_cancel_prepare(&ask->u.cancel, id, ask_done);
    request_write(r, &ask->u.op, finish_cancel);
}

static void finish_train(struct request *r)
{
    struct ask *ask = r->state;
    struct buf out, location;
    if (ask_failed(r))
        return;
    buf_init(&out, 0);
    buf_init(&location, 0);
    buf_printf(&out, "{\"job\":%lld,\"already_queued\":%s}", (long long)ask->u.submit.job_id,
               ask->u.submit.already ? "true" : "false");
    buf_printf(&location, "/jobs/%lld", (long long)ask->u.submit.job_id);
    reply_json(r, 202, &out);
    if (buf_cstr(&location))
        reply_header(r, "Location", location.ptr);
    buf_deinit(&location);
}

void handle_train(struct request *r)
{
    struct ask *ask = params_read(r, NULL, 0) ? ask_new(r) : NULL;
    if (!ask)
        return;
    jobs_train_prepare(&ask->u.submit, ask_done);
    request_write(r, &ask->u.op, finish_train);
}

/* ---- models ---- */

static void show_models(struct request *r, int64_t id)
{
    struct ask *ask = ask_new(r);
    if (!ask)
        return;
    models_show_prepare(&ask->u.models, id, ask_done);
    ask->json = &ask->u.models.json;
    request_read(r, &ask->u.op, finish_json);
}

void handle_models(struct request *r)
{
    if (params_read(r, NULL, 0))
        show_models(r, 0);
}

void handle_model(struct request *r)
{
    int64_t id;
    if (params_read(r, NULL, 0) && path_number(r, &id))
        show_models(r, id);
}

static bool body_model_id(struct request *r, int64_t *id)
{
    struct field f = {.name = "id"};
    json_t *body = body_object(r);
    if (!body)
        return false;
    bool good = body_fields(r, body, "", &f, 1);
    *id = good && json_is_integer(f.value) ? json_integer_value(f.value) : 0;
    json_decref(body);
    if (good && *id < 1)
        reply_invalid(r, "/id", "id: expected the number of a model");
    return good && *id >= 1;
}

void handle_model_activate(struct request *r)
{
    int64_t id;
    if (!params_read(r, NULL, 0) || !body_model_id(r, &id))
        return;
    struct ask *ask = ask_new(r);
    if (!ask)
        return;
    models_activate_prepare(&ask->u.models, id, ask_done);
    ask->json = &ask->u.models.json;
    request_read(r, &ask->u.op, finish_json);
}

/* ---- users ---- */

static void write_user(struct request *r, bool erased)
{
    struct ask *ask = r->state;
    const struct user_op *u = &ask->u.user;
    char first[25], last[25];
    struct buf out;
    if (ask_failed(r))
        return;
    time_ms_format(u->first_ms, first);
    time_ms_format(u->last_ms, last);
    buf_init(&out, 0);
    buf_text(&out, "{\"user_id\":");
    buf_json_str(&out, r->id);
    buf_printf(&out, ",\"orders\":%llu,\"events\":%llu", (unsigned long long)u->orders,
               (unsigned long long)u->events);
    if (erased)
        buf_printf(&out, ",\"erased\":true,\"orders_kept_without_user\":%s}",
                   u->orders_deleted ? "false" : "true");
    else if (u->orders + u->events > 0)
        buf_printf(&out, ",\"first\":\"%s\",\"last\":\"%s\"}", first, last);
    else
        buf_text(&out, ",\"first\":null,\"last\":null}");
    reply_json(r, 200, &out);
}

static void finish_user(struct request *r)
{
    write_user(r, false);
}

static void finish_erase(struct request *r)
{
    write_user(r, true);
}

void handle_user(struct request *r)
{
    struct ask *ask = params_read(r, NULL, 0) ? ask_new(r) : NULL;
    if (!ask)
        return;
    user_show_prepare(&ask->u.user, r->id, ask_done);
    request_read(r, &ask->u.op, finish_user);
}

void handle_user_erase(struct request *r)
{
    struct ask *ask = params_read(r, NULL, 0) ? ask_new(r) : NULL;
    if (!ask)
        return;
    user_erase_prepare(&ask->u.user, r->id, ask_done);
    request_write(r, &ask->u.op, finish_erase);
}

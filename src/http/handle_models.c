/* Stored models: list, look at, make live. The service reads, verifies and publishes. */
#include "http/handlers.h"

#include "http/loop.h"
#include "http/respond.h"

static int models_done(struct request *r)
{
    struct models_op *op = &r->work.models;
    int status = 200;
    if (op->op.result != 0)
        status = respond_error(r, &op->op.err);
    else
        buf_str(&r->out, (struct str){op->json.ptr, op->json.len});
    r->out.failed |= op->json.failed;
    buf_deinit(&op->json);
    if (status != 200 || r->method == METHOD_PUT)
        return status;
    return respond_tagged(r, (struct str){r->out.ptr, r->out.len}, false);
}

int handle_models(struct request *r)
{
    models_show_prepare(&r->work.models, 0, request_done);
    return request_read(r, models_done);
}

int handle_model(struct request *r)
{
    int64_t id;
    int status = request_number(r, &id);
    if (status)
        return status;
    models_show_prepare(&r->work.models, id, request_done);
    return request_read(r, models_done);
}

struct live_input {
    int64_t id;
};

const struct field model_live_json[] = {
    {.name = "id", .kind = FIELD_KEY, .offset = offsetof(struct live_input, id), .required = true},
    {.name = NULL},
};

int handle_model_activate(struct request *r)
{
    struct live_input in = {.id = 0};
    int status = request_json(r, &in);
    if (status)
        return status;
    models_activate_prepare(&r->work.models, in.id, request_done);
    return request_read(r, models_done);
}

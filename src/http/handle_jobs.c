/* Jobs are kept by the service; their JSON is its text. A new job is answered with the object that
 * GET /jobs/{id} gives, read back after its row was committed. */
#include "http/handlers.h"

#include "http/loop.h"
#include "http/respond.h"

static int show_json(struct request *r, int status)
{
    struct job_show_op *op = &r->work.show;
    if (op->op.result != 0)
        status = respond_error(r, &op->op.err);
    else
        buf_str(&r->out, (struct str){op->json.ptr, op->json.len});
    r->out.failed |= op->json.failed;
    buf_deinit(&op->json);
    return status;
}

static int show_done(struct request *r)
{
    return show_json(r, 200);
}

static int accepted_done(struct request *r)
{
    return show_json(r, 202);
}

struct jobs_input {
    uint32_t limit;
    int64_t before;
};

#define AT(member) offsetof(struct jobs_input, member)
const struct field jobs_params[] = {
    {.name = "limit", .kind = FIELD_COUNT, .offset = AT(limit), .min = 1, .max = 200},
    {.name = "before", .kind = FIELD_KEY, .offset = AT(before)},
    {.name = NULL},
};

int handle_jobs(struct request *r)
{
    struct jobs_input in = {.limit = 50};
    int status = request_params(r, &in);
    if (status)
        return status;
    jobs_show_prepare(&r->work.show, 0, request_done);
    r->work.show.limit = in.limit;
    r->work.show.before = in.before;
    return request_read(r, show_done);
}

int handle_job(struct request *r)
{
    int64_t id;
    int status = request_number(r, &id);
    if (status)
        return status;
    jobs_show_prepare(&r->work.show, id, request_done);
    return request_read(r, show_done);
}

int handle_job_made(struct request *r, int64_t id)
{
    respond_location(r, "/jobs/", id);
    jobs_show_prepare(&r->work.show, id, request_done);
    return request_read(r, accepted_done);
}

/* A running job stops by itself soon: that is accepted, not done. */
static int cancel_done(struct request *r)
{
    const struct job_cancel_op *op = &r->work.cancel;
    if (op->op.result != 0)
        return respond_error(r, &op->op.err);
    if (op->was_running)
        return handle_job_made(r, op->job_id);
    return 204;
}

int handle_job_cancel(struct request *r)
{
    int64_t id;
    int status = request_number(r, &id);
    if (status)
        return status;
    jobs_cancel_prepare(&r->work.cancel, id, request_done);
    return request_write(r, cancel_done);
}

static int train_done(struct request *r)
{
    const struct job_submit_op *op = &r->work.submit;
    return op->op.result != 0 ? respond_error(r, &op->op.err) : handle_job_made(r, op->job_id);
}

int handle_train(struct request *r)
{
    if (r->body_bytes)
        return respond_problem(r, 400, "training takes no body");
    jobs_train_prepare(&r->work.submit, request_done);
    return request_write(r, train_done);
}

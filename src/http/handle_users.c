/* What is stored about a user, and its erasure. */
#include "http/handlers.h"

#include "http/encode.h"
#include "http/loop.h"
#include "http/respond.h"

static void add_time(struct buf *out, const char *name, int64_t time_ms, bool known)
{
    buf_text(out, name);
    if (known)
        encode_time(time_ms, out);
    else
        buf_text(out, "null");
}

static int user_done(struct request *r)
{
    const struct user_op *op = &r->work.user;
    struct buf *out = &r->out;
    if (op->op.result != 0)
        return respond_error(r, &op->op.err);
    bool any = op->orders + op->events > 0;
    buf_text(out, "{\"user_id\":");
    buf_json_str(out, op->user_id);
    buf_text(out, ",\"orders\":");
    buf_u64(out, op->orders);
    buf_text(out, ",\"events\":");
    buf_u64(out, op->events);
    add_time(out, ",\"first\":", op->first_ms, any);
    add_time(out, ",\"last\":", op->last_ms, any);
    if (r->method == METHOD_DELETE)
        buf_text(out,
                 op->orders_deleted ? ",\"orders_deleted\":true" : ",\"orders_deleted\":false");
    buf_char(out, '}');
    return 200;
}

int handle_user(struct request *r)
{
    int status = request_external_id(r);
    if (status)
        return status;
    user_show_prepare(&r->work.user, r->match.argument, request_done);
    return request_read(r, user_done);
}

int handle_user_erase(struct request *r)
{
    int status = request_external_id(r);
    if (status)
        return status;
    user_erase_prepare(&r->work.user, r->match.argument, request_done);
    return request_write(r, user_done);
}

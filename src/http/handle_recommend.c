/* GET and POST /recommend: one question, two ways to write it. Catalogue and histories stay locked
 * from the answer to the end of its text, which borrows titles. */
#include "http/handlers.h"

#include "base/clock.h"
#include "base/limits.h"
#include "http/encode.h"
#include "http/loop.h"
#include "http/question.h"
#include "http/respond.h"

#include <string.h>

/* Grown once for a usual answer. */
#define SUGGESTION_BYTES 320
#define ANSWER_BYTES     512

/* A session's clicks come before the items. False: out of memory. */
static bool join_items(struct request *r, const struct question *in, struct query *out)
{
    uint32_t clicks = in->session.count, count = clicks + in->items.count;
    struct str *items = arena_alloc(&r->arena, count, sizeof *items);
    if (!items)
        return false;
    if (clicks)
        memcpy(items, in->session.at, clicks * sizeof *items);
    if (in->items.count)
        memcpy(items + clicks, in->items.at, in->items.count * sizeof *items);
    /* The newest clicks are those that tell. */
    uint32_t over = count > LIMIT_QUERY_ITEMS ? count - LIMIT_QUERY_ITEMS : 0;
    out->items = items + over;
    out->item_count = count - over;
    return true;
}

static bool make_query(struct request *r, const struct question *in, struct query *out)
{
    *out = (struct query){.surface = (enum surface)in->surface,
                          .items = in->items.at,
                          .item_count = in->items.count,
                          .exclude = in->exclude.at,
                          .exclude_count = in->exclude.count,
                          .limit = in->limit,
                          .diversity = in->diversity,
                          .novelty = in->novelty,
                          .explain = in->explain,
                          .bought_included = in->bought == 1,
                          .weights = &request_shop(r)->settings->event_weights,
                          .now_ms = clock_wall_ms()};
    if (in->session.count && !join_items(r, in, out))
        return false;
    return filter_input_make(&in->filter, &r->arena, &out->filter);
}

static void write_head(struct request *r, const struct model *m, const struct answer *a)
{
    struct buf *out = &r->out;
    const char *fallback = fallback_name(a->fallback);
    buf_reserve(out, ANSWER_BYTES + (size_t)a->count * SUGGESTION_BYTES);
    buf_text(out, "{\"request_id\":\"");
    buf_text(out, r->id);
    buf_text(out, "\",\"model\":");
    buf_i64(out, m->id);
    buf_text(out, ",\"surface\":\"");
    buf_text(out, surface_name(a->surface));
    buf_text(out, fallback ? "\",\"fallback\":\"" : "\",\"fallback\":");
    buf_text(out, fallback ? fallback : "null");
    buf_text(out, fallback ? "\"," : ",");
}

/* {"request_id":"…", is the client's, the rest up to the model's age is what a tag stands for. */
static int finish(struct request *r, const struct model *m, int64_t now_ms)
{
    size_t from = sizeof "{\"request_id\":\"\"," - 1 + strlen(r->id);
    size_t to = r->out.len;
    int64_t age_ms = now_ms - m->created_ms;
    buf_text(&r->out, ",\"model_age_s\":");
    buf_i64(&r->out, age_ms > 0 ? age_ms / 1000 : 0);
    buf_text(&r->out, "}}");
    if (r->method == METHOD_POST || r->out.failed)
        return 200;
    return respond_tagged(r, (struct str){r->out.ptr + from, to - from}, true);
}

static bool needs_user(const struct question *in)
{
    return in->surface == SURFACE_REBUY || in->surface == SURFACE_PERSONAL;
}

static int answer(struct request *r, const struct question *in)
{
    struct query q;
    struct answer a;
    struct error err = ERROR_INIT;
    struct loop *loop = r->loop;
    struct shop *shop = loop->shop;
    struct model *m = live_get(loop->live);
    if (needs_user(in) && !in->user_id.len) {
        struct place place = {.name = STR("user_id"), .parameter = r->method != METHOD_POST};
        problems_add(&r->problems, &place, "missing: surface %s answers for one user",
                     surface_name((enum surface)in->surface));
        return respond_problems(r);
    }
    if (!m)
        return respond_problem(r, 503,
                               "there is no model yet: post orders to /ingest, then POST /train");
    if (!make_query(r, in, &q))
        return respond_problem(r, 503, "out of memory");
    pthread_rwlock_rdlock(&shop->memory_lock);
    if (in->user_id.len)
        q.shopper = shoppers_find(&shop->memory.shoppers, in->user_id);
    q.history_loading = !shop->memory.loaded;
    q.fresh = memory_fresh(&shop->memory, m);
    int rc = recommend(m, &shop->catalog, &q, loop->scratch, &a, &err);
    if (rc == 0) {
        write_head(r, m, &a);
        encode_answer(m, &shop->catalog, &q, &a, &r->out);
    }
    pthread_rwlock_unlock(&shop->memory_lock);
    if (rc != 0)
        return respond_error(r, &err);
    metrics_recommendation(loop->metrics, a.surface, a.fallback, a.count);
    return finish(r, m, q.now_ms);
}

int handle_recommend_get(struct request *r)
{
    struct question q;
    question_init(&q);
    int status = request_params(r, &q);
    return status ? status : answer(r, &q);
}

int handle_recommend_post(struct request *r)
{
    struct question q;
    question_init(&q);
    int status = request_json(r, &q);
    return status ? status : answer(r, &q);
}

/* GET and POST /recommend: one question, one answer. */
#include "http_internal.h"

static void answer(struct request *r, const struct query *q)
{
    struct loop *loop = r->loop;
    struct model *m = live_get(loop->live);
    struct answer a;
    struct error err = ERROR_INIT;
    struct buf out;
    size_t from = 0, to = 0;
    if (!m) {
        reply_problem(r, 503, "no model yet: post orders to /ingest, then POST /train");
        return;
    }
    buf_init(&out, 0);
    buf_reserve(&out, 4096);
    pthread_rwlock_rdlock(&loop->shop->catalog_lock);
    int rc = recommend(m, &loop->shop->catalog, q, loop->scratch, &a, &err);
    if (rc == 0)
        answer_write(r, m, q, &a, &out, &from, &to);
    pthread_rwlock_unlock(&loop->shop->catalog_lock);
    if (rc) {
        buf_deinit(&out);
        reply_error(r, &err);
        return;
    }
    metrics_recommendation(loop->metrics, a.surface, a.fallback, a.count);
    reply_tagged(r, &out, from, to);
}

void handle_recommend_get(struct request *r)
{
    struct query q;
    if (question_from_params(r, &q))
        answer(r, &q);
}

void handle_recommend_post(struct request *r)
{
    struct query q;
    if (question_from_body(r, &q))
        answer(r, &q);
}

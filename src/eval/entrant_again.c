/* What shoppers buy again: from times, gaps and demand, and the nearest shoppers of TIFU-KNN. */
#include "entrant_internal.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "learn/nextbasket.h"
#include "learn/repeat.h"

#include <stdlib.h>
#include <string.h>

struct state {
    struct repeat_model repeat;
    struct tifu tifu;
    struct tifu_scratch *scratch[PARALLEL_WORKERS_MAX];
    struct repeat_item *room[PARALLEL_WORKERS_MAX]; /* [items of the longest history] */
};

static void deinit(void *context)
{
    struct state *s = context;
    for (uint32_t w = 0; w < PARALLEL_WORKERS_MAX; w++) {
        tifu_scratch_free(s->scratch[w]);
        free(s->room[w]);
    }
    repeat_deinit(&s->repeat);
    tifu_deinit(&s->tifu);
    free(s);
}

/* Items never bought share the lowest score. */
static void score_repeat(void *context, const struct split *split, uint32_t question, float *scores,
                         uint32_t worker)
{
    struct state *s = context;
    const struct questions *q = &split->questions;
    struct span had = q->history[question];
    uint32_t count = repeat_items(q->item + had.begin, q->time_ms + had.begin,
                                  (uint32_t)(had.end - had.begin), s->room[worker]);
    memset(scores, 0, split->train.item_count * sizeof *scores);
    for (uint32_t k = 0; k < count; k++)
        scores[s->room[worker][k].item] =
            repeat_score(&s->repeat, &s->room[worker][k], q->asked_ms[question]).score;
}

static void score_tifu(void *context, const struct split *split, uint32_t question, float *scores,
                       uint32_t worker)
{
    struct state *s = context;
    const struct questions *q = &split->questions;
    struct span had = q->history[question];
    const struct history of = {q->item + had.begin, q->time_ms + had.begin, had.end - had.begin};
    tifu_scores(&s->tifu, &of, s->scratch[worker], scores);
}

static int prepare_repeat(struct state *s, const struct training *t, struct error *err)
{
    const struct questions *q = &t->split.questions;
    uint64_t most = 0;
    for (uint32_t i = 0; i < q->count; i++)
        if (q->history[i].end - q->history[i].begin > most)
            most = q->history[i].end - q->history[i].begin;
    for (uint32_t w = 0; w < parallel_workers(t->threads); w++)
        if (!MEM_NEW(s->room[w], most))
            return error_set(err, ERR_NOMEM, "contender: out of memory");
    return repeat_build(&t->split.train, &t->histories, &s->repeat, err);
}

static int prepare_tifu(struct state *s, const struct training *t, struct error *err)
{
    const struct tifu_params params = {0};
    int rc = tifu_build(&t->histories, &params, &s->tifu, err);
    for (uint32_t w = 0; rc == 0 && w < parallel_workers(t->threads); w++)
        if (!(s->scratch[w] = tifu_scratch_new(&s->tifu, err)))
            rc = ERR_NOMEM;
    return rc;
}

static int train(const struct training *t, const char *name, struct contender *out,
                 int (*prepare)(struct state *, const struct training *, struct error *),
                 struct error *err)
{
    struct state *s;
    if (!MEM_ZNEW(s, 1))
        return error_set(err, ERR_NOMEM, "contender: out of memory");
    int rc = prepare(s, t, err);
    if (rc) {
        deinit(s);
        return rc;
    }
    *out = (struct contender){.name = name, .state = s, .deinit = deinit};
    return 0;
}

int entrant_train_repeat(const struct training *t, struct contender *out, struct error *err)
{
    int rc = train(t, "repeat", out, prepare_repeat, err);
    if (rc)
        return rc;
    out->score = score_repeat;
    out->cost.bytes = repeat_bytes(&((struct state *)out->state)->repeat);
    return 0;
}

int entrant_train_tifu(const struct training *t, struct contender *out, struct error *err)
{
    int rc = train(t, "tifu", out, prepare_tifu, err);
    if (rc)
        return rc;
    const struct state *s = out->state;
    out->score = score_tifu;
    out->cost.bytes = csr_bytes(&s->tifu.vectors) + csr_bytes(&s->tifu.postings);
    return 0;
}

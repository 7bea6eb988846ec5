/* One dense vector of scores per thread. What is no candidate gets -INFINITY; a pass over the
 * vector keeps the best, one pass per target counts what is before it. */
#include "eval/ranking.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "base/topk.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_QUESTIONS 16
#define BLOCK           16
/* As the engine's diversify.c. */
#define POOL_TIMES 4
#define POOL_LEAST 100

struct job {
    const struct split *split;
    const struct contender *contender;
    const struct ranking_params *params;
    struct ranking *out;
    uint32_t pool; /* the best to choose a list from */
    float *lift;   /* [items] of the score; NULL: none */
    struct cursor cursor;
    int status[PARALLEL_WORKERS_MAX];
};

struct desk { /* of one worker */
    float *scores, *kept;
    struct topk_entry *entries; /* [pool] */
    float *alike;               /* [pool] greatest likeness to what is chosen; NULL: not asked */
};

static uint32_t blocks(const struct split *split)
{
    return (split->train.item_count + BLOCK - 1) / BLOCK;
}

static bool desk_init(struct desk *d, const struct job *job)
{
    size_t room = (size_t)blocks(job->split) * BLOCK;
    MEM_NEW(d->scores, room);
    for (size_t i = job->split->train.item_count; d->scores && i < room; i++)
        d->scores[i] = -INFINITY;
    MEM_NEW(d->entries, job->pool);
    if (job->params->diversity > 0)
        MEM_NEW(d->alike, job->pool);
    if (job->split->candidates == CANDIDATES_CONTEXT)
        MEM_NEW(d->kept, job->split->train.item_count);
    return d->scores && d->entries && (d->alike || !(job->params->diversity > 0)) &&
           (d->kept || job->split->candidates != CANDIDATES_CONTEXT);
}

static void desk_deinit(struct desk *d)
{
    free(d->scores);
    free(d->kept);
    free(d->entries);
    free(d->alike);
}

static void only_context(struct desk *d, const uint32_t *item, struct span given, uint32_t items)
{
    for (uint64_t k = given.begin; k < given.end; k++)
        d->kept[item[k]] = d->scores[item[k]];
    for (uint32_t i = 0; i < items; i++)
        d->scores[i] = -INFINITY;
    for (uint64_t k = given.begin; k < given.end; k++)
        d->scores[item[k]] = d->kept[item[k]];
}

static void mask(const struct split *split, uint32_t question, struct desk *d)
{
    const uint32_t *item = split->questions.item;
    struct span given = split->questions.context[question];
    switch (split->candidates) {
    case CANDIDATES_NOT_CONTEXT:
        for (uint64_t k = given.begin; k < given.end; k++)
            d->scores[item[k]] = -INFINITY;
        break;
    case CANDIDATES_NOT_LAST:
        if (given.begin < given.end)
            d->scores[item[given.end - 1]] = -INFINITY;
        break;
    case CANDIDATES_CONTEXT:
        only_context(d, item, given, split->train.item_count);
        break;
    case CANDIDATES_ALL:
        break;
    }
}

static uint32_t count_from(const float *block, float least)
{
    uint32_t count = 0;
    for (int i = 0; i < BLOCK; i++)
        count += block[i] >= least;
    return count;
}

static void lift_the_tail(const struct job *job, struct desk *d)
{
    for (uint32_t i = 0; job->lift && i < job->split->train.item_count; i++)
        if (d->scores[i] > 0)
            d->scores[i] *= job->lift[i];
}

static float likeness(const struct cooc *c, uint32_t a, uint32_t b)
{
    uint32_t together = cooc_pair(c, a, b);
    return together ? (float)(together / sqrt((double)c->item_units[a] * c->item_units[b])) : 0;
}

/* Greedy, as the engine's diversify.c: each place of the list to the one with the most relevance
 * less likeness to those before it; ties to the better one. The others keep their order. */
static void diversify(const struct job *job, struct desk *d, uint32_t count)
{
    float diversity = (float)job->params->diversity, scale = 1 / d->entries[0].score;
    uint32_t wanted = job->params->list_length < count ? job->params->list_length : count;
    for (uint32_t x = 0; x < count; x++)
        d->alike[x] = 0;
    for (uint32_t n = 0; n < wanted; n++) {
        uint32_t best = n;
        float most = -INFINITY;
        for (uint32_t x = n; x < count; x++) {
            float gain = (1 - diversity) * scale * d->entries[x].score - diversity * d->alike[x];
            if (!(gain > most))
                continue;
            most = gain;
            best = x;
        }
        struct topk_entry chosen = d->entries[best];
        for (uint32_t x = best; x > n; x--) {
            d->entries[x] = d->entries[x - 1];
            d->alike[x] = d->alike[x - 1];
        }
        d->entries[n] = chosen;
        for (uint32_t x = n + 1; x < count; x++)
            d->alike[x] =
                fmaxf(d->alike[x], likeness(job->params->pairs, chosen.item, d->entries[x].item));
    }
}

static void choose(const struct job *job, struct desk *d, uint32_t question)
{
    uint32_t length = job->pool;
    uint32_t *list = job->out->list + (uint64_t)question * job->params->list_length;
    const uint32_t *rank = job->split->rank;
    float least = -FLT_MAX; /* of what is kept, once the list is full */
    struct topk best;
    topk_init(&best, d->entries, length);
    for (uint32_t b = 0; b < blocks(job->split); b++) {
        if (!count_from(d->scores + (size_t)b * BLOCK, least))
            continue;
        for (uint32_t i = b * BLOCK; i < (b + 1) * BLOCK; i++) {
            float score = d->scores[i];
            if (!(score >= least) ||
                (best.count == length && score == least && rank[i] > best.entries[0].tie))
                continue;
            topk_offer(&best, i, score, rank[i]);
            if (best.count == length)
                least = best.entries[0].score;
        }
    }
    topk_sort(&best);
    uint32_t positive = 0;
    while (positive < best.count && best.entries[positive].score > 0)
        positive++;
    if (job->params->diversity > 0 && positive > 0 && isfinite(best.entries[0].score))
        diversify(job, d, positive);
    for (uint32_t k = 0; k < job->params->list_length; k++)
        list[k] = k < best.count ? best.entries[k].item : LIST_END;
}

static struct placing place(const struct job *job, const float *scores, uint32_t target)
{
    uint32_t items = job->split->train.item_count, above = 0, level = 0, before = 0;
    if (target == TARGET_LOST || !(scores[target] > -INFINITY))
        return (struct placing){PLACING_NEVER, 1};
    float own = scores[target];
    const uint32_t *rank = job->split->rank;
    for (uint32_t b = 0; b < blocks(job->split); b++) {
        const float *block = scores + (size_t)b * BLOCK;
        for (int i = 0; i < BLOCK; i++) {
            above += block[i] > own;
            level += block[i] == own;
        }
    }
    if (job->params->open_ties)
        return (struct placing){above, level};
    for (uint32_t i = 0; level > 1 && i < items; i++)
        before += scores[i] == own && rank[i] < rank[target];
    return (struct placing){above + before, 1};
}

/* A list that was not chosen by score alone: what is in it has its place there, all else comes
 * behind. */
static struct placing place_in_list(const struct job *job, uint32_t question, uint32_t target,
                                    struct placing by_score)
{
    uint32_t length = job->params->list_length;
    const uint32_t *list = job->out->list + (uint64_t)question * length;
    if (by_score.above == PLACING_NEVER)
        return by_score;
    for (uint32_t n = 0; n < length; n++)
        if (list[n] == target)
            return (struct placing){n, 1};
    return (struct placing){by_score.above < length ? length : by_score.above, 1};
}

static void answer(struct job *job, struct desk *d, uint32_t question, uint32_t worker)
{
    const struct questions *q = &job->split->questions;
    uint64_t begin = clock_mono_ns();
    job->contender->score(job->contender->state, job->split, question, d->scores, worker);
    mask(job->split, question, d);
    lift_the_tail(job, d);
    choose(job, d, question);
    job->out->answer_us[question] = (float)(clock_mono_ns() - begin) * 1e-3f;
    for (uint64_t t = q->target_start[question]; t < q->target_start[question + 1]; t++) {
        struct placing by_score = place(job, d->scores, q->target[t]);
        job->out->placing[t] = job->params->diversity > 0
                                   ? place_in_list(job, question, q->target[t], by_score)
                                   : by_score;
    }
}

static void run_worker(void *context, uint32_t worker)
{
    struct job *job = context;
    struct desk desk = {0};
    uint64_t begin, end;
    int status = desk_init(&desk, job) ? 0 : ERR_NOMEM;
    while (status == 0 && cursor_take(&job->cursor, &begin, &end)) {
        for (uint64_t q = begin; q < end; q++)
            answer(job, &desk, (uint32_t)q, worker);
        if (progress_step(job->params->progress, end - begin))
            status = ERR_CANCELLED;
    }
    desk_deinit(&desk);
    job->status[worker] = status;
}

static uint32_t pool_of(const struct ranking_params *params)
{
    uint32_t pool = POOL_TIMES * params->list_length;
    if (!(params->diversity > 0))
        return params->list_length;
    pool = pool < POOL_LEAST ? POOL_LEAST : pool;
    return pool < LIMIT_ANSWER_ITEMS ? pool : LIMIT_ANSWER_ITEMS;
}

static bool make_lift(struct job *job)
{
    const struct dataset *train = &job->split->train;
    if (!(job->params->novelty > 0))
        return true;
    if (!MEM_NEW(job->lift, train->item_count))
        return false;
    for (uint32_t i = 0; i < train->item_count; i++)
        job->lift[i] = train->item_orders[i] > 1
                           ? powf((float)train->item_orders[i], -(float)job->params->novelty)
                           : 1;
    return true;
}

int ranking_make(const struct split *split, const struct contender *contender,
                 const struct ranking_params *params, struct ranking *out, struct error *err)
{
    const struct questions *q = &split->questions;
    struct ranking made = {.list_length = params->list_length};
    struct job job = {.split = split, .contender = contender, .params = params, .out = &made};
    uint32_t workers = parallel_workers(params->threads);
    assert(params->list_length >= 1 && params->list_length <= LIMIT_ANSWER_ITEMS);
    assert(!(params->diversity > 0) || (params->pairs && !params->open_ties));
    job.pool = pool_of(params);
    MEM_NEW(made.placing, q->target_start[q->count]);
    MEM_NEW(made.list, (size_t)q->count * params->list_length);
    MEM_NEW(made.answer_us, q->count);
    int status = made.placing && made.list && made.answer_us && make_lift(&job) ? 0 : ERR_NOMEM;
    if (status == 0) {
        cursor_init(&job.cursor, q->count, PIECE_QUESTIONS);
        parallel_run(workers, run_worker, &job);
    }
    for (uint32_t w = 0; w < workers; w++)
        status = status ? status : job.status[w];
    free(job.lift);
    if (status == 0) {
        *out = made;
        return 0;
    }
    ranking_deinit(&made);
    return error_set(err, status, "ranking: %s",
                     status == ERR_NOMEM ? "out of memory" : "cancelled");
}

void ranking_deinit(struct ranking *r)
{
    free(r->placing);
    free(r->list);
    free(r->answer_us);
    *r = (struct ranking){0};
}

/* The candidates of a question are the best few of each ingredient, the most popular items and the
 * targets: what else there is comes before a target under no sensible shares. Each is described by
 * one number an ingredient and one each of habit, neighbours and the two popularities, so that a
 * step of the ascent costs one multiplication a candidate. Questions are dealt to workers. Cost: as
 * an answer, an ingredient. */
#include "base/mem.h"
#include "base/topk.h"
#include "fit_internal.h"
#include "neighbours_internal.h"

#include <stdlib.h>
#include <string.h>

#define BEST_OF_EACH   60 /* candidates each ingredient names */
#define DECAY_LEAST    1e-3f
#define TARGETS_SPREAD 5 /* times the mean that orders that ask may hold, for the estimate */

/* One worker's dense sums, one vector a feature. */
struct table {
    float *sum;        /* [features x items], 0 where not touched */
    uint32_t *touched; /* [features x items] */
    uint32_t *count;   /* [features] */
    uint32_t *place;   /* [items] + 1 in the list of candidates; 0: none */
    uint32_t *item;    /* [items] the list */
    struct topk_entry *entries;
    struct sessionknn_scratch *visits; /* NULL without neighbours */
};

static bool table_init(struct table *t, const struct fit *f)
{
    size_t items = f->split->train.item_count;
    MEM_ZNEW(t->sum, f->features * items);
    MEM_NEW(t->touched, f->features * items);
    MEM_ZNEW(t->count, f->features);
    MEM_ZNEW(t->place, items);
    MEM_NEW(t->item, items);
    MEM_NEW(t->entries, BEST_OF_EACH);
    if (f->neighbours.start)
        t->visits = sessionknn_scratch_new(&f->neighbours, NULL);
    return t->sum && t->touched && t->count && t->place && t->item && t->entries &&
           (!f->neighbours.start || t->visits);
}

static void table_deinit(struct table *t)
{
    free(t->sum);
    free(t->touched);
    free(t->count);
    free(t->place);
    free(t->item);
    free(t->entries);
    sessionknn_scratch_free(t->visits);
}

/* What feature x gives each item, for the context of a question. */
static void sum_rows(const struct fit *f, struct table *t, uint32_t x, struct span given)
{
    const struct csr *rows = f->feature[x].rows;
    float decay = f->decay[f->feature[x].matrix], weight = 1;
    float *sum = t->sum + (size_t)x * rows->cols;
    uint32_t *touched = t->touched + (size_t)x * rows->cols;
    t->count[x] = 0;
    for (uint64_t k = given.end; k-- > given.begin && weight >= DECAY_LEAST; weight *= decay) {
        uint32_t i = f->split->questions.item[k];
        for (uint64_t e = rows->start[i]; e < rows->start[i + 1]; e++) {
            uint32_t j = rows->column[e];
            if (sum[j] == 0)
                touched[t->count[x]++] = j;
            sum[j] += weight * rows->value[e];
            if (sum[j] == 0) /* what cancels out stays listed once */
                sum[j] = -1e-30f;
        }
    }
}

/* What the shopper bought before, newer orders counting more; nothing where it is not served. */
static void sum_habit(const struct fit *f, struct table *t, uint32_t x, struct span history)
{
    const struct questions *q = &f->split->questions;
    uint32_t items = f->split->train.item_count;
    float *sum = t->sum + (size_t)x * items, weight = 1;
    uint32_t *touched = t->touched + (size_t)x * items;
    t->count[x] = 0;
    if (!mix_has_habit(f->kind))
        return;
    for (uint64_t k = history.end; k-- > history.begin && weight >= DECAY_LEAST;) {
        if (k + 1 < history.end && q->time_ms[k] != q->time_ms[k + 1])
            weight *= f->menu->mixes[f->kind].habit_decay;
        uint32_t j = q->item[k];
        if (sum[j] == 0)
            touched[t->count[x]++] = j;
        sum[j] += weight;
    }
}

static void sum_neighbours(const struct fit *f, struct table *t, uint32_t x, struct span given)
{
    uint32_t items = f->split->train.item_count;
    float *sum = t->sum + (size_t)x * items;
    uint32_t *touched = t->touched + (size_t)x * items;
    uint64_t length = given.end - given.begin;
    uint32_t count = (uint32_t)(length < NEIGHBOURS_CONTEXT ? length : NEIGHBOURS_CONTEXT);
    struct sessionknn_answer answer;
    t->count[x] = 0;
    if (!t->visits)
        return;
    sessionknn_ask(&f->neighbours, f->split->questions.item + given.end - count, count, t->visits,
                   &answer);
    for (; t->count[x] < answer.count; t->count[x]++) {
        uint32_t j = answer.item[t->count[x]];
        touched[t->count[x]] = j;
        sum[j] = answer.score[j] / answer.most;
    }
}

#define MASKED UINT32_MAX

static void mask_context(const struct fit *f, struct table *t, struct span given, bool on)
{
    const uint32_t *item = f->split->questions.item;
    uint64_t begin = given.begin;
    if (f->split->candidates == CANDIDATES_ALL)
        return;
    if (f->split->candidates == CANDIDATES_NOT_LAST && given.end > begin)
        begin = given.end - 1;
    for (uint64_t k = begin; k < given.end; k++)
        t->place[item[k]] = on ? MASKED : 0;
}

static void name_item(struct table *t, uint32_t *count, uint32_t item)
{
    if (t->place[item])
        return;
    t->item[*count] = item;
    t->place[item] = ++*count;
}

static void name_best(const struct fit *f, struct table *t, uint32_t x, uint32_t *count)
{
    uint32_t items = f->split->train.item_count;
    const float *sum = t->sum + (size_t)x * items;
    const uint32_t *touched = t->touched + (size_t)x * items;
    struct topk best;
    topk_init(&best, t->entries, BEST_OF_EACH);
    for (uint32_t k = 0; k < t->count[x]; k++)
        if (t->place[touched[k]] != MASKED)
            topk_offer(&best, touched[k], sum[touched[k]], f->split->rank[touched[k]]);
    for (uint32_t k = 0; k < best.count; k++)
        name_item(t, count, best.entries[k].item);
}

/* The targets first; a lost one is not among them. */
static uint32_t name_candidates(const struct fit *f, struct table *t, uint32_t question,
                                uint32_t *targets)
{
    const struct questions *q = &f->split->questions;
    uint32_t count = 0;
    for (uint64_t k = q->target_start[question]; k < q->target_start[question + 1]; k++)
        if (q->target[k] != TARGET_LOST && t->place[q->target[k]] != MASKED)
            name_item(t, &count, q->target[k]);
    *targets = count;
    for (uint32_t x = 0; x <= fit_other(f, NEIGHBOURS); x++)
        name_best(f, t, x, &count);
    for (uint32_t k = 0; k < f->named_count; k++)
        name_item(t, &count, f->named[k]);
    return count;
}

static bool copy_features(const struct fit *f, const struct table *t, struct candidates_of *to)
{
    uint32_t items = f->split->train.item_count;
    MEM_NEW(to->item, to->count);
    MEM_NEW(to->feature, (size_t)f->features * to->count);
    MEM_NEW(to->score, to->count);
    if (!to->item || !to->feature || !to->score)
        return false;
    memcpy(to->item, t->item, to->count * sizeof *to->item);
    for (uint32_t x = 0; x < f->features; x++) {
        const float *from = t->sum + (size_t)x * items;
        from = x == fit_other(f, POPULAR) ? f->popular : from;
        from = x == fit_other(f, RECENT) ? f->recent : from;
        for (uint32_t c = 0; c < to->count; c++)
            to->feature[(size_t)x * to->count + c] = from[to->item[c]];
    }
    return true;
}

static void score_all(const struct fit *f, struct candidates_of *of)
{
    for (uint32_t c = 0; c < of->count; c++)
        of->score[c] = 0;
    for (uint32_t x = 0; x < f->features; x++)
        for (uint32_t c = 0; f->share[x] > 0 && c < of->count; c++)
            of->score[c] += f->share[x] * of->feature[(size_t)x * of->count + c];
}

void fit_candidates_deinit(struct candidates_of *of)
{
    free(of->item);
    free(of->feature);
    free(of->score);
    *of = (struct candidates_of){0};
}

static bool describe_question(const struct fit *f, struct table *t, uint32_t at)
{
    struct candidates_of *to = &f->of[at];
    uint32_t items = f->split->train.item_count, question = f->question[at];
    struct span given = f->split->questions.context[question];
    fit_candidates_deinit(to);
    for (uint32_t x = 0; x < fit_other(f, HABIT); x++)
        sum_rows(f, t, x, given);
    sum_habit(f, t, fit_other(f, HABIT), f->split->questions.history[question]);
    sum_neighbours(f, t, fit_other(f, NEIGHBOURS), given);
    mask_context(f, t, given, true);
    to->count = name_candidates(f, t, question, &to->target_count);
    bool done = copy_features(f, t, to);
    if (done)
        score_all(f, to);
    mask_context(f, t, given, false);
    for (uint32_t k = 0; k < to->count; k++)
        t->place[t->item[k]] = 0;
    for (uint32_t x = 0; x <= fit_other(f, NEIGHBOURS); x++)
        for (uint32_t k = 0; k < t->count[x]; k++)
            t->sum[(size_t)x * items + t->touched[(size_t)x * items + k]] = 0;
    return done;
}

static void describe_worker(void *context, uint32_t worker)
{
    struct fit *f = context;
    struct table t = {0};
    int status = table_init(&t, f) ? 0 : ERR_NOMEM;
    uint64_t begin, end;
    while (status == 0 && cursor_take(&f->cursor, &begin, &end)) {
        for (uint64_t at = begin; at < end && status == 0; at++)
            status = describe_question(f, &t, (uint32_t)at) ? 0 : ERR_NOMEM;
        if (status == 0 && progress_cancelled(f->progress))
            status = ERR_CANCELLED;
    }
    table_deinit(&t);
    f->status[worker] = status;
}

int fit_describe(struct fit *f, struct error *err)
{
    uint32_t workers = parallel_workers(f->threads);
    int status = 0;
    cursor_init(&f->cursor, f->question_count, 16);
    parallel_run(workers, describe_worker, f);
    for (uint32_t w = 0; w < workers; w++)
        status = status ? status : f->status[w];
    if (status)
        return error_set(err, status, "fitting a recipe: %s",
                         status == ERR_NOMEM ? "out of memory" : "cancelled");
    return 0;
}

uint64_t fit_candidates_estimate_bytes(const struct dataset_shape *train, uint32_t questions,
                                       uint32_t features)
{
    uint64_t of_orders = train->lines / (train->orders ? train->orders : 1) + 1;
    uint64_t named =
        BEST_OF_EACH * (features - OTHERS + 1) + POPULAR_NAMED + TARGETS_SPREAD * of_orders;
    uint64_t each = named < train->items ? named : train->items;
    each = each * (8 + 4 * (uint64_t)features) + sizeof(struct candidates_of) + 12 + 48;
    return questions * each;
}

uint64_t fit_tables_estimate_bytes(uint64_t items, uint32_t features, uint32_t threads)
{
    return parallel_workers(threads) * (8 * (uint64_t)features + 8) * (items + 64);
}

/* What each shopper had goes into one pool, row by row; a question's history is the begin of a row,
 * so that long histories are not copied. Baskets cut in two have contexts of their own, behind. */
#include "split_internal.h"

#include "base/map.h"
#include "base/rng.h"
#include "base/vec.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN 0x9e3779b97f4a7c15u

struct asking {
    struct cutting *c;
    uint64_t *next;       /* [users] where the next item of the shopper's row goes */
    uint64_t *row;        /* [users] where the row begins */
    struct u64map taught; /* hashes of teaching baskets */
    uint32_t *mark; /* [training items] the last asking order whose history has it, by `serial` */
    uint32_t serial;
    uint32_t last; /* no candidate of a session: its last item; TARGET_LOST: none */
    VEC(struct span) context;
    VEC(struct span) history;
    VEC(uint64_t) target_start;
    VEC(uint32_t) target;
    VEC(uint32_t) cluster;
    VEC(int64_t) asked_ms;
    VEC(uint32_t) order;
    VEC(uint32_t) item;
    VEC(int64_t) time_ms;
    uint32_t *room; /* [most items of a basket] */
};

void questions_deinit(struct questions *q)
{
    free(q->context);
    free(q->history);
    free(q->target_start);
    free(q->target);
    free(q->cluster);
    free(q->asked_ms);
    free(q->order);
    free(q->item);
    free(q->time_ms);
    *q = (struct questions){0};
}

static int out_of_memory(struct error *err)
{
    return error_set(err, ERR_NOMEM, "split: out of memory");
}

static uint64_t basket_hash(const struct dataset *d, uint32_t b)
{
    uint64_t hash = GOLDEN;
    for (uint64_t x = d->baskets.start[b]; x < d->baskets.start[b + 1]; x++) {
        hash = (hash ^ d->baskets.column[x]) * GOLDEN;
        hash ^= hash >> 29;
    }
    return hash;
}

static bool comparable(const struct dataset *d, uint32_t b)
{
    return d->baskets.start[b + 1] - d->baskets.start[b] >= 2;
}

/* Room for all rows, and the hashes of what is taught. */
static bool prepare(struct asking *a)
{
    const struct dataset *d = a->c->d;
    uint64_t widest = 0;
    MEM_ZNEW(a->next, (size_t)d->user_count + 1);
    MEM_NEW(a->row, d->user_count);
    MEM_ZNEW(a->mark, a->c->split->train.item_count);
    if (!a->next || !a->row || !a->mark || !VEC_PUSH(&a->target_start, 0))
        return false;
    for (uint32_t b = 0; b < d->basket_count; b++) {
        uint64_t begin = d->baskets.start[b], end = d->baskets.start[b + 1];
        widest = end - begin > widest ? end - begin : widest;
        if (a->c->role[b] == ROLE_TEACHES && comparable(d, b) &&
            !u64map_set(&a->taught, basket_hash(d, b), 1))
            return false;
        for (uint64_t x = begin; d->user[b] != DATASET_NO_USER && x < end; x++)
            a->next[d->user[b] + 1] += a->c->item[d->baskets.column[x]] != TARGET_LOST;
    }
    for (uint32_t u = 0; u < d->user_count; u++) {
        a->row[u] = a->next[u];
        a->next[u + 1] += a->next[u];
    }
    uint64_t entries = a->next[d->user_count];
    if (!MEM_NEW(a->room, 2 * widest) || !VEC_RESERVE(&a->item, entries) ||
        !VEC_RESERVE(&a->time_ms, entries))
        return false;
    a->item.count = a->time_ms.count = entries;
    return true;
}

/* The basket joins its shopper's row. */
static void remember(struct asking *a, uint32_t b)
{
    const struct dataset *d = a->c->d;
    if (d->user[b] == DATASET_NO_USER)
        return;
    uint64_t *at = &a->next[d->user[b]];
    for (uint64_t x = d->baskets.start[b]; x < d->baskets.start[b + 1]; x++) {
        uint32_t item = a->c->item[d->baskets.column[x]];
        if (item == TARGET_LOST)
            continue;
        a->item.at[*at] = item;
        a->time_ms.at[(*at)++] = d->time_ms[b];
    }
}

static struct span history_of(const struct asking *a, uint32_t b)
{
    uint32_t user = a->c->d->user[b];
    return user == DATASET_NO_USER ? (struct span){0, 0}
                                   : (struct span){a->row[user], a->next[user]};
}

/* Ends the question whose targets were pushed. */
static bool finish_question(struct asking *a, uint32_t b, struct span context)
{
    const struct dataset *d = a->c->d;
    bool somebody = d->user[b] != DATASET_NO_USER;
    return VEC_PUSH(&a->context, context) && VEC_PUSH(&a->history, history_of(a, b)) &&
           VEC_PUSH(&a->target_start, a->target.count) &&
           VEC_PUSH(&a->cluster, somebody ? d->user[b] : d->user_count + b) &&
           VEC_PUSH(&a->asked_ms, d->time_ms[b]) && VEC_PUSH(&a->order, b);
}

/* All of list[0..count) but one; of many a sample in their order. */
static bool push_context(struct asking *a, const uint32_t *list, uint32_t count, uint32_t without,
                         int64_t time_ms, struct rng *rng)
{
    uint32_t others = 0, most = a->c->params.context_max;
    for (uint32_t k = 0; k < count; k++)
        others += k != without && list[k] != TARGET_LOST;
    uint32_t wanted = most && most < others ? most : others;
    for (uint32_t k = 0; k < count; k++) {
        if (k == without || list[k] == TARGET_LOST)
            continue;
        if (rng_below(rng, others--) >= wanted)
            continue;
        wanted--;
        if (!VEC_PUSH(&a->item, list[k]) || !VEC_PUSH(&a->time_ms, time_ms))
            return false;
    }
    return true;
}

/* Each of up to `targets` items by chance, given the others. */
static bool ask_completion(struct asking *a, uint32_t b)
{
    const struct dataset *d = a->c->d;
    const struct split_params *p = &a->c->params;
    uint32_t count = 0, *list = a->room;
    struct rng rng;
    for (uint64_t x = d->baskets.start[b]; x < d->baskets.start[b + 1]; x++) {
        list[count] = a->c->item[d->baskets.column[x]];
        count += list[count] != TARGET_LOST || p->protocol != PROTOCOL_LEAVE_ONE_OUT;
    }
    uint32_t *place = list + count;
    for (uint32_t k = 0; k < count; k++)
        place[k] = k;
    rng_seed(&rng, p->seed * GOLDEN + b);
    for (uint32_t t = 0; count >= 2 && t < count && t < p->targets; t++) {
        uint32_t chosen = t + rng_below(&rng, count - t), without = place[chosen];
        place[chosen] = place[t];
        uint64_t begin = a->item.count;
        a->c->split->unknown_targets += list[without] == TARGET_LOST;
        if (!VEC_PUSH(&a->target, list[without]) ||
            !push_context(a, list, count, without, d->time_ms[b], &rng) ||
            !finish_question(a, b, (struct span){begin, a->item.count}))
            return false;
    }
    return true;
}

/* What becomes of an item of the order as a target: itself, lost, or not asked for. */
static bool next_target(struct asking *a, uint32_t item, uint32_t *target)
{
    struct split *split = a->c->split;
    bool had = item != TARGET_LOST && a->mark[item] == a->serial;
    *target = item;
    if (a->c->params.task == TASK_REBUY)
        return had;
    if (item == a->last && item != TARGET_LOST)
        return false;
    split->unknown_targets += item == TARGET_LOST;
    if (!had || split->candidates != CANDIDATES_NOT_CONTEXT)
        return true;
    split->repeat_targets += split->protocol == PROTOCOL_LEAVE_LAST_OUT;
    *target = TARGET_LOST;
    return split->protocol == PROTOCOL_LEAVE_LAST_OUT;
}

/* All items of the order, given the history. */
static bool ask_next(struct asking *a, uint32_t b)
{
    const struct dataset *d = a->c->d;
    struct span history = history_of(a, b);
    uint64_t targets = a->target.count;
    const struct split_params *p = &a->c->params;
    bool new_shopper = history.begin == history.end;
    bool wants_past = p->task == TASK_SESSION || p->protocol != PROTOCOL_TIME;
    if (d->user[b] == DATASET_NO_USER || (new_shopper && wants_past))
        return true;
    a->serial++;
    a->last = p->task == TASK_SESSION ? a->item.at[history.end - 1] : TARGET_LOST;
    for (uint64_t x = history.begin; x < history.end; x++)
        a->mark[a->item.at[x]] = a->serial;
    for (uint64_t x = d->baskets.start[b]; x < d->baskets.start[b + 1]; x++) {
        uint32_t target;
        if (next_target(a, a->c->item[d->baskets.column[x]], &target) &&
            !VEC_PUSH(&a->target, target))
            return false;
    }
    return a->target.count == targets || finish_question(a, b, history);
}

static bool ask_all(struct asking *a)
{
    const struct dataset *d = a->c->d;
    struct split *split = a->c->split;
    for (uint32_t b = 0; b < d->basket_count; b++) {
        size_t before = a->context.count;
        bool asks = a->c->role[b] == ROLE_ASKS;
        if (asks && !(split->task == TASK_BASKET ? ask_completion(a, b) : ask_next(a, b)))
            return false;
        bool asked = a->context.count > before;
        split->unasked_orders += asks && !asked;
        split->seen_baskets +=
            asked && comparable(d, b) && u64map_get(&a->taught, basket_hash(d, b)) != MAP_NONE;
        remember(a, b);
    }
    return true;
}

/* From shoppers and baskets to 0, 1, 2, … in the order of their first question. */
static bool number_clusters(struct asking *a, uint32_t *count)
{
    struct u64map numbers;
    bool ok = true;
    u64map_init(&numbers);
    *count = 0;
    for (size_t q = 0; ok && q < a->cluster.count; q++) {
        uint32_t known = u64map_get(&numbers, a->cluster.at[q]);
        if (known == MAP_NONE) {
            ok = u64map_set(&numbers, a->cluster.at[q], *count);
            known = (*count)++;
        }
        a->cluster.at[q] = known;
    }
    u64map_deinit(&numbers);
    return ok;
}

static void hand_over(struct asking *a, uint32_t clusters)
{
    a->c->split->questions = (struct questions){.count = (uint32_t)a->context.count,
                                                .cluster_count = clusters,
                                                .context = a->context.at,
                                                .history = a->history.at,
                                                .target_start = a->target_start.at,
                                                .target = a->target.at,
                                                .cluster = a->cluster.at,
                                                .asked_ms = a->asked_ms.at,
                                                .order = a->order.at,
                                                .item = a->item.at,
                                                .time_ms = a->time_ms.at,
                                                .item_total = a->item.count};
}

static void drop(struct asking *a)
{
    VEC_FREE(&a->context);
    VEC_FREE(&a->history);
    VEC_FREE(&a->target_start);
    VEC_FREE(&a->target);
    VEC_FREE(&a->cluster);
    VEC_FREE(&a->asked_ms);
    VEC_FREE(&a->order);
    VEC_FREE(&a->item);
    VEC_FREE(&a->time_ms);
}

static int no_question(const struct asking *a, struct error *err)
{
    uint64_t asking = a->c->split->unasked_orders;
    return error_set(err, ERR_INVALID,
                     "there is nothing to test with: of %llu orders kept for it none has %s; more "
                     "orders or a larger share for the test may help",
                     (unsigned long long)asking,
                     a->c->split->task == TASK_BASKET  ? "two items known from the training"
                     : a->c->split->task == TASK_REBUY ? "an item that its shopper had before"
                                                       : "a shopper who bought before");
}

int questions_make(struct cutting *c, struct error *err)
{
    struct asking a = {.c = c};
    uint32_t clusters = 0;
    u64map_init(&a.taught);
    int rc = prepare(&a) && ask_all(&a) && number_clusters(&a, &clusters) ? 0 : out_of_memory(err);
    if (rc == 0 && a.context.count == 0)
        rc = no_question(&a, err);
    if (rc == 0)
        hand_over(&a, clusters);
    else
        drop(&a);
    u64map_deinit(&a.taught);
    free(a.next);
    free(a.row);
    free(a.mark);
    free(a.room);
    return rc;
}

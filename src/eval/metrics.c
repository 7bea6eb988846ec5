/* Targets are taken by groups of equal place. A group of `level` candidates behind `above` others,
 * `targets` of them wanted, is in a random order within itself; without open ties each group is one
 * target alone, and the expected values are the values. */
#include "eval/metrics.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RARE_ORDERS 5

struct group {
    uint32_t above, level, targets;
    uint32_t before; /* targets of better groups */
    uint32_t within; /* of the level, among the first k */
};

const char *quality_name(enum quality q)
{
    static const char *const names[] = {[QUALITY_HR] = "hr",
                                        [QUALITY_RECALL] = "recall",
                                        [QUALITY_NDCG] = "ndcg",
                                        [QUALITY_MRR] = "mrr",
                                        [QUALITY_MAP] = "map"};
    return names[q];
}

static int compare_placings(const void *x, const void *y)
{
    const struct placing *a = x, *b = y;
    return (a->above > b->above) - (a->above < b->above);
}

/* The group that begins at targets[at], some of it among the first k; false: none. */
static bool next_group(const struct placing *targets, uint32_t count, uint32_t k, uint32_t at,
                       struct group *g)
{
    if (at == count || targets[at].above >= k)
        return false;
    *g = (struct group){.above = targets[at].above, .level = targets[at].level, .before = at};
    while (at < count && targets[at].above == g->above) {
        g->targets++;
        at++;
    }
    assert(g->targets <= g->level);
    g->within = k - g->above < g->level ? k - g->above : g->level;
    return true;
}

/* What a group adds to the sum over targets, by place. */
static double gain(enum quality q, const struct group *g, uint32_t p)
{
    double place = g->above + (double)p;
    if (q == QUALITY_NDCG)
        return 1 / log2(place + 1);
    if (q == QUALITY_RECALL)
        return 1;
    double others = g->level > 1 ? (g->targets - 1.0) * (p - 1.0) / (g->level - 1.0) : 0;
    return (1 + g->before + others) / place; /* MAP */
}

static double first_hit(enum quality q, const struct group *g)
{
    double none = 1, sum = 0; /* none: no target so far */
    for (uint32_t p = 1; p <= g->within && none > 0; p++) {
        double here = none * g->targets / (g->level - (p - 1.0));
        sum += q == QUALITY_HR ? here : here / (g->above + (double)p);
        none -= here;
    }
    return sum;
}

static double best_sum(enum quality q, uint32_t k, uint32_t count)
{
    uint32_t most = k < count ? k : count;
    double sum = 0;
    if (q == QUALITY_RECALL)
        return count;
    if (q == QUALITY_MAP)
        return most;
    for (uint32_t p = 1; p <= most; p++)
        sum += 1 / log2(p + 1.0);
    return sum;
}

double quality_of(enum quality q, uint32_t k, struct placing *targets, uint32_t count)
{
    struct group g;
    double sum = 0;
    assert(k >= 1 && count >= 1);
    if (count > 1)
        qsort(targets, count, sizeof *targets, compare_placings);
    if (q == QUALITY_HR || q == QUALITY_MRR)
        return next_group(targets, count, k, 0, &g) ? first_hit(q, &g) : 0;
    for (uint32_t at = 0; next_group(targets, count, k, at, &g); at += g.targets)
        for (uint32_t p = 1; p <= g.within; p++)
            sum += gain(q, &g, p) * g.targets / g.level;
    return sum / best_sum(q, k, count);
}

const char *segment_name(enum segment s)
{
    static const char *const names[] = {[SEGMENT_ALL] = "all",
                                        [SEGMENT_CONTEXT_0] = "context_0",
                                        [SEGMENT_CONTEXT_1] = "context_1",
                                        [SEGMENT_CONTEXT_2] = "context_2",
                                        [SEGMENT_CONTEXT_3] = "context_3",
                                        [SEGMENT_CONTEXT_MORE] = "context_4_and_more",
                                        [SEGMENT_NEW_SHOPPER] = "new_shopper",
                                        [SEGMENT_REPEAT] = "repeat",
                                        [SEGMENT_EXPLORE] = "explore",
                                        [SEGMENT_RARE] = "rare_item",
                                        [SEGMENT_HEAD] = "head_item",
                                        [SEGMENT_TAIL] = "tail_item"};
    return names[s];
}

static bool segment_of_targets(enum segment s)
{
    return s >= SEGMENT_REPEAT;
}

static bool asked_in(const struct questions *q, uint32_t question, enum segment s)
{
    const struct span *given = &q->context[question], *history = &q->history[question];
    uint64_t items = given->end - given->begin;
    if (s == SEGMENT_NEW_SHOPPER)
        return history->begin == history->end;
    if (s >= SEGMENT_CONTEXT_0 && s <= SEGMENT_CONTEXT_3)
        return items == (uint64_t)s - SEGMENT_CONTEXT_0;
    return s != SEGMENT_CONTEXT_MORE || items > SEGMENT_CONTEXT_3 - SEGMENT_CONTEXT_0;
}

static bool is_head(const struct split *split, uint32_t item)
{
    return split->rank[item] < split->head_items;
}

static bool had(const struct questions *q, uint32_t question, uint32_t item)
{
    for (uint64_t k = q->history[question].begin; k < q->history[question].end; k++)
        if (q->item[k] == item)
            return true;
    return false;
}

static bool target_in(const struct split *split, uint32_t question, uint32_t target, enum segment s)
{
    if (!segment_of_targets(s))
        return true;
    if (target == TARGET_LOST)
        return false;
    switch (s) {
    case SEGMENT_REPEAT:
        return had(&split->questions, question, target);
    case SEGMENT_EXPLORE:
        return !had(&split->questions, question, target);
    case SEGMENT_RARE:
        return split->train.item_orders[target] < RARE_ORDERS;
    case SEGMENT_HEAD:
        return is_head(split, target);
    default:
        return !is_head(split, target);
    }
}

int quality_values(const struct split *split, const struct ranking *ranking, enum quality q,
                   uint32_t k, enum segment segment, double *values, struct error *err)
{
    const struct questions *all = &split->questions;
    uint64_t most = 0;
    struct placing *part;
    for (uint32_t i = 0; i < all->count; i++)
        if (all->target_start[i + 1] - all->target_start[i] > most)
            most = all->target_start[i + 1] - all->target_start[i];
    if (!MEM_NEW(part, most))
        return error_set(err, ERR_NOMEM, "metrics: out of memory");
    for (uint32_t i = 0; i < all->count; i++) {
        uint32_t count = 0;
        bool in = asked_in(all, i, segment);
        for (uint64_t t = all->target_start[i]; in && t < all->target_start[i + 1]; t++)
            if (target_in(split, i, all->target[t], segment))
                part[count++] = ranking->placing[t];
        values[i] = count ? quality_of(q, k, part, count) : NAN;
    }
    free(part);
    return 0;
}

double mean_of(const double *values, uint32_t count, uint32_t *numbers)
{
    double sum = 0;
    *numbers = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (isnan(values[i]))
            continue;
        sum += values[i];
        ++*numbers;
    }
    return *numbers ? sum / *numbers : 0;
}

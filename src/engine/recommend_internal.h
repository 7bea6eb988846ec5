/* What the stages of an answer share:
 *
 *   context.c     question and history -> context
 *   candidates.c  context -> cells: rows and rules added up per item
 *   blend.c       cells -> candidates with final scores, best first
 *   popular.c     candidates without a context: by popularity or trend
 *   rebuy.c       candidates from the shopper's own history
 *   filters.c     may this item be suggested
 *   diversify.c   which of the best candidates, and in which order
 *   explain.c     why it was */
#ifndef ENGINE_RECOMMEND_INTERNAL_H
#define ENGINE_RECOMMEND_INTERNAL_H

#include "engine/recommend.h"

#include "base/limits.h"
#include "base/topk.h"

#include <math.h>

/* Explaining rules are matched against the last items of a longer context: the number of subsets
 * grows with a power of it, and what matches beyond is mostly the same few popular items. */
#define RULE_CONTEXT_MAX 50

/* Candidates that are sorted at once: those of the largest answer, and as many as a common filter
 * drops. */
#define HEAD_SPARE(limit) ((limit) / 2 + 16)
#define HEAD_MAX          (LIMIT_ANSWER_ITEMS + HEAD_SPARE(LIMIT_ANSWER_ITEMS))

/* Items of a history that make a context: what lies further back changes nothing. */
#define HISTORY_CONTEXT_MAX 50
#define CONTEXT_MAX         (LIMIT_QUERY_ITEMS + HISTORY_CONTEXT_MAX)

/* Items are indices: below model.item_count the model's, above them item_count + x for item x of
 * the fresh orders when the model does not know it.
 *
 * The running score of an item, valid when `stamp` is the request's. Masked items (of the context,
 * mostly) have score +infinity: adding to them changes nothing and they are in no list of
 * candidates. */
struct cell {
    uint32_t stamp;
    float score;
};

struct candidate {
    float score;
    uint32_t item;
};

struct scratch {
    uint32_t item_cap; /* length of the arrays per item */
    uint32_t stamp;
    struct cell *cells;      /* [item_cap] */
    uint32_t *excluded;      /* [item_cap] stamp: excluded */
    struct candidate *found; /* [item_cap + 1] candidates in order of first touch */
    uint32_t context_count, unknown_count, found_count;
    uint32_t masked_count;         /* items with orders that are no candidates */
    uint32_t head_count, head_at;  /* sorted candidates and how many of them were taken */
    bool is_heap;                  /* `found` is the heap of the others */
    uint32_t context[CONTEXT_MAX]; /* distinct known items, newest last */
    float weight[CONTEXT_MAX];     /* what each counts; 1: as much as its rows say */
    uint32_t unknown[LIMIT_QUERY_ITEMS];
    struct sessionknn_scratch *visits; /* NULL until a model with past visits is asked */
    struct topk_entry head[HEAD_MAX];
    struct suggestion items[LIMIT_ANSWER_ITEMS];
};

struct request {
    const struct model *m;
    const struct catalog *c;
    const struct query *q;
    const struct fresh *fresh; /* NULL: none */
    const struct mix *mix;     /* of the surface */
    const struct prior *prior; /* of the mix */
    struct scratch *s;
    struct answer *out;
    struct sessionknn_answer visits; /* what past visits like the context say; count 0: nothing */
    const uint32_t *walk;            /* popular, trending: items left to try, best first */
    uint32_t walk_count;
    uint32_t fresh_at; /* popular: the next of the fresh orders' items */
};

static inline bool is_masked(const struct scratch *s, uint32_t item)
{
    return s->cells[item].stamp == s->stamp && isinf(s->cells[item].score);
}

static inline bool is_new(const struct request *r, uint32_t item)
{
    return item >= r->m->item_count;
}

/* The item's fresh orders; NULL: none. */
static inline const struct fresh_item *fresh_item_of(const struct request *r, uint32_t item)
{
    if (!r->fresh)
        return NULL;
    uint32_t x = is_new(r, item) ? item - r->m->item_count : fresh_find(r->fresh, r->m->slot[item]);
    return x == FRESH_NONE ? NULL : &r->fresh->items[x];
}

static inline uint32_t item_slot(const struct request *r, uint32_t item)
{
    return is_new(r, item) ? r->fresh->items[item - r->m->item_count].slot : r->m->slot[item];
}

/* Orders of all time, fresh ones too. */
static inline uint32_t item_orders(const struct request *r, uint32_t item)
{
    const struct fresh_item *fresh = fresh_item_of(r, item);
    return (is_new(r, item) ? 0 : r->m->popularity.orders_all[item]) + (fresh ? fresh->orders : 0);
}

static inline uint32_t item_orders_28d(const struct request *r, uint32_t item)
{
    const struct fresh_item *fresh = fresh_item_of(r, item);
    return (is_new(r, item) ? 0 : r->m->popularity.orders_28d[item]) +
           (fresh ? fresh->orders_28d : 0);
}

/* The tie order: new items come last. */
static inline uint32_t item_rank(const struct request *r, uint32_t item)
{
    return is_new(r, item) ? UINT32_MAX : r->m->popularity.rank[item];
}

/* Catalogue entries are read in random order: ask for those a few steps ahead. */
#define CATALOG_AHEAD 8
static inline void prefetch_entry(const struct request *r, uint32_t item)
{
    uint32_t slot = item_slot(r, item);
    __builtin_prefetch(r->c->items + (slot < r->c->count ? slot : 0));
}

/* Where decay has come to less than this, what an item adds is not felt. */
#define DECAY_LEAST 1e-3f

/* Items of the context that count in a matrix: the newest, until decay^t < DECAY_LEAST. */
static inline uint32_t decayed_length(const struct request *r, enum matrix_kind kind)
{
    float decay = r->mix->decay[kind];
    uint32_t count = r->s->context_count;
    if (decay >= 1)
        return count;
    float most = floorf(logf(DECAY_LEAST) / logf(decay)) + 1;
    return most < (float)count ? (uint32_t)most : count;
}

/* What an entry of the row of the context item t steps from the end counts in the score. */
static inline float entry_scale(const struct request *r, enum matrix_kind kind, uint32_t t)
{
    float decay = r->mix->decay[kind];
    float weight = r->mix->weight[kind] * r->s->weight[r->s->context_count - 1 - t];
    return weight * (decay < 1 ? powf(decay, (float)t) : 1);
}

/* The same of what fresh orders add to that item's cosines. */
static inline float fresh_scale(const struct request *r, uint32_t t)
{
    float scale = 0;
    for (int k = 0; k < MATRIX_COUNT; k++)
        if (r->mix->weight[k] > 0 && t < decayed_length(r, (enum matrix_kind)k))
            scale += entry_scale(r, (enum matrix_kind)k, t) * r->fresh->scale[k];
    return scale;
}

/* What past visits add to the score of an item of the model; there is an answer. */
static inline float neighbours_score(const struct request *r, uint32_t item)
{
    return r->mix->neighbours * r->visits.score[item] / r->visits.most;
}

/* context.c: the scratch's context, masked and excluded items. */
void find_context(struct request *r);

/* The known shopper's purchases of items of the model, newest first, with what each counts in the
 * score; none where the mix does without habit, or none of them may be answered. */
struct habit_walk {
    uint32_t left, item;
    float weight;
};

static inline struct habit_walk habit_begin(const struct request *r)
{
    bool answerable = r->q->surface == SURFACE_BASKET ||
                      (r->q->surface == SURFACE_PERSONAL && r->q->bought_included);
    bool counts = answerable && r->q->shopper && r->mix->habit > 0;
    return (struct habit_walk){.left = counts ? r->q->shopper->line_count : 0,
                               .weight = r->mix->habit};
}

static inline bool habit_next(const struct request *r, struct habit_walk *w)
{
    while (w->left > 0) {
        const struct purchase *line = &r->q->shopper->lines[--w->left];
        bool older = w->left + 1 < r->q->shopper->line_count && line[0].time_s != line[1].time_s;
        w->weight *= older ? r->mix->habit_decay : 1;
        w->item = model_item_of_slot(r->m, line->slot);
        if (w->item != DICT_NONE)
            return true;
    }
    return false;
}

/* candidates.c: the scratch's cells and the items of `found` (scores not yet set). */
void gather_rows(struct request *r);

/* blend.c: final scores; then the best one left, false: none. */
void blend_candidates(struct request *r);
bool blend_next(struct request *r, struct candidate *out);

/* popular.c: sets `walk`, returns the number of candidates; then one after the other. */
uint32_t popular_begin(struct request *r);
uint32_t trending_begin(struct request *r);
bool popular_next(struct request *r, struct candidate *out);
bool trending_next(struct request *r, struct candidate *out);

/* rebuy.c: the answer's items, best first; and the `because` of each. */
void fill_rebuy(struct request *r);
void explain_rebuy(struct request *r);
void explain_habit(const struct request *r, struct suggestion *to); /* of one bought before */

/* filters.c: the first reason against it; DROP_COUNT: none. By slot: but for exclusion. */
enum drop filter_drop(const struct request *r, uint32_t item);
enum drop filter_drop_slot(const struct request *r, uint32_t slot);

/* diversify.c: how many candidates to take; then reduces them to the answer. The cells' scores are
 * gone afterwards. */
uint32_t diversify_pool(const struct query *q);
void diversify(struct request *r);

/* Once candidates are final, the cell of one that is answered holds its place instead of a score:
 * place x as -1 - x, since scores are never below 0. */
#define NOT_ANSWERED UINT32_MAX
static inline void mark_place(struct scratch *s, uint32_t item, uint32_t x)
{
    s->cells[item] = (struct cell){s->stamp, -1.0f - (float)x};
}
static inline uint32_t place_of(const struct scratch *s, uint32_t item)
{
    struct cell cell = s->cells[item];
    return cell.stamp == s->stamp && cell.score < 0 ? (uint32_t)(-cell.score) - 1 : NOT_ANSWERED;
}

/* explain.c: fills the `because` of all suggestions; `answered`: the surface they came from. The
 * cells' scores are gone afterwards. */
void explain_answer(struct request *r, enum surface answered);

#endif

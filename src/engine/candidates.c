/* From the context to scored cells: a sparse vector-matrix product into a dense accumulator.
 *
 *     score(j) = prior(j) + sum over matrices m, context items i:  weight_m decay_m^t rows_m[i][j],
 *
 * i standing t steps from the end of the context; a basket of a known shopper adds their habit: of
 * each earlier order with j, the newest counting `habit`, and so does what is personal to them
 * where it may repeat what they bought; a session adds what past visits like it say. Fresh orders
 * add to that what they have changed. A cell's stamp tells whether it belongs to this request, so
 * nothing is cleared between requests; the first touch appends the item to the list of candidates.
 * Cost: one random 8-byte cell per entry of the context's rows. */
#include "recommend_internal.h"

static void touch(const struct request *r, uint32_t item, float score)
{
    struct scratch *s = r->s;
    const float *prior = is_new(r, item) ? NULL : r->prior->of_item;
    s->cells[item] = (struct cell){s->stamp, prior ? prior[item] + score : score};
    s->found[s->found_count++].item = item;
}

static void add(const struct request *r, uint32_t item, float score)
{
    struct cell *cell = &r->s->cells[item];
    if (cell->stamp != r->s->stamp)
        touch(r, item, score);
    else
        cell->score += score;
}

/* Whether an item was touched before is as good as chance, so it is no branch: it chooses what the
 * entry is added to, and whether the place in the list stays. */
static void add_row(const struct request *r, const struct csr *rows, uint32_t item, float scale)
{
    struct scratch *s = r->s;
    const float *prior = r->prior->of_item;
    uint32_t stamp = s->stamp, found = s->found_count;
    if (is_new(r, item))
        return;
    for (uint64_t e = rows->start[item]; e < rows->start[item + 1]; e++) {
        uint32_t j = rows->column[e];
        struct cell *cell = &s->cells[j];
        bool touched = cell->stamp == stamp;
        const float sums[] = {prior ? prior[j] : 0, cell->score};
        s->found[found].item = j;
        found += !touched;
        *cell = (struct cell){stamp, sums[touched] + scale * rows->value[e]};
    }
    s->found_count = found;
}

/* A row is a few hundred bytes anywhere in a matrix far larger than the caches: it is fetched while
 * the one before it is added. */
static void prefetch_row(const struct csr *rows, uint32_t item)
{
    const uint64_t end = rows->start[item + 1], per_line = 64 / sizeof *rows->column;
    for (uint64_t e = rows->start[item]; e < end; e += per_line) {
        __builtin_prefetch(rows->column + e);
        __builtin_prefetch(rows->value + e);
    }
}

/* From the newest item back, until decay has left nothing worth adding. */
static void gather_matrix(const struct request *r, enum matrix_kind kind)
{
    const struct scratch *s = r->s;
    const struct csr *rows = &r->m->matrices[kind].rows;
    uint32_t count = decayed_length(r, kind);
    for (uint32_t t = 0; t < count; t++) {
        uint32_t x = s->context_count - 1 - t;
        if (t + 1 < count && !is_new(r, s->context[x - 1]))
            prefetch_row(rows, s->context[x - 1]);
        add_row(r, rows, s->context[x], entry_scale(r, kind, t));
    }
}

/* What fresh orders add to the cosines of a context item, as if its rows had it. */
static void add_fresh(const struct request *r, const struct fresh_item *item, float scale)
{
    for (uint32_t n = 0; n < item->partner_count; n++) {
        const struct fresh_partner *partner = &item->partners[n];
        uint32_t other = r->fresh->items[partner->other].item;
        float gain = scale * fresh_gain(r->fresh, item, partner);
        if (!(gain > 0))
            continue;
        if (other == DICT_NONE)
            other = r->m->item_count + partner->other;
        add(r, other, gain);
    }
}

static void gather_fresh(const struct request *r)
{
    const struct scratch *s = r->s;
    for (uint32_t t = 0; t < s->context_count; t++) {
        const struct fresh_item *item = fresh_item_of(r, s->context[s->context_count - 1 - t]);
        if (item && item->partner_count)
            add_fresh(r, item, fresh_scale(r, t));
    }
}

/* What the shopper bought before, newer orders counting more. */
static void add_habit(const struct request *r)
{
    for (struct habit_walk w = habit_begin(r); habit_next(r, &w);)
        add(r, w.item, w.weight);
}

static void add_neighbours(struct request *r)
{
    const struct scratch *s = r->s;
    uint32_t known[CONTEXT_MAX], count = 0;
    if (!r->m->neighbours.start || !(r->mix->neighbours > 0))
        return;
    for (uint32_t x = 0; x < s->context_count; x++)
        if (!is_new(r, s->context[x]))
            known[count++] = s->context[x];
    sessionknn_ask(&r->m->neighbours, known, count, s->visits, &r->visits);
    for (uint32_t x = 0; x < r->visits.count; x++) {
        uint32_t item = r->visits.item[x];
        add(r, item, neighbours_score(r, item));
    }
}

/* What sells best competes also where no row reaches it. */
static void add_popular(const struct request *r)
{
    const struct prior *prior = r->prior;
    for (uint32_t x = 0; x < prior->best_count; x++)
        if (r->s->cells[prior->best[x]].stamp != r->s->stamp)
            touch(r, prior->best[x], 0);
}

void gather_rows(struct request *r)
{
    for (int k = 0; k < MATRIX_COUNT; k++)
        if (r->mix->weight[k] > 0)
            gather_matrix(r, (enum matrix_kind)k);
    if (r->fresh)
        gather_fresh(r);
    add_habit(r);
    add_neighbours(r);
    add_popular(r);
}

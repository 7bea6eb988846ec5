/* What must hold of a model's stored sections, whoever made them. Array lengths are the loader's to
 * get right; here each index is checked before it is used, so that damaged bytes are found and
 * never followed. Cost: one pass over every section. */
#include "model_internal.h"

#include "base/mem.h"
#include "learn/combine.h"

#include <math.h>
#include <stdlib.h>

static int corrupt(struct error *err, const char *what)
{
    return error_set(err, ERR_CORRUPT, "model: %s", what);
}

static int check_items(const struct model *m, struct error *err)
{
    if (m->item_count == 0 || m->item_count == DICT_NONE || m->basket_count == 0)
        return corrupt(err, "no items or no baskets");
    if (m->items.count != m->item_count || !m->items.offsets || !m->slot)
        return corrupt(err, "the item sections differ in length");
    for (uint32_t i = 0; i < m->item_count; i++) {
        const char *problem = id_problem(dict_name(&m->items, i));
        if (problem)
            return error_set(err, ERR_CORRUPT, "model: id of item %u: %s", i, problem);
        if (m->slot[i] == 0 || m->slot[i] == UINT32_MAX || (i && m->slot[i] <= m->slot[i - 1]))
            return error_set(err, ERR_CORRUPT, "model: catalogue slot of item %u", i);
    }
    return 0;
}

static bool rank_before(const struct popularity *p, uint32_t a, uint32_t b)
{
    if (p->orders_28d[a] != p->orders_28d[b])
        return p->orders_28d[a] > p->orders_28d[b];
    return p->orders_all[a] >= p->orders_all[b];
}

/* Fast risers first, items not sold in the last 7 days behind all others. */
static bool trend_before(const struct popularity *p, uint32_t a, uint32_t b)
{
    bool sold_a = p->orders_7d[a] > 0, sold_b = p->orders_7d[b] > 0;
    return sold_a != sold_b ? sold_a : p->trend[a] >= p->trend[b];
}

static int check_popularity(const struct model *m, struct error *err)
{
    const struct popularity *p = &m->popularity;
    uint32_t n = m->item_count;
    if (p->item_count != n || !p->orders_all || !p->orders_28d || !p->orders_7d || !p->trend ||
        !p->rank || !p->by_rank || !p->by_trend)
        return corrupt(err, "popularity is incomplete");
    for (uint32_t i = 0; i < n; i++) {
        if (p->orders_7d[i] > p->orders_28d[i] || p->orders_28d[i] > p->orders_all[i] ||
            p->orders_all[i] > m->basket_count || !isfinite(p->trend[i]))
            return error_set(err, ERR_CORRUPT, "model: popularity of item %u", i);
        /* rank[by_rank[x]] == x for every x makes both permutations. */
        if (p->by_rank[i] >= n || p->rank[p->by_rank[i]] != i ||
            (i && !rank_before(p, p->by_rank[i - 1], p->by_rank[i])))
            return error_set(err, ERR_CORRUPT, "model: popularity rank %u", i);
    }
    for (uint32_t i = 0; i < n; i++)
        if (p->by_trend[i] >= n || (i && !trend_before(p, p->by_trend[i - 1], p->by_trend[i])))
            return error_set(err, ERR_CORRUPT, "model: trend rank %u", i);
    return 0;
}

/* by_trend may tie, so its being a permutation needs a mark per item. */
static int check_permutation(const uint32_t *items, uint32_t count, struct error *err)
{
    unsigned char *seen;
    if (!MEM_ZNEW(seen, count))
        return error_set(err, ERR_NOMEM, "model: out of memory");
    bool repeated = false;
    for (uint32_t i = 0; i < count; i++) {
        repeated = repeated || seen[items[i]];
        seen[items[i]] = 1;
    }
    free(seen);
    return repeated ? corrupt(err, "an item stands twice in the trend order") : 0;
}

static int check_rules(const struct model *m, struct error *err)
{
    if (m->rules.basket_count != m->basket_count)
        return corrupt(err, "the rules count other baskets");
    return rules_check(&m->rules, m->item_count, err);
}

/* What counts an item for a matrix: an entry's evidence is within both items' own. */
static const uint32_t *counts_of(const struct model *m, enum matrix_kind kind)
{
    bool of_orders = kind == MATRIX_ORDERS || kind == MATRIX_ALIKE;
    if (kind == MATRIX_VISITS)
        return m->visits;
    return of_orders ? m->popularity.orders_all : m->buyers;
}

/* Units that have one of the two items are at most all; those that have one after the other are not
 * all that have both. */
static bool evidence_is_good(const struct model *m, enum matrix_kind kind, uint32_t both,
                             uint64_t of_i, uint64_t of_j)
{
    uint32_t all = kind == MATRIX_SHOPPERS ? m->user_count : m->basket_count;
    if ((both == 0 && kind != MATRIX_SHOPPERS) || both > of_i || both > of_j)
        return false;
    return kind == MATRIX_NEXT || kind == MATRIX_VISITS || of_i + of_j - both <= all;
}

static bool row_is_good(const struct model *m, enum matrix_kind kind, uint32_t i, uint32_t *seen)
{
    const struct matrix *s = &m->matrices[kind];
    const struct csr *rows = &s->rows;
    const uint32_t *counts = counts_of(m, kind);
    for (uint64_t e = rows->start[i]; e < rows->start[i + 1]; e++) {
        uint32_t j = rows->column[e];
        if (j == i || seen[j] == i + 1 || !(fabsf(rows->value[e]) <= ROWS_WEIGHT_MAX) ||
            !evidence_is_good(m, kind, s->both[e], counts[i], counts[j]) ||
            (e > rows->start[i] && rows->value[e] > rows->value[e - 1]))
            return false;
        seen[j] = i + 1;
    }
    return true;
}

static int check_matrix(const struct model *m, enum matrix_kind kind, struct error *err)
{
    const struct matrix *s = &m->matrices[kind];
    if (s->rows.rows != m->item_count || s->rows.cols != m->item_count)
        return error_set(err, ERR_CORRUPT, "model: rows of %s: wrong shape", matrix_name(kind));
    int rc = csr_check(&s->rows, err);
    if (rc)
        return rc;
    if (csr_entries(&s->rows) == 0)
        return 0;
    if (!s->rows.value || !s->both)
        return error_set(err, ERR_CORRUPT, "model: rows of %s: no values", matrix_name(kind));
    uint32_t *seen;
    if (!MEM_ZNEW(seen, m->item_count))
        return error_set(err, ERR_NOMEM, "model: out of memory");
    uint32_t i = 0;
    while (i < m->item_count && row_is_good(m, kind, i, seen))
        i++;
    free(seen);
    if (i < m->item_count)
        return error_set(err, ERR_CORRUPT, "model: rows of %s: row %u", matrix_name(kind), i);
    return 0;
}

static int check_recipe(const struct model *m, struct error *err)
{
    const char *what;
    if (!recipe_valid(&m->recipe, &what))
        return error_set(err, ERR_CORRUPT, "model: recipe: %s", what);
    for (uint32_t i = 0; i < m->item_count; i++)
        if (m->buyers[i] > m->user_count || m->visits[i] > m->visit_count)
            return error_set(err, ERR_CORRUPT, "model: buyers or visits of item %u", i);
    return 0;
}

static bool repeats_are_good(const struct repeat_model *r)
{
    bool good = r->usual_gap_days > 0 && isfinite(r->usual_gap_days) && r->usual_rate > 0 &&
                r->usual_rate <= 1 && isfinite(r->no_demand) && isfinite(r->bias);
    for (int f = 0; f < REPEAT_FEATURES; f++)
        good = good && isfinite(r->weight[f]);
    for (uint32_t i = 0; good && i < r->item_count; i++)
        good = r->gap_days[i] > 0 && isfinite(r->gap_days[i]) && r->rate[i] > 0 &&
               r->rate[i] <= 1 && isfinite(r->demand[i]);
    return good;
}

static int check_vectors(const struct model *m, struct error *err)
{
    const struct embeddings *v = &m->vectors;
    if (v->dimensions == 0)
        return 0;
    if (v->item_count != m->item_count || !v->in || !v->out)
        return corrupt(err, "the embeddings are incomplete");
    uint64_t count = (uint64_t)v->item_count * v->dimensions;
    for (uint64_t x = 0; x < count; x++)
        if (!isfinite(v->in[x]) || !isfinite(v->out[x]))
            return corrupt(err, "an embedding is not finite");
    return 0;
}

static int check_neighbours(const struct model *m, struct error *err)
{
    const struct sessionknn *k = &m->neighbours;
    if (k->session_count == 0)
        return 0;
    bool good = k->start && k->item && k->item_count == m->item_count && k->start[0] == 0;
    for (uint32_t s = 0; good && s < k->session_count; s++)
        good = k->start[s] < k->start[s + 1];
    for (uint64_t x = 0; good && x < k->start[k->session_count]; x++)
        good = (k->item[x] & ~SESSIONKNN_AGAIN) < k->item_count;
    return good ? 0 : corrupt(err, "the past visits are not of its items");
}

int model_check(const struct model *m, struct error *err)
{
    int rc = check_items(m, err);
    if (rc)
        return rc;
    rc = check_popularity(m, err);
    if (rc)
        return rc;
    rc = check_permutation(m->popularity.by_trend, m->item_count, err);
    if (rc)
        return rc;
    rc = check_rules(m, err);
    if (rc)
        return rc;
    rc = check_recipe(m, err);
    for (int k = 0; k < MATRIX_COUNT && rc == 0; k++)
        rc = check_matrix(m, (enum matrix_kind)k, err);
    if (rc)
        return rc;
    if (m->repeat.item_count != m->item_count || !repeats_are_good(&m->repeat))
        return corrupt(err, "what is bought again is not told by numbers in their range");
    rc = check_neighbours(m, err);
    return rc ? rc : check_vectors(m, err);
}

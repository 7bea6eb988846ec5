/* Lifetime of the model. Loops, the trainer and slow requests share one by counted references; the
 * last to let go frees it, in whatever thread that is. Nothing is written after model_seal but the
 * count. */
#include "engine/model.h"

#include "base/mem.h"
#include "base/topk.h"
#include "model_internal.h"

#include <assert.h>
#include <stdlib.h>

struct model *model_new(struct error *err)
{
    struct model *m;
    if (!MEM_ZNEW(m, 1)) {
        error_set(err, ERR_NOMEM, "model: out of memory");
        return NULL;
    }
    atomic_init(&m->refs, 1);
    strmap_init(&m->items.map);
    return m;
}

static void model_free(struct model *m)
{
    dict_deinit(&m->items);
    free(m->slot);
    popularity_deinit(&m->popularity);
    rules_deinit(&m->rules);
    for (int k = 0; k < MATRIX_COUNT; k++) {
        csr_deinit(&m->matrices[k].rows);
        free(m->matrices[k].both);
    }
    for (int k = 0; k < MIX_COUNT; k++) {
        free(m->priors[k].of_item);
        free(m->priors[k].best);
    }
    free(m->buyers);
    free(m->visits);
    repeat_deinit(&m->repeat);
    sessionknn_deinit(&m->neighbours);
    embeddings_deinit(&m->vectors);
    ruletrie_deinit(&m->trie);
    strong_rules_deinit(&m->strong);
    for (int k = 0; k < SORT_COUNT_OF; k++)
        free(m->rule_order[k]);
    free(m);
}

struct model *model_ref(struct model *m)
{
    unsigned before = atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    assert(before > 0);
    return m;
}

void model_unref(struct model *m)
{
    if (!m)
        return;
    /* Release: what this thread did with the model is done before another thread frees it. */
    unsigned before = atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before == 1)
        model_free(m);
}

uint32_t model_item_of_slot(const struct model *m, uint32_t slot)
{
    uint32_t low = 0, high = m->item_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (m->slot[middle] < slot)
            low = middle + 1;
        else
            high = middle;
    }
    return low < m->item_count && m->slot[low] == slot ? low : DICT_NONE;
}

/* A matrix nobody made answers with empty rows, so that readers need no special case. */
static int complete_matrices(struct model *m, struct error *err)
{
    for (int k = 0; k < MATRIX_COUNT; k++) {
        struct csr *rows = &m->matrices[k].rows;
        int rc = rows->start ? 0 : csr_alloc(rows, m->item_count, m->item_count, 0, 1, err);
        if (rc)
            return rc;
    }
    if ((!m->buyers && !MEM_ZNEW(m->buyers, m->item_count)) ||
        (!m->visits && !MEM_ZNEW(m->visits, m->item_count)))
        return error_set(err, ERR_NOMEM, "model: out of memory");
    return m->repeat.gap_days ? 0 : repeat_defaults(m->item_count, &m->repeat, err);
}

/* Without sessions there is none of it; of a stored model only the sessions are. */
static int complete_neighbours(struct model *m, struct error *err)
{
    if (m->neighbours.session_count == 0)
        sessionknn_deinit(&m->neighbours);
    if (!m->neighbours.start || m->neighbours.by_start)
        return 0;
    return sessionknn_index(&m->neighbours, err);
}

static int build_prior(const struct model *m, const struct mix *mix, struct prior *out,
                       struct error *err)
{
    const struct popularity *p = &m->popularity;
    uint32_t n = m->item_count;
    struct topk best;
    struct topk_entry entries[PRIOR_BEST_MAX];
    if (mix->popular == 0 && mix->recent == 0)
        return 0;
    out->best_count = n < PRIOR_BEST_MAX ? n : PRIOR_BEST_MAX;
    if (!MEM_NEW(out->of_item, n) || !MEM_NEW(out->best, out->best_count))
        return error_set(err, ERR_NOMEM, "model: out of memory");
    popularity_prior(p, mix->popular, mix->recent, out->of_item);
    topk_init(&best, entries, out->best_count);
    for (uint32_t i = 0; i < n; i++)
        topk_offer(&best, i, out->of_item[i], p->rank[i]);
    topk_sort(&best);
    for (uint32_t x = 0; x < out->best_count; x++)
        out->best[x] = entries[x].item;
    return 0;
}

static uint32_t count_popular(const struct popularity *p)
{
    uint32_t count = p->item_count;
    while (count > 0 && p->orders_all[p->by_rank[count - 1]] == 0)
        count--;
    return count;
}

static uint32_t count_trending(const struct popularity *p)
{
    uint32_t count = 0;
    while (count < p->item_count && p->orders_7d[p->by_trend[count]] > 0 &&
           p->trend[p->by_trend[count]] > 0)
        count++;
    return count;
}

int model_seal(struct model *m, struct error *err)
{
    int rc = complete_matrices(m, err);
    if (rc)
        return rc;
    rc = model_check(m, err);
    if (rc)
        return rc;
    rc = complete_neighbours(m, err);
    if (rc)
        return rc;
    m->popular_count = count_popular(&m->popularity);
    for (int k = 0; k < MIX_COUNT && rc == 0; k++)
        rc = build_prior(m, &m->recipe.mixes[k], &m->priors[k], err);
    if (rc)
        return rc;
    m->trending_count = count_trending(&m->popularity);
    rc = ruletrie_build(&m->rules, m->item_count, &m->trie, err);
    if (rc)
        return rc;
    rc = strong_rules_build(m, err);
    if (rc)
        return rc;
    return rule_orders_build(m, err);
}

/* Lifetime of the model. Loops, the trainer and slow requests share one by counted references; the
 * last to let go frees it, in whatever thread that is. Nothing is written after model_seal but the
 * count. */
#include "engine/model.h"

#include "base/mem.h"
#include "model_internal.h"

#include <assert.h>
#include <stdlib.h>

const char *source_name(enum source_kind kind)
{
    static const char *const names[] = {"llr", "cosine", "sgns"};
    _Static_assert(sizeof names / sizeof *names == SOURCE_COUNT, "one name per source");
    assert(kind < SOURCE_COUNT);
    return names[kind];
}

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
    for (int k = 0; k < SOURCE_COUNT; k++) {
        csr_deinit(&m->sources[k].rows);
        free(m->sources[k].both);
    }
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

/* A source nobody trained answers with empty rows, so that readers need no special case. */
static int complete_sources(struct model *m, struct error *err)
{
    for (int k = 0; k < SOURCE_COUNT; k++) {
        struct source *s = &m->sources[k];
        if (s->rows.start)
            continue;
        int rc = csr_alloc(&s->rows, m->item_count, m->item_count, 0, 1, err);
        if (rc)
            return rc;
    }
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
    int rc = complete_sources(m, err);
    if (rc)
        return rc;
    rc = model_check(m, err);
    if (rc)
        return rc;
    m->popular_count = count_popular(&m->popularity);
    m->trending_count = count_trending(&m->popularity);
    rc = ruletrie_build(&m->rules, m->item_count, &m->trie, err);
    if (rc)
        return rc;
    rc = strong_rules_build(m, err);
    if (rc)
        return rc;
    return rule_orders_build(m, err);
}

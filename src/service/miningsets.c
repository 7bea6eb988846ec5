/* Sets are written as they are found unless a budget asks for the most frequent ones, which are
 * known only at the end. */
#include "mining_internal.h"

#include "base/mem.h"
#include "service/shardlines.h"

#include <stdlib.h>

/* Set numbers by descending support: counted, as supports are small numbers. */
static int order_by_support(const struct itemsets *sets, uint32_t **order, struct error *err)
{
    uint32_t *begin;
    MEM_ZNEW(begin, (size_t)sets->basket_count + 2);
    MEM_NEW(*order, sets->count);
    if (!begin || !*order) {
        free(begin);
        return error_set(err, ERR_NOMEM, "out of memory");
    }
    for (uint64_t s = 0; s < sets->count; s++)
        begin[sets->basket_count - sets->support[s] + 1]++;
    for (uint32_t b = 0; b < sets->basket_count; b++)
        begin[b + 1] += begin[b];
    for (uint64_t s = 0; s < sets->count; s++)
        (*order)[begin[sets->basket_count - sets->support[s]]++] = (uint32_t)s;
    free(begin);
    return 0;
}

static int write_kept(struct mining *m, struct setwriter *writer, struct error *err)
{
    struct itemset_params params = m->params;
    struct itemsets sets;
    uint32_t *order = NULL;
    if (m->request->top && (!params.max_itemsets || params.max_itemsets > m->request->top))
        params.max_itemsets = m->request->top;
    else if (!params.max_itemsets)
        params.max_itemsets = UINT32_MAX - 1;
    int rc = itemsets_mine(&m->baskets.rows, &params, &sets, err);
    if (rc)
        return rc;
    m->report->support = sets.min_support;
    m->report->raised = sets.raised;
    if (m->request->top)
        rc = order_by_support(&sets, &order, err);
    if (rc == 0)
        rc = setwriter_sets(writer, &sets, order, err);
    free(order);
    itemsets_deinit(&sets);
    return rc;
}

/* One group of sets after the other where the input is shards. */
static int visit(struct mining *m, const struct csr *rows, const struct itemset_params *params,
                 struct setwriter *writer, struct error *err)
{
    uint64_t count = 0;
    if (writer) {
        struct itemset_visitor visitor = setwriter_visitor(writer);
        return itemsets_visit(rows, params, &visitor, err);
    }
    int rc = itemsets_count(rows, params, &count, err);
    m->report->results =
        count > UINT64_MAX - m->report->results ? UINT64_MAX : m->report->results + count;
    return rc;
}

static int mine_shards(struct mining *m, struct setwriter *writer, struct error *err)
{
    struct shardlines lines;
    struct itemset_params params = m->params;
    int rc = shardlines_init(&lines, m->lines.text, m->flist.shards, m->flist.items.rows.cols, err);
    while (rc == 0) {
        rc = shardlines_next(&lines, m->request->one_group ? &m->request->group : NULL, err);
        if (rc || lines.ended)
            break;
        params.shard = lines.group;
        m->report->entries += csr_entries(&lines.rows);
        rc = visit(m, &lines.rows, &params, writer, err);
    }
    shardlines_deinit(&lines);
    return rc;
}

int mining_sets(struct mining *m, struct laneout *out, struct error *err)
{
    const struct mining_request *q = m->request;
    struct setwriter *writer = NULL;
    if (out) {
        const struct setwriter_options options = {.items = mining_items(m),
                                                  .column = m->flist.column,
                                                  .basket_count = m->report->baskets,
                                                  .format = m->format,
                                                  .sorted = q->sorted || q->flist || q->groups,
                                                  .progress = q->progress};
        writer = setwriter_new(out, &options, err);
        if (!writer)
            return ERR_NOMEM;
    }
    int rc;
    if (writer && (q->max_itemsets || q->memory_bytes || q->top))
        rc = write_kept(m, writer, err);
    else if (q->flist)
        rc = mine_shards(m, writer, err);
    else
        rc = visit(m, &m->baskets.rows, &m->params, writer, err);
    if (writer)
        m->report->results = setwriter_count(writer);
    setwriter_free(writer);
    return rc;
}

/* Sets are written as they are found unless the best are asked for or a budget is set: those are
 * known only at the end. */
#include "mining_internal.h"

#include "service/shardlines.h"

#include <stdlib.h>

static int write_best(struct mining *m, struct setwriter *writer, struct error *err)
{
    const struct mining_request *q = m->request;
    struct itemsets sets;
    if (!q->support && q->support_share <= 0 && !set_measure_proves(q->by_set)) {
        error_set(err, ERR_INVALID,
                  "--by %s needs --support: by it the rarest coincidences are the best",
                  set_measure_name(q->by_set));
        return mining_bad_request(m, err);
    }
    int rc = topsets_mine(&m->baskets.rows, &m->params, q->by_set, (uint32_t)q->top, &sets, err);
    if (rc)
        return rc;
    rc = setwriter_sets(writer, &sets, err);
    itemsets_deinit(&sets);
    return rc;
}

static int write_kept(struct mining *m, struct setwriter *writer, struct error *err)
{
    struct itemset_params params = m->params;
    struct itemsets sets;
    if (!params.max_itemsets)
        params.max_itemsets = UINT32_MAX - 1;
    int rc = itemsets_mine(&m->baskets.rows, &params, &sets, err);
    if (rc)
        return rc;
    m->report->support = sets.min_support;
    m->report->raised = sets.raised;
    rc = setwriter_sets(writer, &sets, err);
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
    if (writer && q->top)
        rc = write_best(m, writer, err);
    else if (writer && (q->max_itemsets || q->memory_bytes))
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

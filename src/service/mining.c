/* Read, find out what the request means for these baskets, mine and write. */
#include "mining_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "service/groupfile.h"
#include "service/outfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int mining_bad_request(struct mining *m, struct error *err)
{
    m->report->usage = true;
    return err ? err->code : (int)ERR_INVALID;
}

static int choose_support(struct mining *m, struct error *err)
{
    const struct mining_request *q = m->request;
    int rc = 0;
    if (q->flist)
        m->params.min_support = m->flist.support;
    else
        rc = support_in_baskets(q->support_share, q->support, m->report->baskets,
                                &m->params.min_support, err);
    m->report->usage = rc != 0;
    m->report->support = m->params.min_support;
    return rc;
}

static int choose_shard(struct mining *m, struct error *err)
{
    const struct mining_request *q = m->request;
    m->params.ranked = q->flist != NULL;
    if (!q->flist)
        m->params.shards = q->groups;
    m->params.shard = q->group;
    if (!q->one_group || q->group < m->params.shards)
        return 0;
    error_set(err, ERR_INVALID, "--group %u: the groups are 0 to %u", q->group,
              m->params.shards - 1);
    return mining_bad_request(m, err);
}

const struct baskets *mining_items(const struct mining *m)
{
    return m->request->flist ? &m->flist.items : &m->baskets;
}

static uint32_t find_item(const struct mining *m, struct str name)
{
    uint32_t column = baskets_find(mining_items(m), name);
    if (!m->request->flist || column == DICT_NONE)
        return column;
    for (uint32_t rank = 0;; rank++)
        if (m->flist.column[rank] == column)
            return rank;
}

int mining_find_items(struct mining *m, const char *option, const char *const *names,
                      uint32_t **out, uint32_t *count, struct error *err)
{
    for (*count = 0; names && names[*count];)
        ++*count;
    if (*count == 0)
        return 0;
    if (!MEM_NEW(*out, *count))
        return error_set(err, ERR_NOMEM, "out of memory");
    for (uint32_t i = 0; i < *count; i++) {
        (*out)[i] = find_item(m, str_of(names[i]));
        if ((*out)[i] != DICT_NONE)
            continue;
        error_set(err, ERR_INVALID, "--%s: no basket has an item '%s'", option, names[i]);
        return mining_bad_request(m, err);
    }
    return 0;
}

static int choose_params(struct mining *m, struct error *err)
{
    const struct mining_request *q = m->request;
    m->format = q->output_format;
    if (m->format == TEXT_AUTO)
        m->format = m->report->input.format == FORMAT_FIMI ? TEXT_FIMI : TEXT_TSV;
    m->params = (struct itemset_params){.target = q->target,
                                        .min_length = q->min_length,
                                        .max_length = q->max_length ? q->max_length : UINT32_MAX,
                                        .max_itemsets = q->max_itemsets,
                                        .max_bytes = q->memory_bytes,
                                        .threads = q->threads,
                                        .progress = q->progress};
    if (q->flist)
        m->params.shards = m->flist.shards;
    int rc = choose_support(m, err);
    if (rc == 0)
        rc = choose_shard(m, err);
    if (rc == 0)
        rc = mining_find_items(m, "with", q->with, &m->with, &m->params.with_count, err);
    if (rc == 0)
        rc =
            mining_find_items(m, "without", q->without, &m->without, &m->params.without_count, err);
    m->params.with = m->with;
    m->params.without = m->without;
    m->params.parent = m->parent;
    return rc;
}

static int count_items(struct mining *m, struct error *err)
{
    const struct csr *rows = &m->baskets.rows;
    bool *seen;
    if (!MEM_ZNEW(seen, rows->cols))
        return error_set(err, ERR_NOMEM, "out of memory");
    for (uint64_t e = 0; e < csr_entries(rows); e++)
        seen[rows->column[e]] = true;
    for (uint32_t c = 0; c < rows->cols; c++)
        m->report->items += seen[c];
    free(seen);
    return 0;
}

/* The items are those of the F-list; the lines are taken group by group while mining. In a pipe
 * `basketd shard` is writing the F-list when this begins; it is there when the lines have ended. */
static int read_shards(struct mining *m, struct error *err)
{
    const struct mining_request *q = m->request;
    int rc = textfile_open(q->path, q->progress, &m->lines, err);
    if (rc == 0)
        rc = flist_read(q->flist, q->progress, &m->flist, err);
    if (rc)
        return rc;
    m->report->baskets = m->flist.baskets;
    m->report->items = m->flist.items.rows.cols;
    m->report->input.format = FORMAT_FIMI;
    m->report->input.bytes = m->lines.text.len;
    return 0;
}

static int note_sizes(struct mining *m, struct error *err)
{
    const struct csr *rows = &m->baskets.rows;
    if (!MEM_NEW(m->size_of, rows->rows))
        return error_set(err, ERR_NOMEM, "out of memory");
    for (uint32_t b = 0; b < rows->rows; b++)
        m->size_of[b] = size_bin(rows->start[b + 1] - rows->start[b]);
    return 0;
}

static int read_input(struct mining *m, struct error *err)
{
    const struct mining_request *q = m->request;
    struct mining_report *report = m->report;
    if (q->flist)
        return read_shards(m, err);
    int rc = basketfile_read(q->path, q->format, q->threads, q->progress, &m->baskets,
                             &report->input, err);
    if (rc)
        return rc;
    report->baskets = m->baskets.rows.rows;
    report->entries = csr_entries(&m->baskets.rows);
    report->repeats = m->baskets.repeats;
    if (report->baskets == 0)
        return error_set(err, ERR_INVALID, "%s: there are no baskets in it", q->path);
    rc = q->stats ? count_items(m, err) : 0;
    if (rc == 0 && q->adjust_size)
        rc = note_sizes(m, err);
    if (rc == 0 && q->item_groups)
        rc = groupfile_add(q->item_groups, q->progress, &m->baskets, &m->parent, err);
    return rc;
}

static int write_count(struct mining *m, struct laneout *out, struct error *err)
{
    char text[32];
    int rc = m->request->rules ? mining_rules(m, NULL, err) : mining_sets(m, NULL, err);
    if (rc)
        return rc;
    struct outlane *lane = laneout_open(out, NULL);
    if (!lane)
        return error_set(err, ERR_NOMEM, "output: out of memory");
    int length = snprintf(text, sizeof text, "%llu\n", (unsigned long long)m->report->results);
    if (laneout_reserve(lane, (size_t)length)) {
        memcpy(lane->at, text, (size_t)length);
        lane->at += length;
    }
    laneout_close(lane); /* laneout_finish tells of a failure */
    return 0;
}

static int write_results(void *context, struct laneout *out, struct error *err)
{
    struct mining *m = context;
    if (m->request->count_only)
        return write_count(m, out, err);
    return m->request->rules ? mining_rules(m, out, err) : mining_sets(m, out, err);
}

int mining_run(const struct mining_request *request, struct mining_report *report,
               struct error *err)
{
    struct mining m = {.request = request, .report = report};
    uint64_t begin = clock_mono_ns();
    *report = (struct mining_report){0};
    int rc = read_input(&m, err);
    uint64_t read = clock_mono_ns();
    report->read_s = (double)(read - begin) * 1e-9;
    if (rc == 0)
        rc = choose_params(&m, err);
    if (rc == 0)
        rc = outfile_write(request->output, write_results, &m, &report->bytes_written, err);
    report->mine_s = (double)(clock_mono_ns() - read) * 1e-9;
    textfile_close(&m.lines);
    flist_deinit(&m.flist);
    baskets_deinit(&m.baskets);
    free(m.with);
    free(m.without);
    free(m.size_of);
    free(m.parent);
    return rc;
}

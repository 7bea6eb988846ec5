/* Read, choose how, mine. Sets are written as they are found unless a budget asks for the most
 * frequent ones, which are known only at the end. */
#include "mining_internal.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int mining_bad_request(struct mining *m, struct error *err)
{
    m->report->usage = true;
    return err ? err->code : (int)ERR_INVALID;
}

static int choose_support(struct mining *m, struct error *err)
{
    const struct mining_request *q = m->request;
    uint32_t count = m->report->baskets;
    uint32_t support =
        q->support_share > 0 ? itemsets_min_support(q->support_share, count) : q->support;
    if (support > count) {
        error_set(err, ERR_INVALID, "--support %u: there are only %u baskets", support, count);
        return mining_bad_request(m, err);
    }
    m->params.min_support = m->report->support = support ? support : 1;
    return 0;
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
        (*out)[i] = baskets_find(&m->baskets, str_of(names[i]));
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
    m->params = (struct itemset_params){.target = q->target,
                                        .min_length = q->min_length,
                                        .max_length = q->max_length ? q->max_length : UINT32_MAX,
                                        .max_itemsets = q->max_itemsets,
                                        .max_bytes = q->memory_bytes,
                                        .threads = q->threads,
                                        .progress = q->progress};
    int rc = choose_support(m, err);
    if (rc == 0)
        rc = mining_find_items(m, "with", q->with, &m->with, &m->params.with_count, err);
    if (rc == 0)
        rc =
            mining_find_items(m, "without", q->without, &m->without, &m->params.without_count, err);
    m->params.with = m->with;
    m->params.without = m->without;
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

static int read_input(struct mining *m, struct error *err)
{
    const struct mining_request *q = m->request;
    struct mining_report *report = m->report;
    int rc = basketfile_read(q->path, q->format, q->threads, q->progress, &m->baskets,
                             &report->input, err);
    if (rc)
        return rc;
    report->baskets = m->baskets.rows.rows;
    report->entries = csr_entries(&m->baskets.rows);
    report->repeats = m->baskets.repeats;
    if (report->baskets == 0)
        return error_set(err, ERR_INVALID, "%s: there are no baskets in it", q->path);
    return q->stats ? count_items(m, err) : 0;
}

static int open_output(const char *path, int *fd, struct error *err)
{
    *fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : STDOUT_FILENO;
    return *fd >= 0 ? 0 : error_set_errno(err, ERR_IO, errno, "opening %s", path);
}

/* Closing is where some file systems say that writing has failed. */
static int close_output(const char *path, int fd, int rc, struct error *err)
{
    if (!path || close(fd) == 0 || rc)
        return rc;
    return error_set_errno(err, ERR_IO, errno, "writing %s", path);
}

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

static int write_found(struct mining *m, struct setwriter *writer, struct error *err)
{
    struct itemset_visitor visitor = setwriter_visitor(writer);
    return itemsets_visit(&m->baskets.rows, &m->params, &visitor, err);
}

static int write_sets(struct mining *m, struct laneout *out, struct error *err)
{
    const struct mining_request *q = m->request;
    struct setwriter *writer =
        setwriter_new(out, &m->baskets, m->report->baskets, q->output_format, err);
    if (!writer)
        return ERR_NOMEM;
    bool kept = q->max_itemsets || q->memory_bytes || q->top;
    int rc = kept ? write_kept(m, writer, err) : write_found(m, writer, err);
    m->report->results = setwriter_count(writer);
    setwriter_free(writer);
    return rc;
}

/* What the output says of a failure is what caused it. */
static int write_results(struct mining *m, int fd, struct error *err)
{
    struct error local = ERROR_INIT, failure = ERROR_INIT;
    struct laneout *out = laneout_new(fd);
    if (!out)
        return error_set(err, ERR_NOMEM, "output: out of memory");
    int rc = m->request->rules ? mining_rules(m, out, &local) : write_sets(m, out, &local);
    int written = laneout_finish(out, &failure);
    m->report->bytes_written = laneout_bytes(out);
    laneout_free(out);
    if (written)
        return error_set(err, written, "%s", failure.text);
    if (rc == 0)
        return 0;
    return error_set(err, local.code ? local.code : (enum err)rc, "%s",
                     local.code ? local.text : err_meaning(rc));
}

static int write_count(struct mining *m, int fd, struct error *err)
{
    struct mining_report *report = m->report;
    char text[32];
    int rc = m->request->rules
                 ? mining_rules(m, NULL, err)
                 : itemsets_count(&m->baskets.rows, &m->params, &report->results, err);
    if (rc)
        return rc;
    int length = snprintf(text, sizeof text, "%llu\n", (unsigned long long)report->results);
    ssize_t done = write(fd, text, (size_t)length);
    if (done != length)
        return error_set_errno(err, ERR_IO, done < 0 ? errno : ENOSPC, "writing");
    report->bytes_written = (uint64_t)done;
    return 0;
}

static int mine(struct mining *m, struct error *err)
{
    const char *path = m->request->output;
    int fd, rc = open_output(path, &fd, err);
    if (rc)
        return rc;
    rc = m->request->count_only ? write_count(m, fd, err) : write_results(m, fd, err);
    return close_output(path, fd, rc, err);
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
        rc = mine(&m, err);
    report->mine_s = (double)(clock_mono_ns() - read) * 1e-9;
    baskets_deinit(&m.baskets);
    free(m.with);
    free(m.without);
    return rc;
}

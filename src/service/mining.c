/* Read, choose how, mine. Sets are written as they are found unless a budget asks for the most
 * frequent ones, which are known only at the end. */
#include "service/mining.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct mining {
    const struct mining_request *request;
    struct mining_report *report;
    struct baskets baskets;
    struct itemset_params params;
    uint32_t *with, *without;
};

static int bad_request(struct mining *m, struct error *err)
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
        return bad_request(m, err);
    }
    m->params.min_support = m->report->support = support;
    return 0;
}

static int find_items(struct mining *m, const char *option, const char *const *names,
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
        return bad_request(m, err);
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
        rc = find_items(m, "with", q->with, &m->with, &m->params.with_count, err);
    if (rc == 0)
        rc = find_items(m, "without", q->without, &m->without, &m->params.without_count, err);
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

static int write_kept(struct mining *m, struct setwriter *writer, struct error *err)
{
    struct itemsets sets;
    int rc = itemsets_mine(&m->baskets.rows, &m->params, &sets, err);
    if (rc)
        return rc;
    m->report->support = sets.min_support;
    m->report->raised = sets.raised;
    rc = setwriter_sets(writer, &sets, err);
    itemsets_deinit(&sets);
    return rc;
}

static int write_found(struct mining *m, struct setwriter *writer, struct error *err)
{
    struct itemset_visitor visitor = setwriter_visitor(writer);
    return itemsets_visit(&m->baskets.rows, &m->params, &visitor, err);
}

/* What the output says of a failure is what caused it. */
static int write_sets(struct mining *m, int fd, struct error *err)
{
    const struct mining_request *q = m->request;
    struct error local = ERROR_INIT, failure = ERROR_INIT;
    struct laneout *out = laneout_new(fd);
    struct setwriter *writer =
        out ? setwriter_new(out, &m->baskets, m->report->baskets, q->output_format, &local) : NULL;
    int rc = writer ? 0 : local.code ? (int)local.code : (int)ERR_NOMEM;
    if (writer) {
        rc = q->max_itemsets || q->memory_bytes ? write_kept(m, writer, &local)
                                                : write_found(m, writer, &local);
        m->report->results = setwriter_count(writer);
        int written = laneout_finish(out, &failure);
        m->report->bytes_written = laneout_bytes(out);
        if (written) {
            rc = written;
            local = failure;
        }
    }
    setwriter_free(writer);
    laneout_free(out);
    return rc ? error_set(err, rc, "%s", local.code ? local.text : err_meaning(rc)) : 0;
}

static int count_sets(struct mining *m, int fd, struct error *err)
{
    char text[32];
    uint64_t count;
    int rc = itemsets_count(&m->baskets.rows, &m->params, &count, err);
    if (rc)
        return rc;
    int length = snprintf(text, sizeof text, "%llu\n", (unsigned long long)count);
    ssize_t done = write(fd, text, (size_t)length);
    if (done != length)
        return error_set_errno(err, ERR_IO, done < 0 ? errno : ENOSPC, "writing");
    m->report->results = count;
    m->report->bytes_written = (uint64_t)done;
    return 0;
}

static int mine(struct mining *m, struct error *err)
{
    const char *path = m->request->output;
    int fd, rc = open_output(path, &fd, err);
    if (rc)
        return rc;
    rc = m->request->count_only ? count_sets(m, fd, err) : write_sets(m, fd, err);
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

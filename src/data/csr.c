/* Compressed sparse rows. The transpose is a counting sort by column: rows come out ascending
 * because they are visited in order. Cost: O(entries + rows + cols), no random access but the
 * scatter itself. */
#include "data/csr.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int csr_alloc(struct csr *m, uint32_t rows, uint32_t cols, uint64_t entries, int with_values,
              struct error *err)
{
    *m = (struct csr){.rows = rows, .cols = cols};
    MEM_ZNEW(m->start, (size_t)rows + 1);
    MEM_NEW(m->column, entries);
    if (with_values)
        MEM_NEW(m->value, entries);
    if (m->start && m->column && (m->value || !with_values))
        return 0;
    csr_deinit(m);
    return error_set(err, ERR_NOMEM, "sparse matrix: out of memory for %llu entries",
                     (unsigned long long)entries);
}

void csr_deinit(struct csr *m)
{
    free(m->start);
    free(m->column);
    free(m->value);
    *m = (struct csr){0};
}

uint64_t csr_entries(const struct csr *m)
{
    return m->start ? m->start[m->rows] : 0;
}

size_t csr_bytes(const struct csr *m)
{
    if (!m->start)
        return 0;
    size_t entry = sizeof *m->column + (m->value ? sizeof *m->value : 0);
    return ((size_t)m->rows + 1) * sizeof *m->start + csr_entries(m) * entry;
}

static void *shrink(void *array, size_t count, size_t size)
{
    void *smaller = mem_resize(array, count, size);
    return smaller ? smaller : array;
}

void csr_pack(struct csr *m, const uint64_t *room, const uint32_t *length)
{
    for (uint32_t r = 0; r < m->rows; r++) {
        uint64_t to = m->start[r];
        memmove(m->column + to, m->column + room[r], length[r] * sizeof *m->column);
        if (m->value)
            memmove(m->value + to, m->value + room[r], length[r] * sizeof *m->value);
        m->start[r + 1] = to + length[r];
    }
    m->column = shrink(m->column, csr_entries(m), sizeof *m->column);
    if (m->value)
        m->value = shrink(m->value, csr_entries(m), sizeof *m->value);
}

int csr_transpose(const struct csr *m, struct csr *out, struct error *err)
{
    assert(m->start);
    uint64_t entries = csr_entries(m);
    int rc = csr_alloc(out, m->cols, m->rows, entries, m->value != NULL, err);
    if (rc)
        return rc;
    /* start[c + 1] first counts column c, then is where its next entry goes, and ends as the end of
     * column c: no second array of positions is needed. */
    uint64_t *next = out->start + 1;
    for (uint64_t e = 0; e < entries; e++)
        next[m->column[e]]++;
    uint64_t before = 0;
    for (uint32_t c = 0; c < m->cols; c++) {
        uint64_t count = next[c];
        next[c] = before;
        before += count;
    }
    for (uint32_t r = 0; r < m->rows; r++) {
        for (uint64_t e = m->start[r]; e < m->start[r + 1]; e++) {
            uint64_t to = next[m->column[e]]++;
            out->column[to] = r;
            if (m->value)
                out->value[to] = m->value[e];
        }
    }
    return 0;
}

int csr_check(const struct csr *m, struct error *err)
{
    if (!m->start || !m->column)
        return error_set(err, ERR_CORRUPT, "sparse matrix: arrays are missing");
    if (m->start[0] != 0)
        return error_set(err, ERR_CORRUPT, "sparse matrix: the first row does not start at 0");
    for (uint32_t r = 0; r < m->rows; r++)
        if (m->start[r] > m->start[r + 1])
            return error_set(err, ERR_CORRUPT, "sparse matrix: row %u ends before it starts", r);
    uint64_t entries = csr_entries(m);
    for (uint64_t e = 0; e < entries; e++) {
        if (m->column[e] >= m->cols)
            return error_set(err, ERR_CORRUPT, "sparse matrix: column %u of %u", m->column[e],
                             m->cols);
        if (m->value && !isfinite(m->value[e]))
            return error_set(err, ERR_CORRUPT, "sparse matrix: a value is not finite");
    }
    return 0;
}

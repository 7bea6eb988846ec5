/* One pass counts what each basket grows to, one fills. A mark per column tells which groups the
 * basket has already; the columns added to a row are put in order by merging two sorted runs. */
#include "mine/groups.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* An item has no more groups than there are columns: longer ways go in circles. */
static int check_parents(const uint32_t *parent, uint32_t cols, struct error *err)
{
    unsigned char *good = mem_zarray(cols, 1); /* the way up from here ends */
    if (!good)
        return error_set(err, ERR_NOMEM, "item groups: out of memory");
    int rc = 0;
    for (uint32_t i = 0; i < cols && rc == 0; i++) {
        uint32_t steps = 0, at = i;
        for (; at != ITEM_NONE && at < cols && !good[at] && steps <= cols; steps++)
            at = parent[at];
        if (at != ITEM_NONE && at >= cols)
            rc = error_set(err, ERR_INVALID, "item groups: no group %u", at);
        else if (at != ITEM_NONE && !good[at])
            rc = error_set(err, ERR_INVALID, "item groups: item %u is in its own group", at);
        for (at = i; rc == 0 && at != ITEM_NONE && !good[at]; at = parent[at])
            good[at] = 1;
    }
    free(good);
    return rc;
}

static int compare_columns(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The row of basket r with its groups, sorted, at `to`; returns its length. `last` [cols] tells for
 * each column the basket it was seen in last, + 1. */
static uint32_t grown_row(const struct csr *m, const uint32_t *parent, uint32_t r, uint32_t *last,
                          uint32_t *to)
{
    uint32_t length = 0, given = (uint32_t)(m->start[r + 1] - m->start[r]);
    for (uint64_t e = m->start[r]; e < m->start[r + 1]; e++) {
        last[m->column[e]] = r + 1;
        to[length++] = m->column[e];
    }
    for (uint64_t e = m->start[r]; e < m->start[r + 1]; e++)
        for (uint32_t up = parent[m->column[e]]; up != ITEM_NONE && last[up] != r + 1;
             up = parent[up]) {
            last[up] = r + 1;
            to[length++] = up;
        }
    if (length > given)
        qsort(to, length, sizeof *to, compare_columns);
    return length;
}

static int grow_rows(const struct csr *m, const uint32_t *parent, uint32_t cols, struct csr *out,
                     struct error *err)
{
    uint32_t *last, *row;
    uint64_t entries = 0;
    MEM_ZNEW(last, cols);
    MEM_NEW(row, cols);
    int rc = last && row ? 0 : error_set(err, ERR_NOMEM, "item groups: out of memory");
    for (uint32_t r = 0; rc == 0 && r < m->rows; r++)
        entries += grown_row(m, parent, r, last, row);
    if (rc == 0)
        rc = csr_alloc(out, m->rows, cols, entries, 0, err);
    if (rc == 0)
        memset(last, 0, cols * sizeof *last);
    uint64_t fill = 0;
    for (uint32_t r = 0; rc == 0 && r < m->rows; r++) {
        fill += grown_row(m, parent, r, last, out->column + fill);
        out->start[r + 1] = fill;
    }
    free(last);
    free(row);
    return rc;
}

int groups_add(const struct csr *baskets, const uint32_t *parent, uint32_t cols, struct csr *out,
               struct error *err)
{
    if (cols < baskets->cols)
        return error_set(err, ERR_INVALID, "item groups: %u columns, the baskets have %u", cols,
                         baskets->cols);
    int rc = check_parents(parent, cols, err);
    return rc ? rc : grow_rows(baskets, parent, cols, out, err);
}

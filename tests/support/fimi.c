#include "support/fimi.h"

#include "base/mem.h"
#include "support/shared.h"

#include <stdio.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Sorts the row that begins at `begin` and drops repetitions. */
static uint64_t finish_row(struct csr *m, uint64_t begin, uint64_t end)
{
    qsort(m->column + begin, end - begin, sizeof *m->column, compare);
    uint64_t kept = begin;
    for (uint64_t e = begin; e < end; e++)
        if (kept == begin || m->column[e] != m->column[kept - 1])
            m->column[kept++] = m->column[e];
    return kept;
}

static void parse(const char *text, size_t length, struct csr *m)
{
    uint64_t at = 0;
    for (size_t i = 0; i < length;) {
        char c = text[i];
        if (c >= '0' && c <= '9') {
            uint32_t number = 0;
            for (; i < length && text[i] >= '0' && text[i] <= '9'; i++)
                number = number * 10 + (uint32_t)(text[i] - '0');
            m->column[at++] = number;
            m->cols = number >= m->cols ? number + 1 : m->cols;
            continue;
        }
        if (c == '\n' && at > m->start[m->rows]) {
            at = finish_row(m, m->start[m->rows], at);
            m->start[++m->rows] = at;
        }
        i++;
    }
}

bool fimi_read(const char *name, struct csr *out)
{
    char file[128];
    struct buf text;
    snprintf(file, sizeof file, "fimi/%s.dat.gz", name);
    buf_init(&text, 0);
    *out = (struct csr){0};
    bool good = shared_unpack(file, &text);
    if (good) {
        MEM_ZNEW(out->start, text.len + 2); /* more than lines and numbers */
        MEM_NEW(out->column, text.len + 1);
        good = out->start && out->column;
    }
    if (good)
        parse(text.ptr, text.len, out);
    buf_deinit(&text);
    return good;
}

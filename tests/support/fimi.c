#include "support/fimi.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

const char *shared_data(void)
{
    if (access("../shared/data", R_OK) == 0)
        return "../shared/data";
    puts("skipped: no shared data");
    return "";
}

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

bool fimi_read(const char *path, struct csr *out)
{
    gzFile file = gzopen(path, "rb");
    if (!file)
        return false;
    size_t length = 0, cap = 1 << 20;
    char *text = malloc(cap);
    for (int got; text && (got = gzread(file, text + length, (unsigned)(cap - length))) > 0;) {
        length += (size_t)got;
        if (length == cap) {
            char *bigger = realloc(text, cap *= 2);
            if (!bigger)
                free(text);
            text = bigger;
        }
    }
    gzclose(file);
    *out = (struct csr){0};
    out->start = calloc(length + 2, sizeof *out->start);
    out->column = malloc((length + 1) * sizeof *out->column);
    if (text && out->start && out->column)
        parse(text, length, out);
    free(text);
    return out->rows > 0;
}

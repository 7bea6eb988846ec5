#include "support/baskets.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct csr baskets_random(struct rng *r, uint32_t rows, uint32_t items, double density)
{
    struct csr m;
    if (csr_alloc(&m, rows, items, (uint64_t)rows * items, 0, NULL))
        abort();
    uint64_t at = 0;
    for (uint32_t b = 0; b < rows; b++) {
        uint64_t begin = b ? m.start[b - 1] : 0, size = m.start[b] - begin;
        if (b > 0 && rng_below(r, 4) == 0) {
            memcpy(m.column + at, m.column + begin, size * sizeof *m.column);
            at += size;
        } else {
            for (uint32_t i = 0; i < items; i++)
                if (rng_unit(r) < density * (1 - 0.75 * i / items))
                    m.column[at++] = i;
        }
        m.start[b + 1] = at;
    }
    return m;
}

struct csr baskets_with_twins(struct rng *r, uint32_t rows, uint32_t items, double density)
{
    struct csr m;
    if (csr_alloc(&m, rows, items, (uint64_t)rows * items, 0, NULL))
        abort();
    uint64_t at = 0;
    for (uint32_t b = 0; b < rows; b++) {
        bool twins = rng_unit(r) < density;
        for (uint32_t i = 0; i < items; i++)
            if (i < 3 ? twins : i == 3 || rng_unit(r) < density)
                m.column[at++] = i;
        m.start[b + 1] = at;
    }
    return m;
}

struct csr baskets_of(const char *text, uint32_t items)
{
    struct csr m;
    uint32_t rows = 1;
    for (const char *p = text; *p; p++)
        rows += *p == '|';
    if (csr_alloc(&m, rows, items, strlen(text), 0, NULL))
        abort();
    uint64_t at = 0;
    uint32_t row = 0;
    for (const char *p = text; *p;) {
        if (*p >= '0' && *p <= '9') {
            uint32_t item = 0;
            for (; *p >= '0' && *p <= '9'; p++)
                item = item * 10 + (uint32_t)(*p - '0');
            assert(item < items);
            m.column[at++] = item;
            continue;
        }
        if (*p == '|')
            m.start[++row] = at;
        p++;
    }
    m.start[rows] = at;
    return m;
}

uint32_t baskets_support(const struct csr *baskets, const uint32_t *items, uint32_t length)
{
    uint32_t support = 0;
    for (uint32_t b = 0; b < baskets->rows; b++) {
        uint32_t met = 0;
        for (uint64_t e = baskets->start[b]; e < baskets->start[b + 1] && met < length; e++)
            met += baskets->column[e] == items[met];
        support += met == length;
    }
    return support;
}

void baskets_dataset(const struct csr *baskets, struct dataset *out)
{
    uint32_t *keys = malloc((baskets->cols + 1) * sizeof *keys);
    if (!keys || dataset_init(out, NULL, NULL))
        abort();
    for (uint32_t b = 0; b < baskets->rows; b++) {
        uint32_t size = 0;
        for (uint64_t e = baskets->start[b]; e < baskets->start[b + 1]; e++)
            keys[size++] = baskets->column[e] + 1;
        if (dataset_add(out, 60000LL * b, 0, keys, size, NULL))
            abort();
    }
    if (dataset_finish(out, NULL))
        abort();
    free(keys);
}

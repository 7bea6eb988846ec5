/* Tables of a rule per stratum, from the lists of baskets of its items. The baskets of a side are
 * those of its rarest item that are in the lists of the others too, looked up by halves; both sides
 * ascending, so the baskets with both are met by walking the two together. */
#include "mine/strata.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define Z95 1.959963984540054

struct sums {
    double r, s, pr, pq, qs; /* pq: PS + QR */
    double surplus, variance;
    struct counts all;
};

static void add_stratum(struct sums *t, const struct counts *counts)
{
    if (counts->n == 0)
        return;
    double n = (double)counts->n, a = (double)counts->c;
    double b = (double)(counts->x - counts->c), c = (double)(counts->y - counts->c);
    double d = n - a - b - c;
    double r = a * d / n, s = b * c / n, p = (a + d) / n, q = (b + c) / n;
    t->r += r;
    t->s += s;
    t->pr += p * r;
    t->pq += p * s + q * r;
    t->qs += q * s;
    t->surplus += a - (a + b) * (a + c) / n;
    if (counts->n > 1)
        t->variance += (a + b) * (c + d) * (a + c) * (b + d) / (n * n * (n - 1));
    t->all.n += counts->n;
    t->all.x += counts->x;
    t->all.y += counts->y;
    t->all.c += counts->c;
}

void strata_adjust(const struct counts *strata, uint32_t count, struct adjusted *out)
{
    const double none = (double)NAN;
    struct sums t = {0};
    for (uint32_t k = 0; k < count; k++)
        add_stratum(&t, &strata[k]);
    *out = (struct adjusted){none, none, none, none, none, none, none};
    out->crude = measure_of(MEASURE_ODDS_RATIO, &t.all);
    if (t.s > 0)
        out->odds_ratio = t.r / t.s;
    if (t.r > 0 && t.s > 0) {
        out->log_variance =
            t.pr / (2 * t.r * t.r) + t.pq / (2 * t.r * t.s) + t.qs / (2 * t.s * t.s);
        double width = exp(Z95 * sqrt(out->log_variance));
        out->low = out->odds_ratio / width;
        double high = out->odds_ratio * width;
        out->high = isfinite(high) ? high : none;
    }
    if (t.variance > 0) {
        double corrected = fmax(0, fabs(t.surplus) - 0.5);
        out->chi_squared = corrected * corrected / t.variance;
        out->uncorrected = t.surplus * t.surplus / t.variance;
    }
}

uint32_t size_bin(uint64_t items)
{
    static const uint32_t above[SIZE_BINS - 1] = {1, 2, 3, 4, 6, 9, 14, 24, 49};
    uint32_t bin = 0;
    while (bin < SIZE_BINS - 1 && items > above[bin])
        bin++;
    return bin;
}

/* ERR_INVALID: a stratum out of range. */
static int assign(struct strata *s, const struct csr *baskets, const uint32_t *stratum_of)
{
    for (uint32_t b = 0; b < baskets->rows; b++) {
        uint32_t stratum =
            stratum_of ? stratum_of[b] : size_bin(baskets->start[b + 1] - baskets->start[b]);
        if (stratum >= s->count)
            return ERR_INVALID;
        s->stratum[b] = stratum;
        s->size[stratum]++;
    }
    return 0;
}

int strata_build(const struct csr *baskets, const uint32_t *stratum_of, uint32_t count,
                 struct strata *out, struct error *err)
{
    struct strata s = {.count = stratum_of ? count : SIZE_BINS, .basket_count = baskets->rows};
    int rc = csr_transpose(baskets, &s.by_item, err);
    if (rc)
        return rc;
    MEM_NEW(s.stratum, s.basket_count);
    MEM_ZNEW(s.size, s.count);
    if (!s.stratum || !s.size)
        rc = error_set(err, ERR_NOMEM, "strata: out of memory");
    else if (assign(&s, baskets, stratum_of))
        rc = error_set(err, ERR_INVALID, "strata: a basket's stratum is not below %u", s.count);
    if (rc)
        strata_deinit(&s);
    else
        *out = s;
    return rc;
}

void strata_deinit(struct strata *s)
{
    free(s->stratum);
    free(s->size);
    csr_deinit(&s->by_item);
    *s = (struct strata){0};
}

static uint64_t baskets_of_item(const struct strata *s, uint32_t item)
{
    return s->by_item.start[item + 1] - s->by_item.start[item];
}

static bool has_item(const struct strata *s, uint32_t basket, uint32_t item)
{
    uint64_t low = s->by_item.start[item], high = s->by_item.start[item + 1], end = high;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (s->by_item.column[middle] < basket)
            low = middle + 1;
        else
            high = middle;
    }
    return low < end && s->by_item.column[low] == basket;
}

/* The baskets with all the items, ascending, into `out`. */
static uint64_t baskets_with(const struct strata *s, struct item_list list, uint32_t rarest,
                             uint32_t *out)
{
    uint64_t count = 0;
    for (uint64_t e = s->by_item.start[rarest]; e < s->by_item.start[rarest + 1]; e++) {
        uint32_t basket = s->by_item.column[e], met = 0;
        while (met < list.count &&
               (list.items[met] == rarest || has_item(s, basket, list.items[met])))
            met++;
        if (met == list.count)
            out[count++] = basket;
    }
    return count;
}

static uint32_t rarest_of(const struct strata *s, struct item_list list)
{
    uint32_t rarest = list.items[0];
    for (uint32_t i = 0; i < list.count; i++) {
        assert(list.items[i] < s->by_item.rows);
        if (baskets_of_item(s, list.items[i]) < baskets_of_item(s, rarest))
            rarest = list.items[i];
    }
    return rarest;
}

int strata_count(const struct strata *s, struct item_list x, struct item_list y, struct counts *out,
                 struct error *err)
{
    assert(x.count > 0 && y.count > 0);
    uint32_t x_item = rarest_of(s, x), y_item = rarest_of(s, y), *with_x, *with_y;
    MEM_NEW(with_x, baskets_of_item(s, x_item));
    MEM_NEW(with_y, baskets_of_item(s, y_item));
    int rc = with_x && with_y ? 0 : error_set(err, ERR_NOMEM, "strata: out of memory");
    if (rc == 0) {
        uint64_t x_count = baskets_with(s, x, x_item, with_x);
        uint64_t y_count = baskets_with(s, y, y_item, with_y);
        for (uint32_t k = 0; k < s->count; k++)
            out[k] = (struct counts){.n = s->size[k]};
        for (uint64_t k = 0; k < y_count; k++)
            out[s->stratum[with_y[k]]].y++;
        for (uint64_t k = 0, at = 0; k < x_count; k++) {
            struct counts *to = &out[s->stratum[with_x[k]]];
            while (at < y_count && with_y[at] < with_x[k])
                at++;
            to->x++;
            to->c += at < y_count && with_y[at] == with_x[k];
        }
    }
    free(with_x);
    free(with_y);
    return rc;
}

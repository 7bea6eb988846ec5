/* One table: a name and a formula each. Counts are below 2^32, so products of two are exact in 64
 * bits; only then does it become double. A formula gives +INFINITY where the value grows beyond all
 * bounds and NAN where it means nothing; measure_of and measure_rank turn these into what their
 * callers want. */
#include "mine/measures.h"

#include "mine/fisher.h"

#include <assert.h>
#include <math.h>

#define COUNT_MAX UINT32_MAX
#define Z95       1.959963984540054

/* A quotient of counts: 0/0 is NAN, c/0 infinite. */
static double ratio(double top, double bottom)
{
    if (bottom != 0)
        return top / bottom;
    return top > 0 ? (double)INFINITY : (double)NAN;
}

static double ratio_of(uint64_t top, uint64_t bottom)
{
    return ratio((double)top, (double)bottom);
}

/* n c - x y, exactly: how many baskets more than by chance, times n. */
static double surplus(const struct counts *t)
{
    return (double)(int64_t)(t->c * t->n - t->x * t->y);
}

static double support(const struct counts *t)
{
    return ratio_of(t->c, t->n);
}

static double confidence(const struct counts *t)
{
    return ratio_of(t->c, t->x);
}

static double lift(const struct counts *t)
{
    return ratio_of(t->c * t->n, t->x * t->y);
}

static double leverage(const struct counts *t)
{
    return t->n ? surplus(t) / ((double)t->n * (double)t->n) : (double)NAN;
}

static double conviction(const struct counts *t)
{
    return ratio_of(t->x * (t->n - t->y), t->n * (t->x - t->c));
}

static double cosine(const struct counts *t)
{
    return ratio((double)t->c, sqrt((double)(t->x * t->y)));
}

static double jaccard(const struct counts *t)
{
    return ratio_of(t->c, t->x + t->y - t->c);
}

static double kulczynski(const struct counts *t)
{
    return (ratio_of(t->c, t->x) + ratio_of(t->c, t->y)) / 2;
}

static double imbalance(const struct counts *t)
{
    return ratio_of(t->x > t->y ? t->x - t->y : t->y - t->x, t->x + t->y - t->c);
}

static double chi_squared(const struct counts *t)
{
    double bottom = (double)(t->x * (t->n - t->x)) * (double)(t->y * (t->n - t->y));
    return bottom > 0 ? (double)t->n * surplus(t) * surplus(t) / bottom : (double)NAN;
}

static double odds_ratio(const struct counts *t)
{
    return ratio_of(t->c * (t->n - t->x - t->y + t->c), (t->x - t->c) * (t->y - t->c));
}

static double added_value(const struct counts *t)
{
    return t->x ? surplus(t) / (double)(t->x * t->n) : (double)NAN;
}

static double certainty(const struct counts *t)
{
    return t->x && t->y < t->n ? surplus(t) / (double)(t->x * (t->n - t->y)) : (double)NAN;
}

static double zhang(const struct counts *t)
{
    uint64_t with = t->c * (t->n - t->x), without = t->x * (t->y - t->c);
    uint64_t most = with > without ? with : without;
    return most ? surplus(t) / (double)most : (double)NAN;
}

static double hyper_lift(const struct counts *t)
{
    return ratio_of(t->c, hypergeometric_q99(t->n, t->x, t->y));
}

static double fisher(const struct counts *t)
{
    return fisher_p(t->n, t->x, t->y, t->c);
}

static double hyper_confidence(const struct counts *t)
{
    return 1 - fisher(t);
}

static double confidence_low(const struct counts *t)
{
    return wilson_low(t->c, t->x);
}

static const struct {
    const char *name;
    double (*value)(const struct counts *t);
} measures[MEASURE_COUNT] = {
    [MEASURE_SUPPORT] = {"support", support},
    [MEASURE_CONFIDENCE] = {"confidence", confidence},
    [MEASURE_LIFT] = {"lift", lift},
    [MEASURE_LEVERAGE] = {"leverage", leverage},
    [MEASURE_CONVICTION] = {"conviction", conviction},
    [MEASURE_COSINE] = {"cosine", cosine},
    [MEASURE_JACCARD] = {"jaccard", jaccard},
    [MEASURE_KULCZYNSKI] = {"kulczynski", kulczynski},
    [MEASURE_IMBALANCE] = {"imbalance", imbalance},
    [MEASURE_CHI_SQUARED] = {"chi_squared", chi_squared},
    [MEASURE_ODDS_RATIO] = {"odds_ratio", odds_ratio},
    [MEASURE_CERTAINTY] = {"certainty", certainty},
    [MEASURE_ZHANG] = {"zhang", zhang},
    [MEASURE_ADDED_VALUE] = {"added_value", added_value},
    [MEASURE_HYPER_LIFT] = {"hyper_lift", hyper_lift},
    [MEASURE_HYPER_CONFIDENCE] = {"hyper_confidence", hyper_confidence},
    [MEASURE_FISHER_P] = {"fisher_p", fisher},
    [MEASURE_CONFIDENCE_LOW] = {"confidence_low", confidence_low},
};

const char *measure_name(enum measure m)
{
    assert(m < MEASURE_COUNT);
    return measures[m].name;
}

int measure_parse(struct str name)
{
    for (int m = 0; m < MEASURE_COUNT; m++)
        if (str_eq(name, str_of(measures[m].name)))
            return m;
    return -1;
}

static double value_of(enum measure m, const struct counts *t)
{
    assert(m < MEASURE_COUNT);
    assert(t->n <= COUNT_MAX);
    assert(t->c <= t->x && t->c <= t->y);
    assert(t->x + t->y - t->c <= t->n);
    return measures[m].value(t);
}

double measure_of(enum measure m, const struct counts *t)
{
    double value = value_of(m, t);
    return isinf(value) ? (double)NAN : value;
}

double measure_rank(enum measure m, const struct counts *t)
{
    double value = value_of(m, t);
    if (isnan(value))
        return -(double)INFINITY;
    return m == MEASURE_FISHER_P ? -value : value;
}

double measure_rank_bound(enum measure m, uint64_t n, uint64_t count)
{
    count = count > 0 ? count : 1;
    switch (m) {
    case MEASURE_SUPPORT:
    case MEASURE_CONFIDENCE_LOW:
        break;
    case MEASURE_LEVERAGE:
    case MEASURE_FISHER_P:
    case MEASURE_HYPER_CONFIDENCE: /* best with x = y = c, and best of all at half the baskets */
        count = count < (n + 1) / 2 ? count : (n + 1) / 2;
        break;
    default:
        return (double)INFINITY;
    }
    return measure_rank(m, &(struct counts){n, count, count, count});
}

double wilson_low(uint64_t hits, uint64_t trials)
{
    double n = (double)trials, p = (double)hits / n;
    double middle = p + Z95 * Z95 / (2 * n);
    double half = Z95 * sqrt(p * (1 - p) / n + Z95 * Z95 / (4 * n * n));
    double low = (middle - half) / (1 + Z95 * Z95 / n);
    return low < 0 ? 0 : low; /* rounding, without hits */
}

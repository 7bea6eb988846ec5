/* A positive double's bits, read as an integer, are in the order of the numbers; the upper ones are
 * the exponent and the first bits of the mantissa. Bins are (low, high]: one less than the bits,
 * shifted, so that a power of two is the upper end of its bin and not rounded at all. */
#include "mine/fdr.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define STEP_BITS 10
#define SHIFT     (52 - STEP_BITS)
#define BINS      ((126u << STEP_BITS) + 1)

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static uint64_t raw_bin(double p)
{
    return (bits_of(p) - 1) >> SHIFT;
}

static uint32_t bin_of(double p)
{
    assert(p >= 0 && p <= 1);
    return p <= FDR_LEAST ? 0 : (uint32_t)(raw_bin(p) - raw_bin(FDR_LEAST));
}

/* The upper end. */
static double bin_p(uint32_t bin)
{
    uint64_t bits = (raw_bin(FDR_LEAST) + bin + 1) << SHIFT;
    double p;
    memcpy(&p, &bits, sizeof p);
    return p;
}

int fdr_init(struct fdr *f, struct error *err)
{
    *f = (struct fdr){0};
    if (MEM_ZNEW(f->tests, BINS) && MEM_NEW(f->q, BINS))
        return 0;
    fdr_deinit(f);
    return error_set(err, ERR_NOMEM, "false discovery rate: out of memory");
}

void fdr_deinit(struct fdr *f)
{
    free(f->tests);
    free(f->q);
    *f = (struct fdr){0};
}

void fdr_add(struct fdr *f, double p)
{
    atomic_fetch_add_explicit(&f->tests[bin_of(p)], 1, memory_order_relaxed);
}

void fdr_seal(struct fdr *f)
{
    f->count = 0;
    for (uint32_t b = 0; b < BINS; b++)
        f->count += atomic_load_explicit(&f->tests[b], memory_order_relaxed);
    uint64_t rank = f->count; /* tests with a p up to this bin's */
    double least = 1;
    for (uint32_t b = BINS; b-- > 0;) {
        if (rank > 0) {
            double q = bin_p(b) * (double)f->count / (double)rank;
            least = q < least ? q : least;
        }
        f->q[b] = least;
        rank -= atomic_load_explicit(&f->tests[b], memory_order_relaxed);
    }
}

double fdr_q(const struct fdr *f, double p)
{
    return f->q[bin_of(p)];
}

double fdr_p_limit(const struct fdr *f, double max_q)
{
    uint32_t low = 0, high = BINS; /* q does not fall with p */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (f->q[middle] <= max_q)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? bin_p(low - 1) : -1;
}

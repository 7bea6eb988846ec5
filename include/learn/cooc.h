/* Co-occurrence: how many units hold both items, and the rows made of it. Units are the orders of a
 * dataset, whole histories or sessions as sets (histories_sets): what "together" means is up to who
 * asks.
 *
 * Counting walks, per item, the units of its inverted list into a dense accumulator with a touched
 * list; cost is the sum of squared unit sizes. Rows in parallel, same result for any thread count.
 */
#ifndef LEARN_COOC_H
#define LEARN_COOC_H

#include "base/progress.h"
#include "data/shape.h"

struct cooc_params {      /* zero = default */
    uint32_t min_count;   /* pairs seen less often are dropped; 0: 1 */
    uint32_t max_per_row; /* keep the most frequent; 0: all. Pruned symmetrically: a pair stays when
                             either side keeps it */
    uint32_t max_unit;    /* larger units are left out of pair counts (not of n_i); 0: 1000 */
    /* When either is above 0 there are masses too, in which a unit of b items and an age of t days
     * counts b^-unit_power 2^(-t/half_life_days): */
    float unit_power;     /* so that a few large orders do not drown the many small ones */
    float half_life_days; /* so that what the shop sold lately has more to say; 0: age is nothing */
    const int64_t *time_ms; /* [units], for half_life_days; the newest has age 0 */
    uint32_t threads;       /* 0: one per core */
    struct progress *progress;
};

/* Symmetric, no diagonal; columns ascending. */
struct cooc {
    uint32_t item_count, unit_count;
    uint64_t *start; /* [item_count + 1] */
    uint32_t *column;
    uint32_t *count;      /* n_ij */
    uint32_t *item_units; /* [item_count] n_i */
    float *mass;          /* as count, weighted; NULL: not asked for */
    float *item_mass;     /* [item_count] as item_units */
};

/* Units x items, ones, columns ascending and distinct. ERR_NOMEM, ERR_CANCELLED. */
int cooc_count(const struct csr *units, const struct cooc_params *params, struct cooc *out,
               struct error *err) WARN_UNUSED;
void cooc_deinit(struct cooc *c);
size_t cooc_bytes(const struct cooc *c);
uint32_t cooc_pair(const struct cooc *c, uint32_t i, uint32_t j); /* 0: never or pruned */

/* notes: cosine n_ij/sqrt(n_i n_j); Jaccard n_ij/(n_i+n_j-n_ij); LLR (Dunning 1993), 0 unless n_ij
 * N > n_i n_j; confidence n_ij/n_i. */
enum weight { WEIGHT_COSINE, WEIGHT_LLR, WEIGHT_JACCARD, WEIGHT_CONFIDENCE };
double weight_of(enum weight w, uint64_t n, uint64_t n_i, uint64_t n_j, uint64_t n_ij);

struct cooc_rows_params {
    enum weight weight;
    uint32_t k;         /* entries of a row */
    uint32_t min_count; /* of fewer units a pair is nothing; 0: 1 */
    uint32_t threads;   /* 0: one per core */
};

/* Row i = its k best (item j, weight), best first (ties: n_j descending, j ascending); weights > 0.
 * ERR_NOMEM. */
int cooc_rows(const struct cooc *c, const struct cooc_rows_params *params, struct csr *out,
              struct error *err) WARN_UNUSED;

/* Most bytes held at a time for such data: by cooc_count, its result included; by the rows. */
uint64_t cooc_estimate_bytes(const struct dataset_shape *shape, const struct cooc_params *params);
uint64_t cooc_rows_estimate_bytes(const struct dataset_shape *shape, uint32_t k);
#endif

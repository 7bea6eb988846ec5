/* What shoppers did, in order: a row of items for each shopper or session, oldest first, repeats
 * kept. Input of what learns from order; as sets, of what learns from co-occurrence. Immutable
 * after building; any thread reads. */
#ifndef DATA_HISTORIES_H
#define DATA_HISTORIES_H

#include "data/csr.h"

struct dataset;

struct histories {
    uint32_t count, item_count;
    uint64_t *start;  /* [count + 1]; row r is start[r] .. start[r+1]-1 */
    uint32_t *item;   /* [start[count]] */
    int64_t *time_ms; /* [start[count]] ascending in a row; NULL: only the order is known */
    float *weight;    /* [start[count]] what an entry counts, > 0; NULL: all 1 */
};

/* Row u holds the orders of the dataset's user u, oldest order first; orders of nobody are left
 * out. The items of one order are in ascending order: how they came into it is not known.
 * ERR_NOMEM.
 */
int histories_of_users(const struct dataset *d, struct histories *out,
                       struct error *err) WARN_UNUSED;

/* Row v holds what happened in visit v of the dataset, oldest first, each with what its kind counts
 * at the age it has (dataset.weights; age 0: the newest event or order). What counts nothing is
 * left out. Without times. ERR_NOMEM. */
int histories_of_visits(const struct dataset *d, struct histories *out,
                        struct error *err) WARN_UNUSED;

/* Each row as a set: its distinct items, ascending. ERR_NOMEM. */
int histories_sets(const struct histories *h, struct csr *out, struct error *err) WARN_UNUSED;

void histories_deinit(struct histories *h);
size_t histories_bytes(const struct histories *h);
#endif

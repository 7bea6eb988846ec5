/* What the two halves of building a root share: items and ranks (itemsets_root.c), then the rows in
 * terms of ranks (itemsets_rows.c). */
#ifndef MINE_ITEMSETS_ROOT_H
#define MINE_ITEMSETS_ROOT_H

#include "itemsets_internal.h"

struct root_builder {
    struct root *root;
    const struct csr *baskets;
    const struct itemset_params *params;
    uint32_t *count;      /* [cols] */
    uint32_t *rank_of;    /* [cols] rank + 1, 0: not ranked */
    unsigned char *role;  /* [cols] */
    unsigned char *apart; /* [rows] baskets that do not hold the prefix; NULL: all do */
};

/* Fills data, place, cost and what the target needs beside them. ERR_NOMEM, ERR_CANCELLED. */
int rows_build(struct root_builder *b) WARN_UNUSED;

#endif

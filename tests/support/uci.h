/* UCI Online Retail as a dataset, cleaned as the published evaluation figures need it: quantity >
 * 0, price > 0, invoices not starting with C, stock codes starting with five digits; a basket is
 * the distinct items of an invoice; sorted by time, then invoice. */
#ifndef SUPPORT_UCI_H
#define SUPPORT_UCI_H

#include "data/dataset.h"
#include "data/dict.h"

struct uci {
    struct dict codes;  /* stock codes; item_key is the index here + 1 */
    struct csr baskets; /* all of them, in time order, columns: index of the code, ascending */
    int64_t *time_ms;   /* [baskets.rows] */
    uint64_t *user;     /* [baskets.rows] customer, 0: nobody */
};

/* False when it is not there: the caller prints "skipped: no shared data". */
bool uci_load(struct uci *out);
void uci_free(struct uci *u);

/* The first `count` baskets. */
void uci_dataset(const struct uci *u, uint32_t count, struct dataset *out);

#endif

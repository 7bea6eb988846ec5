/* UCI Online Retail as the measurements of the literature take it: lines with quantity and price
 * above 0, stock codes that start with five digits, no cancelled invoices; an order is the distinct
 * items of an invoice; orders by (time, invoice). Read through the ingest floor. */
#ifndef SUPPORT_RETAIL_H
#define SUPPORT_RETAIL_H

#include "base/vec.h"
#include "data/catalog.h"
#include "data/dataset.h"
#include "data/dict.h"

struct retail_order {
    char invoice[16];
    int64_t time_ms;
    uint64_t begin, end; /* into items */
};

struct retail {
    struct dict names;               /* stock codes; an item's store key is its index + 1 */
    VEC(uint32_t) items;             /* all orders' items (indices of names) */
    VEC(struct retail_order) orders; /* by (time, invoice) */
    struct catalog catalog;          /* every item, available */
};

/* False: the data is not there ("skipped: no shared data" is printed). Aborts when it is damaged.
 */
bool retail_read(struct retail *r);
void retail_free(struct retail *r);

/* Orders [begin, end) as a dataset. */
void retail_dataset(const struct retail *r, size_t begin, size_t end, struct dataset *out);
struct str retail_name(void *retail, uint32_t item_key); /* for model_build */

#endif

/* Catalogue rows. The writer assigns keys (ascending, never reused) and mirrors every row in
 * data/catalog; this floor cannot see that one, so it has its own row struct. */
#ifndef STORE_ITEMS_H
#define STORE_ITEMS_H

#include "store/db.h"

struct item_row {
    uint32_t key;
    struct str item_id, title, category, attributes; /* JSON text for the last two; len 0: none */
    int64_t price_minor, stock;                      /* INT64_MIN: unknown (null) */
    int64_t updated_ms;
    int64_t order_ms;   /* of the newest order row that gave title or price; INT64_MIN: none */
    unsigned described; /* fields an item record gave (bits of the caller's); kept as it is */
    bool available, deleted;
};

int items_put(struct db *db, const struct item_row *row,
              struct error *err) WARN_UNUSED; /* by key, whole row */
typedef int (*item_visitor)(void *context, const struct item_row *row, struct error *err);
int items_scan(struct db *db, item_visitor visit, void *context,
               struct error *err) WARN_UNUSED; /* by key */
#endif

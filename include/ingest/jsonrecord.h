/* The text of one JSON record -> the cleaner. Strict: duplicate and unknown keys, fields of another
 * kind and wrong types are rejected with the field's name; the order's items are judged one by one
 * by the cleaner.
 *
 *     order   order_id, items; user_id, timestamp
 *             items: [{"item_id", "quantity", "price", "title"}, …] or ["sku-1", …]
 *     item    item_id; title, category, price, stock, attributes, available
 *     event   event, item_id; event_id, user_id, session_id, timestamp
 *     cancel  order_id, and "kind":"cancel" itself
 *
 * `kind` may be left out of the first three. Optional fields may be null. Ids are strings, never
 * numbers. price: a number or a decimal string; timestamp: a string, or a number of s or ms;
 * category: an array of names, or "A > B"; attributes: an object of scalars and arrays of scalars.
 *
 * Counting: a record that cannot be read counts as rejected in the tally of its kind as far as its
 * fields tell (of an order, the items begun count as rejected lines), else as one rejected line. */
#ifndef INGEST_JSONRECORD_H
#define INGEST_JSONRECORD_H

#include "base/buf.h"
#include "ingest/merge.h"
#include "ingest/split.h"

struct jsonrecord {
    struct cleaner *clean;
    struct merge merge;
    struct arena strings; /* decoded ones of the present record */
    struct buf category, attributes;
    VEC(struct raw_line) items;
};

void jsonrecord_init(struct jsonrecord *j, struct cleaner *clean);
void jsonrecord_deinit(struct jsonrecord *j); /* may run twice */

/* A split_fn; context is the struct jsonrecord. Blank text is skipped and not counted. */
int jsonrecord_take(void *context, struct str text, uint64_t number, struct error *err) WARN_UNUSED;

#endif

/* What the columns of a CSV header mean. Names are compared without case, blanks, '_' and '-', by
 * ours and by those of UCI Online Retail, Amazon Personalize and common shop exports; --map says
 * the rest. Nothing is dropped silently: a column that is not known, or of no use to this kind of
 * table, is an error that names it and the way to leave it out (but for a few that are known to be
 * of no use, such as UCI's Country).
 *
 *     orders  a row per order line: order_id, item_id; user_id, timestamp, quantity, price, title.
 *             Without order_id, a user's rows of one time are one order, "user@time".
 *     events  event, item_id; user_id, session_id, timestamp, event_id. With an order_id column
 *             too, a row that has one is an order row, if it is a purchase or names no event.
 *     items   item_id and columns of the catalogue: title, category, price, stock, attributes,
 *             available */
#ifndef INGEST_CSVMAP_H
#define INGEST_CSVMAP_H

#include "base/error.h"
#include "base/str.h"

enum csv_column {
    COLUMN_ORDER,
    COLUMN_USER,
    COLUMN_TIME,
    COLUMN_ITEM,
    COLUMN_QUANTITY,
    COLUMN_PRICE,
    COLUMN_TITLE,
    COLUMN_CATEGORY,
    COLUMN_STOCK,
    COLUMN_ATTRIBUTES,
    COLUMN_AVAILABLE,
    COLUMN_EVENT,
    COLUMN_EVENT_ID,
    COLUMN_SESSION,
    COLUMN_COUNT,
    COLUMN_IGNORE = COLUMN_COUNT
};

enum csv_table { TABLE_ORDERS, TABLE_ITEMS, TABLE_EVENTS };

struct csvmap {
    enum csv_table table; /* rows that are no order rows in a mixed table are events */
    int at[COLUMN_COUNT]; /* index of the cell, -1: no such column */
    unsigned width;       /* cells of a row */
};

/* ERR_INVALID: a map that is not "from=to" with a column of ours or "ignore" behind the '='. */
int csvmap_check(const char *const *maps, struct error *err) WARN_UNUSED;

/* ERR_INVALID: the header does not tell what the rows are. `maps` as reader_options. */
int csvmap_build(struct csvmap *m, const struct str *names, unsigned count, const char *const *maps,
                 struct error *err) WARN_UNUSED;

#endif

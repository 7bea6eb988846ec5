/* An order's lines as stored: [[item,quantity,price_minor],…], ascending by item, price null when
 * unknown, no blanks. One form only, so that equal lines are equal bytes. Any thread. */
#ifndef STORE_LINES_H
#define STORE_LINES_H

#include "base/buf.h"
#include "store/orders.h"

struct line_vec {
    struct order_line *at;
    size_t count, cap;
};

/* Appends the text of the lines, which are ascending by item. */
void lines_format(struct buf *out, const struct order_line *lines, uint32_t count);

/* The lines of a text, in place of what `out` had. ERR_CORRUPT: not of this form; ERR_NOMEM. */
int lines_parse(struct str text, struct line_vec *out) WARN_UNUSED;

/* How many lines a stored text has, without reading them; any text gives a number. */
uint32_t lines_count(struct str text);

#endif

/* Baskets as text (FIMI: one basket a line, items separated by blanks, tabs or CR) -> basket matrix
 * and item names. Any thread; reading uses several.
 *
 * Items are numbers 0 … 9999999 without leading zeros, and then stand in the column of that number;
 * or, when any item of the text is something else or the numbers are far apart, names: UTF-8, at
 * most LIMIT_ID_BYTES bytes, no control characters. Columns are in ascending order of items either
 * way: numbers by value, then names in byte order. An item that a basket has several times counts
 * once. Every line is a basket, also an empty one, which counts in the number of baskets as it does
 * for LCM and Borgelt's programs; what follows the last line end is one only if it is not empty. */
#ifndef DATA_BASKETS_H
#define DATA_BASKETS_H

#include "base/vec.h"
#include "data/csr.h"
#include "data/dict.h"

struct baskets {
    struct csr rows;   /* columns ascending and distinct in each basket */
    struct dict names; /* by column; no names: those of the columns are their numbers */
    uint64_t repeats;  /* items left out because their basket has them */
};

/* `threads` 0: one per core; the result does not depend on it. One pass over the bytes, a second
 * one when items are names. ERR_INVALID names the line; ERR_NOMEM; ERR_TOO_LARGE beyond 2^32-2
 * baskets or names. `out` is set only on success. */
int baskets_parse(struct str text, uint32_t threads, struct baskets *out,
                  struct error *err) WARN_UNUSED;
void baskets_deinit(struct baskets *b);

#define BASKETS_NUMBER_BYTES 10
/* `room` is used for numbers; borrowed from it or from `b`. */
struct str baskets_name(const struct baskets *b, uint32_t column, char room[BASKETS_NUMBER_BYTES]);
/* DICT_NONE: in no basket. */
uint32_t baskets_find(const struct baskets *b, struct str item);

/* Sorts a row in place and drops repetitions; the number of items left. O(n log n), no memory. */
uint64_t basket_row_sort(uint32_t *items, uint64_t count);

/* The same from items that come one by one, from whatever format. */
struct baskets_builder {
    struct dict names; /* in order of appearance */
    VEC(uint32_t) column;
    VEC(uint64_t) start;
};

int baskets_builder_init(struct baskets_builder *b, struct error *err) WARN_UNUSED;
void baskets_builder_deinit(struct baskets_builder *b); /* may run twice */
int baskets_builder_item(struct baskets_builder *b, struct str item, struct error *err) WARN_UNUSED;
int baskets_builder_end(struct baskets_builder *b, struct error *err) WARN_UNUSED; /* of a basket */
/* The builder is empty afterwards, whatever happens. */
int baskets_builder_finish(struct baskets_builder *b, struct baskets *out,
                           struct error *err) WARN_UNUSED;
#endif

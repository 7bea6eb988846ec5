/* One order in the making: rows come in, one line per item comes out, by the rules of clean.h.
 * Reused from order to order. Cost: linear search in small orders, a hash map in large ones. */
#ifndef INGEST_MERGE_H
#define INGEST_MERGE_H

#include "base/arena.h"
#include "base/map.h"
#include "base/vec.h"
#include "ingest/clean.h"

struct merge_count {
    uint32_t positive, negative; /* rows */
};

struct merge {
    VEC(struct record_line) lines;  /* one per item, in order of appearance; net quantities */
    VEC(struct merge_count) counts; /* of the line at the same index */
    struct strmap index;            /* item id -> line; used beyond a few lines */
    struct arena strings;           /* copies of ids and titles when `copy` */
    bool copy;
    bool too_large;
    uint32_t good, rejected, excluded; /* rows */
    size_t bytes;                      /* of ids and titles */
};

/* copy: the rows' strings live shorter than the order. */
void merge_init(struct merge *m, bool copy);
void merge_deinit(struct merge *m); /* may run twice */

/* Takes one row; `line` is read for LINE_GOOD only. */
int merge_add(struct merge *m, enum line_class class, const struct record_line *line,
              struct error *err) WARN_UNUSED;

/* Ends the order: counts its rows, and gives it out when something is left of it. `head` has kind,
 * line, order_id, user_id and time_ms. Empties the merge. */
int merge_finish(struct merge *m, struct cleaner *c, const struct record *head,
                 struct error *err) WARN_UNUSED;

#endif

/* Rows of a CSV table -> records. Items and events go to the cleaner as they come. Order rows are
 * judged as they come, packed, and sorted outside memory by order id, so that the rows of an order
 * may lie anywhere; csvrows_finish gives the orders out, ascending by id. Rows of one order that
 * stand together are sorted as one. */
#ifndef INGEST_CSVROWS_H
#define INGEST_CSVROWS_H

#include "base/extsort.h"
#include "ingest/csv.h"
#include "ingest/csvmap.h"
#include "ingest/merge.h"

struct csvrows {
    struct cleaner *clean;
    const struct reader_options *options; /* spool_directory, sort_memory, maps; borrowed */
    bool has_header;
    struct csvmap map;

    struct extsort *sort;    /* order id -> packed rows; NULL until the first order row */
    struct buf run_id, run;  /* rows of one order that stand together */
    bool run_user, run_time; /* the run holds the order's user, time */

    struct merge merge; /* the order being put together again */
    struct buf order_id, user_id;
    struct record head;

    struct arena strings; /* of an item row's attributes */
    struct buf category, attributes;
};

void csvrows_init(struct csvrows *t, struct cleaner *clean, const struct reader_options *options);
void csvrows_deinit(struct csvrows *t); /* may run twice */

/* A csv_fn; context is the struct csvrows. ERR_INVALID: the header is no good. */
int csvrows_take(void *context, const struct csv_row *row, struct error *err) WARN_UNUSED;
int csvrows_finish(struct csvrows *t, struct error *err) WARN_UNUSED;

#endif

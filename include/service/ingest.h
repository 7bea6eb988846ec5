/* Records -> store. An ingest op owns a batch of copied records and is written by the writer thread
 * in one savepoint. HTTP opens one, feeds it a small body as it arrives and submits it; the
 * importer fills one after the other from a file.
 *
 * What a record does to the catalogue: an item record sets the fields it carries (PATCH), or all
 * (replace); given fields are "described" and belong to item records from then on, until a null
 * gives them back. Title and price in an order row set the fields that are not described, newest
 * order by time first; only orders that are accepted or replace another one do. A deleted item
 * keeps its slot and comes back with the next item record, not with an order row. */
#ifndef SERVICE_INGEST_H
#define SERVICE_INGEST_H

#include "ingest/reader.h"
#include "service/batch.h"
#include "service/memory.h"
#include "service/report.h"
#include "service/shop.h"

/* How bytes are to be read. Strings are NUL-terminated, "" = not given. */
struct import_request {
    char spool[64]; /* a job's: file name inside DIR/spool; the job deletes it when it ends */
    enum reader_format format;
    enum reader_coding coding;
    bool strict;
    char source[128], include_items[256], exclude_items[256];
    char maps[16][128]; /* "from=to" */
    uint32_t map_count;
};

struct ingest_op {
    struct op op; /* first */
    struct batch batch;
    struct ingest_counts counts;   /* what the store decided: accepted, replaced, duplicate, … */
    struct memory_changes changes; /* what the run did */
    bool replace_items;            /* PUT: item fields not given are cleared */
    void *context;                 /* the submitter's */

    /* Of the bytes fed, if any; in `done` with the store's counts added. */
    struct ingest_report report;
    struct reader *reader;
};

/* An op with an empty batch; `done` is called on the writer thread. */
struct ingest_op *ingest_op_new(void (*done)(struct op *op), struct error *err) WARN_UNUSED;
void ingest_op_free(struct ingest_op *op);
void ingest_op_clear(struct ingest_op *op); /* empty again, memory kept; reader and report too */

/* Copies one record. */
int ingest_op_add(struct ingest_op *op, const struct record *record, struct error *err) WARN_UNUSED;
uint32_t ingest_op_records(const struct ingest_op *op);
size_t ingest_op_bytes(const struct ingest_op *op);

/* Bytes in: open (how NULL: all automatic), feed in pieces, finish. Memory is what the records take
 * (settings max_decompressed_bytes caps the input). Afterwards report.problem_total says how many
 * lines were bad: with `strict` the caller does not submit the op then. Any one thread. */
int ingest_op_open(struct ingest_op *op, struct shop *shop, const struct import_request *how,
                   struct error *err) WARN_UNUSED;
int ingest_op_feed(struct ingest_op *op, struct str bytes, struct error *err) WARN_UNUSED;
int ingest_op_finish(struct ingest_op *op, struct error *err) WARN_UNUSED;

/* A reader for `how` over a sink; ERR_INVALID as reader_new. `how` is not kept. */
struct reader *ingest_reader_new(struct shop *shop, const struct import_request *how,
                                 const struct reader_sink *sink, struct error *err) WARN_UNUSED;

/* Deletes an item (its id keeps its slot). `item_id` is borrowed until done. result ERR_NOT_FOUND.
 */
struct item_delete_op {
    struct op op;
    struct str item_id;
};
void item_delete_prepare(struct item_delete_op *op, struct str item_id,
                         void (*done)(struct op *op));

/* A user's stored data, or its erasure; `user_id` is borrowed until done. result ERR_NOT_FOUND.
 * Erasing forgets the id, deletes the events and, by settings erase_orders, deletes or unlinks the
 * orders; when done is called neither orders.db nor its log holds the id's bytes (a reader that
 * stands in the way delays that by some seconds). */
struct user_op {
    struct op op;
    struct str user_id;
    uint64_t orders, events; /* stored, or erased */
    int64_t first_ms, last_ms;
    bool orders_deleted;        /* erase: else unlinked */
    struct memory_changes gone; /* private: those */
};
void user_show_prepare(struct user_op *op, struct str user_id,
                       void (*done)(struct op *op)); /* shop_read */
void user_erase_prepare(struct user_op *op, struct str user_id,
                        void (*done)(struct op *op)); /* shop_write */
#endif

/* Records -> store. A batch is an owned copy of records with what came of them; it is written by
 * one op on the writer thread in one savepoint. HTTP fills a batch straight from the reader as a
 * small body arrives; the importer fills one after the other from a file. */
#ifndef SERVICE_INGEST_H
#define SERVICE_INGEST_H

#include "base/arena.h"
#include "base/buf.h"
#include "ingest/reader.h"
#include "service/shop.h"

struct ingest_problem {
    uint64_t line;
    struct str field, reason;
};

/* What an ingest reports, summed over its batches. */
struct ingest_report {
    struct ingest_counts counts;
    struct ingest_problem problems[LIMIT_ERRORS_KEPT]; /* the first ones; copies in `arena` */
    uint32_t problem_count;
    uint64_t problem_total;
    struct arena arena;
};
void ingest_report_init(struct ingest_report *r);
void ingest_report_deinit(struct ingest_report *r);
void ingest_report_add(struct ingest_report *r, const struct record_problem *p);
/* The JSON object of the answer, of a job's report and of `import --json`. */
void ingest_report_json(const struct ingest_report *r, struct buf *out);
/* Reads one back (a resumed or listed job). */

struct ingest_op {
    struct op op; /* first */
    struct batch *batch;
    struct ingest_counts
        counts;         /* what the store decided: accepted, replaced, duplicate, cancelled */
    bool replace_items; /* PUT: item fields not given are cleared */
    void *context;      /* the submitter's */
};

/* An op with an empty batch; `done` is called on the writer thread. */
struct ingest_op *ingest_op_new(void (*done)(struct op *op), struct error *err) WARN_UNUSED;
void ingest_op_free(struct ingest_op *op);
int ingest_op_add(struct ingest_op *op, const struct record *record,
                  struct error *err) WARN_UNUSED; /* copies */
uint32_t ingest_op_records(const struct ingest_op *op);
size_t ingest_op_bytes(const struct ingest_op *op);

/* Deletes an item (its id keeps its slot). result ERR_NOT_FOUND. */
struct item_delete_op {
    struct op op;
    struct str item_id;
};
void item_delete_prepare(struct item_delete_op *op, struct str item_id,
                         void (*done)(struct op *op));

/* A user's stored data, or erasure; `out` as in the reply. result ERR_NOT_FOUND. */
struct user_op {
    struct op op;
    struct str user_id;
    uint64_t orders, events;
    int64_t first_ms, last_ms;
    bool orders_deleted; /* erase: else unlinked */
};
void user_show_prepare(struct user_op *op, struct str user_id,
                       void (*done)(struct op *op)); /* shop_read */
void user_erase_prepare(struct user_op *op, struct str user_id,
                        void (*done)(struct op *op)); /* shop_write */
#endif

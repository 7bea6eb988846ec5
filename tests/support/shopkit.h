/* A shop in a directory of its own, for the tests of the service floor. Failures end the test. */
#ifndef SUPPORT_SHOPKIT_H
#define SUPPORT_SHOPKIT_H

#include "service/ingest.h"
#include "service/jobs.h"
#include "service/shop.h"
#include "store/joblog.h"
#include "support/tempdir.h"

struct shopkit {
    struct tempdir dir;
    struct settings settings; /* small defaults: no automatic training, no embeddings */
    struct shop *shop;
};

void shopkit_init(struct shopkit *k); /* directory and settings, not open */
void shopkit_open(struct shopkit *k, enum shop_mode mode);
void shopkit_shut(struct shopkit *k); /* closes the shop, keeps the directory */
void shopkit_close(struct shopkit *k);

/* NDJSON or another format, in one op; the op's report is added to *report (or NULL). Returns the
 * op's result. */
int shopkit_ingest(struct shopkit *k, const char *text, struct ingest_report *report);
/* Made-up orders "PREFIX0".."PREFIX<count-1>", `per` items each of `items`, by seeded choice; item
 * 2k comes with 2k+1. */
void shopkit_orders(struct shopkit *k, const char *prefix, uint32_t count, uint32_t items,
                    uint32_t per);

/* Runs a query of one number on DIR/orders.db beside the shop. */
int64_t shopkit_count(struct shopkit *k, const char *sql);
/* A connection beside the shop that holds a read transaction. */
struct sqlite3 *shopkit_begin_read(struct shopkit *k);
void shopkit_end_read(struct sqlite3 *reader);
/* Every row of every table as text; the caller frees. */
char *shopkit_dump(struct shopkit *k);
/* How often the bytes stand in a file of the directory (not in subdirectories). */
uint32_t shopkit_bytes_in_files(struct shopkit *k, const char *bytes);

/* The JSON of GET /jobs/{id} (0: the list), the caller frees. */
char *shopkit_job(struct shopkit *k, int64_t id);
/* Fails when the JSON of the job has not the text in it. */
void shopkit_job_has(struct shopkit *k, int64_t id, const char *text);
/* Waits until the job has ended and returns its state. */
enum job_state shopkit_wait_job(struct shopkit *k, int64_t id);
int64_t shopkit_submit_train(struct shopkit *k);
/* Spools `text` and submits it. */
int64_t shopkit_submit_import(struct shopkit *k, const char *text, bool strict);

#endif

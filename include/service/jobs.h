/* Long work: imports of spooled files, training, backups. One thread per kind, one job of a kind at
 * a time, every state change durable in the job log. At a restart an interrupted import is resumed
 * from the start of its spool file (re-sending changes nothing), an interrupted training is queued
 * anew, a backup fails. */
#ifndef SERVICE_JOBS_H
#define SERVICE_JOBS_H

#include "base/buf.h"
#include "base/progress.h"
#include "ingest/reader.h"
#include "service/shop.h"

/* How an upload is to be read; kept in the job's request. */
struct import_request {
    char spool[64]; /* file name inside DIR/spool; the job deletes it when it ends */
    enum reader_format format;
    enum reader_coding coding;
    bool strict;
    char source[128], include_items[256], exclude_items[256];
    char maps[16][128]; /* "from=to" */
    uint32_t map_count;
};

/* Durable when done is called; then op->job_id is set. */
struct job_submit_op {
    struct op op;
    struct import_request import;
    int64_t job_id;
    bool already;       /* train: one was queued already, job_id is that one's */
    char *request_json; /* private */
};
void jobs_import_prepare(struct job_submit_op *op, const struct import_request *request,
                         void (*done)(struct op *op));
void jobs_train_prepare(struct job_submit_op *op, void (*done)(struct op *op));
/* `file` is a name without '/', made in DIR/backups/. */

/* One job or a page of them as JSON text (the objects of GET /jobs, GET /jobs/{id}). shop_read. */
struct job_show_op {
    struct op op;
    int64_t job_id; /* 0: list */
    int64_t before; /* list: ids below */
    uint32_t limit;
    struct buf
        json; /* one object, or {"jobs":[…],"next":…}; init by prepare, deinit by the caller */
};
void jobs_show_prepare(struct job_show_op *op, int64_t job_id, void (*done)(struct op *op));

/* Cancels a queued or running job; ERR_NOT_FOUND, ERR_CONFLICT when it has ended. Any thread;
 * returns at once, the job's state follows. */
int jobs_cancel(struct shop *shop, int64_t job_id, struct error *err) WARN_UNUSED;

/* For the service floor. */
struct jobs *jobs_new(struct shop *shop, bool automatic, struct error *err) WARN_UNUSED;
void jobs_stop(struct jobs *jobs); /* cancels, joins */
void jobs_free(struct jobs *jobs);
void jobs_orders_changed(struct jobs *jobs,
                         uint64_t count); /* writer thread: wakes automatic training */
#endif

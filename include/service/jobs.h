/* Long work: imports of spooled files, training and tuning. One thread for imports, one for the
 * others, one job at a time in each, every state change durable in the job log. At a restart an
 * interrupted import begins its spool file again (re-sending changes nothing), an interrupted
 * training is queued anew, an interrupted tuning goes on with the tries it has not made. A training
 * does not wait for a tuning: that steps aside and goes on afterwards. A third thread keeps house:
 * automatic training and tuning, retention (orders.keep_days), freeing replaced models. */
#ifndef SERVICE_JOBS_H
#define SERVICE_JOBS_H

#include "base/buf.h"
#include "service/ingest.h"

/* A new file in DIR/spool, its name for import_request.spool. Blocking: not on a loop. */
int spool_create(struct shop *shop, char name[64], int *fd, struct error *err) WARN_UNUSED;
/* Makes file and directory entry durable and closes fd, also on failure. */
int spool_commit(struct shop *shop, int fd, struct error *err) WARN_UNUSED;
void spool_drop(struct shop *shop, const char *name);
#define SPOOL_PATH_BYTES 4352
void spool_path(const struct shop *shop, const char *name, char out[SPOOL_PATH_BYTES]);

/* Durable when done is called; then op->job_id is set. After a failure the spool file is still the
 * caller's. */
struct job;
struct job_submit_op {
    struct op op;
    struct import_request import;
    uint64_t changes; /* tune: order_stats.changes it knows of */
    int64_t job_id;
    bool already;    /* train: one was queued already, job_id is that one's */
    struct job *job; /* private */
};
void jobs_import_prepare(struct job_submit_op *op, const struct import_request *request,
                         void (*done)(struct op *op));                          /* shop_write */
void jobs_train_prepare(struct job_submit_op *op, void (*done)(struct op *op)); /* shop_write */
void jobs_tune_prepare(struct job_submit_op *op, uint64_t changes);             /* shop_write */

/* One job or a page of them as JSON text (the objects of GET /jobs/{id} and GET /jobs):
 * {"id":7,"kind":"import","state":"running","created":"…","started":"…","finished":null,
 *  "step":"reading","done":1048576,"total":4194304,"rows":9000,"rows_per_s":450000.0,"eta_s":2.1,
 *  "report":{…}|null,"error":null|"…"}           step … eta_s: null unless running
 * {"jobs":[…],"next":5|null}                      next: the `before` of the following page */
struct job_show_op {
    struct op op;
    int64_t job_id; /* 0: list */
    int64_t before; /* list: ids below; 0: from the newest */
    uint32_t limit;
    struct buf json; /* init by prepare, deinit by the caller */
};
void jobs_show_prepare(struct job_show_op *op, int64_t job_id,
                       void (*done)(struct op *op)); /* shop_read */

/* Cancels a queued job, or asks a running one to stop (its state follows). result ERR_NOT_FOUND;
 * ERR_CONFLICT: it has ended. */
struct job_cancel_op {
    struct op op;
    int64_t job_id;
    bool was_running;
    bool leaving; /* private */
};
void jobs_cancel_prepare(struct job_cancel_op *op, int64_t job_id,
                         void (*done)(struct op *op)); /* shop_write */

/* For the service floor. jobs_new recovers the job log (no threads run yet), jobs_start starts the
 * threads. */
struct jobs *jobs_new(struct shop *shop, struct db *db, struct error *err) WARN_UNUSED;
int jobs_start(struct jobs *jobs, struct error *err) WARN_UNUSED;
void jobs_stop(struct jobs *jobs); /* cancels what runs (it stays running in the log), joins */
void jobs_free(struct jobs *jobs);
void jobs_orders_changed(struct jobs *jobs, uint64_t count); /* writer thread; jobs may be NULL */
uint32_t jobs_waiting(struct jobs *jobs);                    /* queued ones, for metrics */
#endif

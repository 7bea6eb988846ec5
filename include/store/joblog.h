/* Long work as rows of orders.db: survives a restart. States: queued → running → done | failed |
 * cancelled; running at start-up → interrupted (joblog_recover), which the owner resumes or fails.
 */
#ifndef STORE_JOBLOG_H
#define STORE_JOBLOG_H

#include "store/db.h"

enum job_kind { JOB_IMPORT, JOB_TRAIN, JOB_TUNE, JOB_KIND_COUNT };
enum job_state {
    JOB_QUEUED,
    JOB_RUNNING,
    JOB_DONE,
    JOB_FAILED,
    JOB_CANCELLED,
    JOB_INTERRUPTED,
    JOB_STATE_COUNT
};
const char *job_kind_name(enum job_kind kind);
const char *job_state_name(enum job_state state);

struct job_row {
    int64_t id;
    enum job_kind kind;
    enum job_state state;
    int64_t created_ms, started_ms, finished_ms; /* 0: not yet */
    uint64_t done, total;                        /* total 0: unknown */
    struct str request; /* JSON: what was asked for (spool file, options) */
    struct str report;  /* JSON: counts and line errors, or training figures; len 0: none yet */
    struct str error;   /* why it failed; len 0: it did not */
};

int joblog_add(struct db *db, struct job_row *row,
               struct error *err) WARN_UNUSED; /* sets row->id */
int joblog_update(struct db *db, const struct job_row *row,
                  struct error *err) WARN_UNUSED; /* by id, all but kind and request */
typedef int (*job_visitor)(void *context, const struct job_row *row, struct error *err);
int joblog_get(struct db *db, int64_t id, job_visitor visit, void *context,
               struct error *err) WARN_UNUSED; /* ERR_NOT_FOUND */
/* Newest first, ids below `before` (0: all), at most `limit`. */
int joblog_list(struct db *db, int64_t before, uint32_t limit, job_visitor visit, void *context,
                struct error *err) WARN_UNUSED;
/* Visits the newest of a kind, when there is one. */
int joblog_newest(struct db *db, enum job_kind kind, job_visitor visit, void *context,
                  struct error *err) WARN_UNUSED;
/* Marks running jobs interrupted, finished now; visits every interrupted and queued one, oldest
 * first. */
int joblog_recover(struct db *db, int64_t now_ms, job_visitor visit, void *context,
                   struct error *err) WARN_UNUSED;
/* Keeps the newest `keep` ended jobs. */
int joblog_prune(struct db *db, uint32_t keep, struct error *err) WARN_UNUSED;
#endif

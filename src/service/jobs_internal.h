/* Shared by jobs.c (queue and threads), jobtext.c (JSON) and keeper.c. */
#ifndef SERVICE_JOBS_INTERNAL_H
#define SERVICE_JOBS_INTERNAL_H

#include "service/jobs.h"
#include "store/joblog.h"

/* What the job log keeps of a tuning. */
struct tune_request {
    uint64_t through; /* orders up to this key */
    uint64_t changes; /* order_stats.changes when it was queued */
};

/* A job that has not ended. In the list from its commit until its end is in the job log. */
struct job {
    struct job *next;
    int64_t id;
    enum job_kind kind;
    bool running, leaving; /* leaving: a cancel is being committed */
    bool cancelled;        /* somebody asked for it */
    bool aside;            /* tune: stopped for a training, to go on afterwards */
    bool ended;            /* its end is in the log */
    int64_t created_ms, started_ms;
    uint64_t started_ns;
    struct import_request import;
    struct tune_request tune;
    uint64_t spent_ns; /* tune: before it stepped aside */
    uint32_t starts;   /* tune: how often it began, and did not step aside */
    struct progress progress;
    _Atomic uint64_t rows;
    /* For the ETA: the step last shown, when it was first seen and how far it was. Under the
     * mutex. */
    const char *step;
    uint64_t step_ns, step_done;
};

enum { JOB_THREADS = 2 }; /* one for JOB_IMPORT, one for JOB_TRAIN and JOB_TUNE */

struct jobs {
    struct shop *shop;
    pthread_mutex_t mutex; /* of the list and what is in it, stopping */
    pthread_cond_t wake;   /* broadcast; on the monotonic clock */
    struct job *first;     /* oldest first */
    int64_t train_pending; /* queued in the writer's open transaction */
    bool stopping;
    pthread_t threads[JOB_THREADS], keeper;
    uint32_t threads_started;
    bool keeper_started;
    _Atomic uint64_t changes; /* order_stats.changes */
    /* The newest tuning: when it was queued (0: never), what it knew of. */
    int64_t tuned_ms;
    uint64_t tuned_changes;
};

struct job *job_new(enum job_kind kind, int64_t created_ms, struct error *err) WARN_UNUSED;
void job_free(struct jobs *jobs, struct job *job, bool drop_spool);

/* Under the mutex. */
void jobs_append(struct jobs *jobs, struct job *job); /* and wakes */
void jobs_unlink(struct jobs *jobs, struct job *job);
struct job *jobs_find(struct jobs *jobs, int64_t id); /* NULL: none */
/* Until woken or the time is over. */
void jobs_wait(struct jobs *jobs, int64_t timeout_ms);

int jobs_recover(struct jobs *jobs, struct db *db, struct error *err) WARN_UNUSED;

/* What the job log keeps of an import's request, and back. ERR_CORRUPT. */
void import_request_json(const struct import_request *request, struct buf *out);
int import_request_parse(struct str json, struct import_request *out,
                         struct error *err) WARN_UNUSED;

void tune_request_json(const struct tune_request *request, struct buf *out);
int tune_request_parse(struct str json, struct tune_request *out, struct error *err) WARN_UNUSED;

/* Tunes both surfaces within train.tune_budget:
 * {"surfaces":[{…tuning_json…},{"surface":"personal","skipped":"…"}]}
 * ERR_LIMIT: more than trainings rehearse, or the memory limit; ERR_CANCELLED; ERR_INVALID: a
 * damaged tuned.json. */
int tunejob_run(struct shop *shop, struct job *job, struct buf *report,
                struct error *err) WARN_UNUSED;

/* The thread behind jobs_start's third one. */
void *keep_house(void *jobs);

#endif

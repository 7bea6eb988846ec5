/* Submitting and cancelling jobs: ops on the writer thread, so that the job log and the list in
 * memory change together, with the commit. */
#include "jobs_internal.h"

#include "base/clock.h"
#include "service/writer.h"
#include "store/orders.h"

#include <assert.h>
#include <stdlib.h>

static int add_row(struct shop *shop, struct job_submit_op *self, enum job_kind kind,
                   struct error *err)
{
    struct buf request;
    buf_init(&request, 0);
    struct tune_request tune = {.changes = self->changes};
    int rc = 0;
    if (kind == JOB_IMPORT)
        import_request_json(&self->import, &request);
    else if (kind == JOB_TUNE &&
             (rc = orders_last_key(writer_db(shop->writer), &tune.through, err)) == 0)
        tune_request_json(&tune, &request);
    else
        buf_text(&request, "{}");
    struct job_row row = {.kind = kind,
                          .state = JOB_QUEUED,
                          .created_ms = clock_wall_ms(),
                          .request = {request.ptr, request.len}};
    if (rc == 0 && request.failed)
        rc = error_set(err, ERR_NOMEM, "jobs: out of memory");
    if (rc == 0 && !(self->job = job_new(kind, row.created_ms, err)))
        rc = ERR_NOMEM;
    if (rc == 0)
        rc = joblog_add(writer_db(shop->writer), &row, err);
    buf_deinit(&request);
    if (rc != 0) {
        free(self->job);
        self->job = NULL;
        return rc;
    }
    self->job->id = self->job_id = row.id;
    self->job->import = self->import;
    self->job->tune = tune;
    return 0;
}

/* A training does not wait for a tuning. Under the mutex. */
static void make_way(struct jobs *jobs)
{
    for (struct job *job = jobs->first; job; job = job->next) {
        if (job->kind != JOB_TUNE || !job->running)
            continue;
        job->aside = true;
        progress_cancel(&job->progress);
    }
}

static void submit_apply(struct shop *shop, struct op *op)
{
    struct job_submit_op *self = (struct job_submit_op *)op;
    struct jobs *jobs = shop->jobs;
    if (!self->job)
        return;
    pthread_mutex_lock(&jobs->mutex);
    if (self->job->kind == JOB_TRAIN) {
        jobs->train_pending = 0;
        make_way(jobs);
    }
    if (self->job->kind == JOB_TUNE) {
        jobs->tuned_ms = self->job->created_ms;
        jobs->tuned_changes = self->changes;
    }
    jobs_append(jobs, self->job);
    pthread_mutex_unlock(&jobs->mutex);
    self->job = NULL;
}

static void submit_undo(struct shop *shop, struct op *op)
{
    struct job_submit_op *self = (struct job_submit_op *)op;
    if (self->job && self->job->kind == JOB_TRAIN) {
        pthread_mutex_lock(&shop->jobs->mutex);
        shop->jobs->train_pending = 0;
        pthread_mutex_unlock(&shop->jobs->mutex);
    }
    free(self->job);
    self->job = NULL;
}

static int import_run_op(struct shop *shop, struct op *op, struct error *err)
{
    return add_row(shop, (struct job_submit_op *)op, JOB_IMPORT, err);
}

static int64_t queued_training(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->mutex);
    int64_t id = jobs->train_pending;
    for (struct job *job = jobs->first; job && !id; job = job->next)
        if (job->kind == JOB_TRAIN && !job->running && !job->leaving)
            id = job->id;
    pthread_mutex_unlock(&jobs->mutex);
    return id;
}

static int train_run_op(struct shop *shop, struct op *op, struct error *err)
{
    struct job_submit_op *self = (struct job_submit_op *)op;
    self->job_id = queued_training(shop->jobs);
    self->already = self->job_id != 0;
    if (self->already)
        return 0;
    int rc = add_row(shop, self, JOB_TRAIN, err);
    if (rc == 0) {
        pthread_mutex_lock(&shop->jobs->mutex);
        shop->jobs->train_pending = self->job_id;
        pthread_mutex_unlock(&shop->jobs->mutex);
    }
    return rc;
}

void jobs_import_prepare(struct job_submit_op *op, const struct import_request *request,
                         void (*done)(struct op *op))
{
    *op = (struct job_submit_op){.op = {.run = import_run_op,
                                        .apply = submit_apply,
                                        .undo = submit_undo,
                                        .done = done,
                                        .cost = 1},
                                 .import = *request};
}

void jobs_train_prepare(struct job_submit_op *op, void (*done)(struct op *op))
{
    *op = (struct job_submit_op){.op = {.run = train_run_op,
                                        .apply = submit_apply,
                                        .undo = submit_undo,
                                        .done = done,
                                        .cost = 1}};
}

static int tune_run_op(struct shop *shop, struct op *op, struct error *err)
{
    return add_row(shop, (struct job_submit_op *)op, JOB_TUNE, err);
}

void jobs_tune_prepare(struct job_submit_op *op, uint64_t changes)
{
    *op = (struct job_submit_op){
        .op = {.run = tune_run_op, .apply = submit_apply, .undo = submit_undo, .cost = 1},
        .changes = changes};
}

/* Cancelling. A queued job leaves with the commit; a running one is told to stop. */

static int copy_state(void *context, const struct job_row *row, struct error *err)
{
    (void)err;
    *(enum job_state *)context = row->state;
    return 0;
}

static int cancel_run(struct shop *shop, struct op *op, struct error *err)
{
    struct job_cancel_op *self = (struct job_cancel_op *)op;
    struct jobs *jobs = shop->jobs;
    struct db *db = writer_db(shop->writer);
    enum job_state state;
    int rc = joblog_get(db, self->job_id, copy_state, &state, err);
    if (rc != 0)
        return rc;
    struct job_row row = {.id = self->job_id, .state = JOB_CANCELLED};
    pthread_mutex_lock(&jobs->mutex);
    struct job *job = jobs_find(jobs, self->job_id);
    bool queued = job && !job->running && !job->leaving;
    self->was_running = job && job->running;
    if (queued) {
        job->leaving = true;
        row.created_ms = job->created_ms;
    }
    pthread_mutex_unlock(&jobs->mutex);
    if (self->was_running)
        return 0;
    if (!queued)
        return error_set(err, ERR_CONFLICT, "job %lld is %s already", (long long)self->job_id,
                         job_state_name(state));
    row.finished_ms = clock_wall_ms();
    self->leaving = true;
    rc = joblog_update(db, &row, err);
    if (rc != 0)
        op->undo(shop, op);
    return rc;
}

static void cancel_apply(struct shop *shop, struct op *op)
{
    struct job_cancel_op *self = (struct job_cancel_op *)op;
    struct jobs *jobs = shop->jobs;
    pthread_mutex_lock(&jobs->mutex);
    struct job *job = jobs_find(jobs, self->job_id);
    if (job && self->was_running) {
        job->cancelled = true;
        progress_cancel(&job->progress);
    }
    if (self->leaving)
        jobs_unlink(jobs, job);
    pthread_mutex_unlock(&jobs->mutex);
    if (self->leaving)
        job_free(jobs, job, true);
}

static void cancel_undo(struct shop *shop, struct op *op)
{
    struct job_cancel_op *self = (struct job_cancel_op *)op;
    struct jobs *jobs = shop->jobs;
    if (!self->leaving)
        return;
    pthread_mutex_lock(&jobs->mutex);
    jobs_find(jobs, self->job_id)->leaving = false;
    pthread_cond_broadcast(&jobs->wake);
    pthread_mutex_unlock(&jobs->mutex);
    self->leaving = false;
}

void jobs_cancel_prepare(struct job_cancel_op *op, int64_t job_id, void (*done)(struct op *op))
{
    *op = (struct job_cancel_op){.op = {.run = cancel_run,
                                        .apply = cancel_apply,
                                        .undo = cancel_undo,
                                        .done = done,
                                        .cost = 1},
                                 .job_id = job_id};
}

/* The list holds every job that has not ended, oldest first; the job log in orders.db has all of
 * them. The log leads: a job enters the list when its row is committed (apply) and leaves it when
 * its end is. So a crash at any point leaves a row that says queued or running, and recovery takes
 * it up again: any kind may be done twice without harm (sending orders again changes nothing, a
 * training is a training).
 *
 * Imports have one thread, trainings and tunings another, which takes the oldest queued job,
 * trainings first. A state change that
 * cannot be written is tried again every second; meanwhile the job stays in the list. On shutdown a
 * running job is stopped and its row left as it is: running. */
#include "jobs_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/importer.h"
#include "service/trainer.h"
#include "service/writer.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define JOBS_KEPT     1000u /* ended ones in the log */
#define TRY_AGAIN_MS  1000
#define LESS_PRIORITY 10 /* nice */
#define STARTS_MAX    5  /* of a tuning: one that takes the process down is not begun for ever */

struct job *jobs_find(struct jobs *jobs, int64_t id)
{
    struct job *job = jobs->first;
    while (job && job->id != id)
        job = job->next;
    return job;
}

void jobs_wait(struct jobs *jobs, int64_t timeout_ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    int64_t ns = at.tv_nsec + timeout_ms % 1000 * 1000000;
    at.tv_sec += timeout_ms / 1000 + ns / 1000000000;
    at.tv_nsec = ns % 1000000000;
    pthread_cond_timedwait(&jobs->wake, &jobs->mutex, &at);
}

void jobs_append(struct jobs *jobs, struct job *job)
{
    struct job **at = &jobs->first;
    while (*at)
        at = &(*at)->next;
    *at = job;
    pthread_cond_broadcast(&jobs->wake);
}

void jobs_unlink(struct jobs *jobs, struct job *job)
{
    struct job **at = &jobs->first;
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
}

void job_free(struct jobs *jobs, struct job *job, bool drop_spool)
{
    if (drop_spool && job->kind == JOB_IMPORT && *job->import.spool)
        spool_drop(jobs->shop, job->import.spool);
    free(job);
}

struct job *job_new(enum job_kind kind, int64_t created_ms, struct error *err)
{
    struct job *job;
    if (!MEM_ZNEW(job, 1)) {
        error_set(err, ERR_NOMEM, "jobs: out of memory");
        return NULL;
    }
    job->kind = kind;
    job->created_ms = created_ms;
    progress_init(&job->progress);
    return job;
}

struct state_op {
    struct op op;
    struct job_row row;
};

static int state_run(struct shop *shop, struct op *op, struct error *err)
{
    struct state_op *self = (struct state_op *)op;
    struct db *db = writer_db(shop->writer);
    int rc = joblog_update(db, &self->row, err);
    if (rc == 0 && self->row.finished_ms)
        rc = joblog_prune(db, JOBS_KEPT, err);
    return rc;
}

static bool is_stopping(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->mutex);
    bool stopping = jobs->stopping;
    pthread_mutex_unlock(&jobs->mutex);
    return stopping;
}

/* Until it is durable; false: the shop closes before that. */
static bool write_state(struct jobs *jobs, const struct job_row *row)
{
    for (;;) {
        struct error err = ERROR_INIT;
        struct state_op self = {.op = {.run = state_run, .cost = 1}, .row = *row};
        if (shop_write_wait(jobs->shop, &self.op, &err) == 0)
            return true;
        log_warn("job.state", "job=%lld error=%s", (long long)row->id,
                 log_text(err.text, (struct log_quoted[1]){0}));
        pthread_mutex_lock(&jobs->mutex);
        if (!jobs->stopping)
            jobs_wait(jobs, TRY_AGAIN_MS);
        bool stopping = jobs->stopping;
        pthread_mutex_unlock(&jobs->mutex);
        if (stopping)
            return false;
    }
}

static int run_import(struct shop *shop, struct job *job, struct buf *report, struct error *err)
{
    struct ingest_report counts;
    char path[SPOOL_PATH_BYTES];
    spool_path(shop, job->import.spool, path);
    struct import_params params = {
        .request = &job->import, .path = path, .progress = &job->progress, .rows = &job->rows};
    ingest_report_init(&counts);
    int rc = import_run(shop, &params, &counts, err);
    ingest_report_json(&counts, report);
    ingest_report_deinit(&counts);
    return rc;
}

static int run_training(struct shop *shop, struct job *job, struct buf *report, struct error *err)
{
    struct train_outcome outcome;
    int rc = train_run(shop, &job->progress, &outcome, err);
    if (rc == 0)
        train_outcome_json(&outcome, report);
    return rc;
}

static void end_row(struct jobs *jobs, struct job *job, int rc, const struct error *err,
                    struct job_row *row)
{
    row->finished_ms = clock_wall_ms();
    row->done = atomic_load(&job->progress.done);
    row->total = atomic_load(&job->progress.total);
    pthread_mutex_lock(&jobs->mutex);
    bool cancelled = job->cancelled;
    pthread_mutex_unlock(&jobs->mutex);
    row->state = rc == 0 ? JOB_DONE : rc == ERR_CANCELLED && cancelled ? JOB_CANCELLED : JOB_FAILED;
    if (row->state == JOB_FAILED)
        row->error = str_of(err->text);
}

/* A training is waiting: back into the queue. Not if somebody cancelled it meanwhile. */
static bool step_aside(struct jobs *jobs, struct job *job, struct job_row *row)
{
    pthread_mutex_lock(&jobs->mutex);
    bool aside = job->aside && !job->cancelled;
    pthread_mutex_unlock(&jobs->mutex);
    if (!aside)
        return false;
    row->state = JOB_QUEUED;
    row->started_ms = 0;
    row->done = --job->starts;
    if (!write_state(jobs, row))
        return true;
    pthread_mutex_lock(&jobs->mutex);
    aside = !job->cancelled;
    if (aside) {
        job->running = job->aside = false;
        job->spent_ns += clock_mono_ns() - job->started_ns;
        progress_init(&job->progress);
    }
    pthread_mutex_unlock(&jobs->mutex);
    row->started_ms = job->started_ms;
    return aside;
}

/* False: it is in the queue again. */
static bool run_job(struct jobs *jobs, struct job *job)
{
    static int (*const runs[])(struct shop *, struct job *, struct buf *, struct error *) = {
        [JOB_IMPORT] = run_import, [JOB_TRAIN] = run_training, [JOB_TUNE] = tunejob_run};
    struct error err = ERROR_INIT;
    struct buf report;
    struct job_row row = {.id = job->id,
                          .state = JOB_RUNNING,
                          .created_ms = job->created_ms,
                          .started_ms = job->started_ms,
                          .done = ++job->starts};
    if (!write_state(jobs, &row))
        return true;
    log_info("job.started", "job=%lld kind=%s", (long long)job->id, job_kind_name(job->kind));
    buf_init(&report, 0);
    int rc = job->kind == JOB_TUNE && job->starts > STARTS_MAX
                 ? error_set(&err, ERR_LIMIT, "given up: begun %d times, never ended", STARTS_MAX)
                 : runs[job->kind](jobs->shop, job, &report, &err);
    bool queued = rc == ERR_CANCELLED && !is_stopping(jobs) && step_aside(jobs, job, &row);
    if (!queued && (rc == 0 || !is_stopping(jobs))) {
        end_row(jobs, job, rc, &err, &row);
        if (!report.failed)
            row.report = (struct str){report.ptr, report.len};
        job->ended = write_state(jobs, &row);
        log_info("job.ended", "job=%lld kind=%s state=%s error=%s", (long long)job->id,
                 job_kind_name(job->kind), job_state_name(row.state),
                 log_text(err.text, (struct log_quoted[1]){0}));
    }
    buf_deinit(&report);
    return !queued;
}

static struct job *oldest_queued(struct jobs *jobs, enum job_kind kind)
{
    struct job *job = jobs->first;
    while (job && (job->kind != kind || job->running || job->leaving))
        job = job->next;
    return job;
}

/* The oldest queued job of a kind, else of the next, marked running; NULL: stopping. */
static struct job *take_job(struct jobs *jobs, enum job_kind kind, enum job_kind last)
{
    struct job *job = NULL;
    pthread_mutex_lock(&jobs->mutex);
    while (!jobs->stopping && !job) {
        for (enum job_kind k = kind; k <= last && !job; k++)
            job = oldest_queued(jobs, k);
        if (!job)
            pthread_cond_wait(&jobs->wake, &jobs->mutex);
    }
    if (jobs->stopping)
        job = NULL;
    if (job) {
        job->running = true;
        job->started_ms = clock_wall_ms();
        job->started_ns = clock_mono_ns();
    }
    pthread_mutex_unlock(&jobs->mutex);
    return job;
}

/* Off the list. The spool file goes only when the log says that the job has ended. */
static void leave(struct jobs *jobs, struct job *job)
{
    pthread_mutex_lock(&jobs->mutex);
    jobs_unlink(jobs, job);
    pthread_mutex_unlock(&jobs->mutex);
    job_free(jobs, job, job->ended);
}

static void work(struct jobs *jobs, enum job_kind kind, enum job_kind last)
{
    struct job *job;
    while ((job = take_job(jobs, kind, last)))
        if (run_job(jobs, job))
            leave(jobs, job);
}

static void *import_jobs(void *context)
{
    work(context, JOB_IMPORT, JOB_IMPORT);
    return NULL;
}

/* Trainings compute on every core and answers do not wait for them: the thread, and with it those
 * it starts, comes after the others. Where that is not allowed it goes without. */
static void give_way(void)
{
    id_t self = (id_t)gettid();
    (void)setpriority(PRIO_PROCESS, self, getpriority(PRIO_PROCESS, self) + LESS_PRIORITY);
}

static void *train_jobs(void *context)
{
    give_way();
    work(context, JOB_TRAIN, JOB_TUNE);
    return NULL;
}

struct jobs *jobs_new(struct shop *shop, struct db *db, struct error *err)
{
    struct jobs *jobs;
    if (!MEM_ZNEW(jobs, 1)) {
        error_set(err, ERR_NOMEM, "jobs: out of memory");
        return NULL;
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&jobs->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&jobs->mutex, NULL);
    jobs->shop = shop;
    if (jobs_recover(jobs, db, err) == 0)
        return jobs;
    jobs_free(jobs);
    return NULL;
}

int jobs_start(struct jobs *jobs, struct error *err)
{
    static void *(*const bodies[JOB_THREADS])(void *) = {import_jobs, train_jobs};
    for (uint32_t i = 0; i < JOB_THREADS; i++) {
        if (pthread_create(&jobs->threads[i], NULL, bodies[i], jobs) != 0)
            return error_set(err, ERR_NOMEM, "jobs: cannot start a thread");
        jobs->threads_started++;
    }
    if (pthread_create(&jobs->keeper, NULL, keep_house, jobs) != 0)
        return error_set(err, ERR_NOMEM, "jobs: cannot start a thread");
    jobs->keeper_started = true;
    return 0;
}

void jobs_stop(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->mutex);
    jobs->stopping = true;
    for (struct job *job = jobs->first; job; job = job->next)
        if (job->running)
            progress_cancel(&job->progress);
    pthread_cond_broadcast(&jobs->wake);
    pthread_mutex_unlock(&jobs->mutex);
    for (uint32_t i = 0; i < jobs->threads_started; i++)
        pthread_join(jobs->threads[i], NULL);
    if (jobs->keeper_started)
        pthread_join(jobs->keeper, NULL);
    jobs->threads_started = 0;
    jobs->keeper_started = false;
}

void jobs_free(struct jobs *jobs)
{
    if (!jobs)
        return;
    assert(!jobs->threads_started && !jobs->keeper_started);
    for (struct job *job = jobs->first, *next; job; job = next) {
        next = job->next;
        free(job);
    }
    pthread_cond_destroy(&jobs->wake);
    pthread_mutex_destroy(&jobs->mutex);
    free(jobs);
}

void jobs_orders_changed(struct jobs *jobs, uint64_t count)
{
    if (jobs && count)
        atomic_fetch_add(&jobs->changes, count);
}

uint32_t jobs_waiting(struct jobs *jobs)
{
    uint32_t count = 0;
    pthread_mutex_lock(&jobs->mutex);
    for (struct job *job = jobs->first; job; job = job->next)
        count += !job->running;
    pthread_mutex_unlock(&jobs->mutex);
    return count;
}

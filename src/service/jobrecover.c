/* What a start makes of the job log: jobs that were queued or running are queued again; uploads
 * that never became a job are deleted. No thread runs yet. */
#include "jobs_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/vec.h"
#include "store/orders.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static bool is_wanted(const struct jobs *jobs, const char *name)
{
    for (const struct job *job = jobs->first; job; job = job->next)
        if (job->kind == JOB_IMPORT && strcmp(job->import.spool, name) == 0)
            return true;
    return false;
}

/* Files of uploads that never became a job. */
static void drop_orphans(struct jobs *jobs)
{
    char path[SPOOL_PATH_BYTES];
    spool_path(jobs->shop, "", path);
    DIR *directory = opendir(path);
    if (!directory)
        return;
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory))
        if (entry->d_name[0] != '.' && !is_wanted(jobs, entry->d_name))
            spool_drop(jobs->shop, entry->d_name);
    closedir(directory);
}

struct recovery {
    struct jobs *jobs;
    VEC(int64_t) broken, unwanted;
};

static bool wants_tuning(const struct jobs *jobs)
{
    enum tune_when when;
    int64_t every_ms;
    return settings_parse_tune(str_of(jobs->shop->settings->tune), &when, &every_ms) &&
           when != TUNE_OFF;
}

static int parse_request(struct job *job, struct str request, struct error *err)
{
    switch (job->kind) {
    case JOB_IMPORT:
        return import_request_parse(request, &job->import, err);
    case JOB_TUNE:
        return tune_request_parse(request, &job->tune, err);
    default:
        return 0;
    }
}

static int recover_row(void *context, const struct job_row *row, struct error *err)
{
    struct recovery *self = context;
    struct error local = ERROR_INIT;
    struct job *job = job_new(row->kind, row->created_ms, err);
    if (!job)
        return ERR_NOMEM;
    job->id = row->id;
    job->starts = (uint32_t)row->done;
    bool broken = parse_request(job, row->request, &local) != 0;
    if (broken || (row->kind == JOB_TUNE && !wants_tuning(self->jobs))) {
        free(job);
        bool noted = broken ? VEC_PUSH(&self->broken, row->id) : VEC_PUSH(&self->unwanted, row->id);
        return local.code == ERR_NOMEM || !noted ? error_set(err, ERR_NOMEM, "jobs: out of memory")
                                                 : 0;
    }
    jobs_append(self->jobs, job);
    log_info("job.recovered", "job=%lld kind=%s was=%s", (long long)row->id,
             job_kind_name(row->kind), job_state_name(row->state));
    return 0;
}

static int end_those(struct recovery *self, struct db *db, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; i < self->unwanted.count && rc == 0; i++) {
        struct job_row row = {
            .id = self->unwanted.at[i], .state = JOB_CANCELLED, .finished_ms = clock_wall_ms()};
        rc = joblog_update(db, &row, err);
    }
    for (size_t i = 0; i < self->broken.count && rc == 0; i++) {
        struct job_row row = {.id = self->broken.at[i],
                              .state = JOB_FAILED,
                              .finished_ms = clock_wall_ms(),
                              .error = STR("its request cannot be read")};
        rc = joblog_update(db, &row, err);
    }
    return rc;
}

static int note_tuning(void *context, const struct job_row *row, struct error *err)
{
    struct jobs *jobs = context;
    struct tune_request request = {0};
    (void)err;
    if (tune_request_parse(row->request, &request, NULL) == 0) {
        jobs->tuned_ms = row->created_ms;
        jobs->tuned_changes = request.changes;
    }
    return 0;
}

int jobs_recover(struct jobs *jobs, struct db *db, struct error *err)
{
    struct recovery self = {.jobs = jobs};
    struct order_stats stats = {0};
    int rc = db_begin(db, err);
    if (rc == 0)
        rc = joblog_recover(db, clock_wall_ms(), recover_row, &self, err);
    if (rc == 0)
        rc = end_those(&self, db, err);
    if (rc == 0)
        rc = db_commit(db, err);
    else
        db_rollback(db);
    if (rc == 0)
        rc = orders_stats(db, &stats, err);
    if (rc == 0)
        rc = joblog_newest(db, JOB_TUNE, note_tuning, jobs, err);
    atomic_store(&jobs->changes, stats.changes);
    VEC_FREE(&self.broken);
    VEC_FREE(&self.unwanted);
    if (rc == 0)
        drop_orphans(jobs);
    return rc;
}

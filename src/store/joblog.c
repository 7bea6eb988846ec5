/* Jobs are few and read by people too: kinds and states are stored by name. */
#include "store/joblog.h"

#include "store/sql.h"

#include <assert.h>

#define COLUMNS                                                                                    \
    "job_id, kind, state, created_ms, started_ms, finished_ms, done, total, request, report, "     \
    "error"

static const char ADD[] =
    "INSERT INTO jobs (kind, state, created_ms, started_ms, finished_ms, done, total, request, "
    "report, error) VALUES (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
static const char UPDATE[] =
    "UPDATE jobs SET state = ?3, created_ms = ?4, started_ms = ?5, finished_ms = ?6, done = ?7, "
    "total = ?8, report = ?10, error = ?11 WHERE job_id = ?1";
static const char GET[] = "SELECT " COLUMNS " FROM jobs WHERE job_id = ?1";
static const char LIST[] =
    "SELECT " COLUMNS " FROM jobs WHERE job_id < ?1 ORDER BY job_id DESC LIMIT ?2";
static const char NEWEST[] =
    "SELECT " COLUMNS " FROM jobs WHERE kind = ?1 ORDER BY job_id DESC LIMIT 1";
static const char INTERRUPT[] = "UPDATE jobs SET state = 'interrupted', finished_ms = ?1 "
                                "WHERE state = 'running'";
static const char UNFINISHED[] = "SELECT " COLUMNS " FROM jobs "
                                 "WHERE state IN ('queued', 'interrupted') ORDER BY job_id";
static const char PRUNE[] =
    "DELETE FROM jobs WHERE state IN ('done', 'failed', 'cancelled') AND job_id NOT IN "
    "(SELECT job_id FROM jobs WHERE state IN ('done', 'failed', 'cancelled') "
    "ORDER BY job_id DESC LIMIT ?1)";

static const char *const KIND_NAMES[JOB_KIND_COUNT] = {"import", "train", "tune"};
static const char *const STATE_NAMES[JOB_STATE_COUNT] = {"queued", "running",   "done",
                                                         "failed", "cancelled", "interrupted"};

const char *job_kind_name(enum job_kind kind)
{
    assert(kind < JOB_KIND_COUNT);
    return KIND_NAMES[kind];
}

const char *job_state_name(enum job_state state)
{
    assert(state < JOB_STATE_COUNT);
    return STATE_NAMES[state];
}

/* -1: none of them. */
static int find_name(const char *const *names, int count, struct str name)
{
    for (int i = 0; i < count; i++)
        if (str_eq(name, str_of(names[i])))
            return i;
    return -1;
}

static void bind(sqlite3_stmt *s, const struct job_row *row)
{
    sql_bind_str(s, 3, str_of(job_state_name(row->state)));
    sqlite3_bind_int64(s, 4, row->created_ms);
    sqlite3_bind_int64(s, 5, row->started_ms);
    sqlite3_bind_int64(s, 6, row->finished_ms);
    sqlite3_bind_int64(s, 7, (int64_t)row->done);
    sqlite3_bind_int64(s, 8, (int64_t)row->total);
    sql_bind_str(s, 10, row->report);
    sql_bind_str(s, 11, row->error);
}

int joblog_add(struct db *db, struct job_row *row, struct error *err)
{
    sqlite3_stmt *s;
    int rc = sql_prepare(db, ADD, &s, err);
    if (rc)
        return rc;
    bind(s, row);
    sql_bind_str(s, 2, str_of(job_kind_name(row->kind)));
    sql_bind_str(s, 9, row->request);
    rc = sql_run(db, s, err);
    if (rc == 0)
        row->id = sqlite3_last_insert_rowid(db->handle);
    return rc;
}

static int not_found(int64_t id, struct error *err)
{
    return error_set(err, ERR_NOT_FOUND, "job %lld: not found", (long long)id);
}

int joblog_update(struct db *db, const struct job_row *row, struct error *err)
{
    sqlite3_stmt *s;
    int rc = sql_prepare(db, UPDATE, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, row->id);
    bind(s, row);
    rc = sql_run(db, s, err);
    if (rc == 0 && sqlite3_changes(db->handle) == 0)
        rc = not_found(row->id, err);
    return rc;
}

/* Visits every row of a bound statement; *visited counts them. */
static int visit_jobs(struct db *db, sqlite3_stmt *s, job_visitor visit, void *context,
                      uint32_t *visited, struct error *err)
{
    int rc;
    *visited = 0;
    while ((rc = sql_row(db, s, err)) == 1) {
        int kind = find_name(KIND_NAMES, JOB_KIND_COUNT, sql_column_str(s, 1));
        int state = find_name(STATE_NAMES, JOB_STATE_COUNT, sql_column_str(s, 2));
        if (kind < 0 || state < 0) {
            rc = error_set(err, ERR_CORRUPT, "%s: job %lld has an unknown kind or state", db->name,
                           (long long)sqlite3_column_int64(s, 0));
            break;
        }
        struct job_row row = {
            .id = sqlite3_column_int64(s, 0),
            .kind = (enum job_kind)kind,
            .state = (enum job_state)state,
            .created_ms = sqlite3_column_int64(s, 3),
            .started_ms = sqlite3_column_int64(s, 4),
            .finished_ms = sqlite3_column_int64(s, 5),
            .done = (uint64_t)sqlite3_column_int64(s, 6),
            .total = (uint64_t)sqlite3_column_int64(s, 7),
            .request = sql_column_str(s, 8),
            .report = sql_column_str(s, 9),
            .error = sql_column_str(s, 10),
        };
        ++*visited;
        rc = visit(context, &row, err);
        if (rc)
            break;
    }
    sqlite3_reset(s);
    return rc;
}

int joblog_get(struct db *db, int64_t id, job_visitor visit, void *context, struct error *err)
{
    sqlite3_stmt *s;
    uint32_t visited;
    int rc = sql_prepare(db, GET, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, id);
    rc = visit_jobs(db, s, visit, context, &visited, err);
    return rc == 0 && visited == 0 ? not_found(id, err) : rc;
}

int joblog_list(struct db *db, int64_t before, uint32_t limit, job_visitor visit, void *context,
                struct error *err)
{
    sqlite3_stmt *s;
    uint32_t visited;
    int rc = sql_prepare(db, LIST, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, before ? before : INT64_MAX);
    sqlite3_bind_int64(s, 2, limit);
    return visit_jobs(db, s, visit, context, &visited, err);
}

int joblog_newest(struct db *db, enum job_kind kind, job_visitor visit, void *context,
                  struct error *err)
{
    sqlite3_stmt *s;
    uint32_t visited;
    int rc = sql_prepare(db, NEWEST, &s, err);
    if (rc)
        return rc;
    sql_bind_str(s, 1, str_of(job_kind_name(kind)));
    return visit_jobs(db, s, visit, context, &visited, err);
}

int joblog_recover(struct db *db, int64_t now_ms, job_visitor visit, void *context,
                   struct error *err)
{
    sqlite3_stmt *s;
    uint32_t visited;
    int rc = sql_prepare(db, INTERRUPT, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, now_ms);
    rc = sql_run(db, s, err);
    if (rc == 0)
        rc = sql_prepare(db, UNFINISHED, &s, err);
    return rc ? rc : visit_jobs(db, s, visit, context, &visited, err);
}

int joblog_prune(struct db *db, uint32_t keep, struct error *err)
{
    sqlite3_stmt *s;
    int rc = sql_prepare(db, PRUNE, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, keep);
    return sql_run(db, s, err);
}

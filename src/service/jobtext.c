/* Jobs as JSON: the request in the job log, and the objects of GET /jobs. A running job's row in
 * the database says only that it runs; how far it is comes from the list in memory. */
#include "jobs_internal.h"

#include "base/clock.h"
#include "service/reader_thread.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const coding_names[] = {[CODING_AUTO] = "auto",
                                           [CODING_IDENTITY] = "identity",
                                           [CODING_GZIP] = "gzip",
                                           [CODING_ZSTD] = "zstd"};
#define CODINGS (sizeof coding_names / sizeof *coding_names)

static void field(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, ",\"%s\":", name);
    buf_json_str(out, str_of(value));
}

void import_request_json(const struct import_request *r, struct buf *out)
{
    buf_printf(out, "{\"strict\":%s", r->strict ? "true" : "false");
    field(out, "spool", r->spool);
    field(out, "format", reader_format_name(r->format));
    field(out, "coding", coding_names[r->coding]);
    field(out, "source", r->source);
    field(out, "include_items", r->include_items);
    field(out, "exclude_items", r->exclude_items);
    buf_text(out, ",\"maps\":[");
    for (uint32_t i = 0; i < r->map_count; i++) {
        buf_text(out, i ? "," : "");
        buf_json_str(out, str_of(r->maps[i]));
    }
    buf_text(out, "]}");
}

static bool take_text(const json_t *value, char *out, size_t room)
{
    const char *text = json_string_value(value);
    if (!text || json_string_length(value) >= room)
        return false;
    memcpy(out, text, json_string_length(value) + 1);
    return true;
}

static bool take_coding(const json_t *value, enum reader_coding *out)
{
    const char *text = json_string_value(value);
    for (size_t i = 0; text && i < CODINGS; i++) {
        if (strcmp(text, coding_names[i]) != 0)
            continue;
        *out = (enum reader_coding)i;
        return true;
    }
    return false;
}

static bool take_maps(const json_t *list, struct import_request *out)
{
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count > sizeof out->maps / sizeof *out->maps)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!take_text(json_array_get(list, i), out->maps[i], sizeof out->maps[i]))
            return false;
    out->map_count = (uint32_t)count;
    return true;
}

int import_request_parse(struct str json, struct import_request *out, struct error *err)
{
    memset(out, 0, sizeof *out);
    json_error_t problem;
    json_t *root = json_loadb(json.ptr ? json.ptr : "", json.len, 0, &problem);
    if (!root && json_error_code(&problem) == json_error_out_of_memory)
        return error_set(err, ERR_NOMEM, "job request: out of memory");
    bool good = take_text(json_object_get(root, "spool"), out->spool, sizeof out->spool) &&
                take_text(json_object_get(root, "source"), out->source, sizeof out->source) &&
                take_text(json_object_get(root, "include_items"), out->include_items,
                          sizeof out->include_items) &&
                take_text(json_object_get(root, "exclude_items"), out->exclude_items,
                          sizeof out->exclude_items) &&
                reader_format_parse(str_of(json_string_value(json_object_get(root, "format"))),
                                    &out->format) &&
                take_coding(json_object_get(root, "coding"), &out->coding) &&
                take_maps(json_object_get(root, "maps"), out) && !strchr(out->spool, '/');
    out->strict = json_is_true(json_object_get(root, "strict"));
    json_decref(root);
    return good ? 0 : error_set(err, ERR_CORRUPT, "job request: not as it was written");
}

/* What a running job shows of itself. */
struct moment {
    bool running;
    const char *step;
    uint64_t done, total, rows;
    double rows_per_s, eta_s; /* < 0: not known */
};

static struct moment moment_of(struct job *job)
{
    uint64_t now_ns = clock_mono_ns();
    struct moment m = {.running = true,
                       .step = atomic_load(&job->progress.step),
                       .done = atomic_load(&job->progress.done),
                       .total = atomic_load(&job->progress.total),
                       .rows = atomic_load(&job->rows),
                       .rows_per_s = -1,
                       .eta_s = -1};
    if (m.step != job->step || m.done < job->step_done) {
        job->step = m.step;
        job->step_ns = now_ns;
        job->step_done = m.done;
    }
    double elapsed_s = (double)(now_ns - job->started_ns) / 1e9;
    double step_s = (double)(now_ns - job->step_ns) / 1e9;
    if (job->kind == JOB_IMPORT && elapsed_s > 0)
        m.rows_per_s = (double)m.rows / elapsed_s;
    if (m.done > job->step_done && m.total >= m.done)
        m.eta_s = step_s * (double)(m.total - m.done) / (double)(m.done - job->step_done);
    return m;
}

static struct moment look_up(struct jobs *jobs, const struct job_row *row)
{
    struct moment none = {.rows_per_s = -1, .eta_s = -1};
    if (!jobs ||
        (row->state != JOB_QUEUED && row->state != JOB_RUNNING && row->state != JOB_INTERRUPTED))
        return none;
    pthread_mutex_lock(&jobs->mutex);
    struct job *job = jobs_find(jobs, row->id);
    struct moment moment = job && job->running ? moment_of(job) : none;
    pthread_mutex_unlock(&jobs->mutex);
    return moment;
}

static void time_field(struct buf *out, const char *name, int64_t time_ms)
{
    char text[25];
    if (time_ms)
        time_ms_format(time_ms, text);
    buf_printf(out, time_ms ? ",\"%s\":\"%s\"" : ",\"%s\":null", name, text);
}

static void number_field(struct buf *out, const char *name, double value)
{
    buf_printf(out, ",\"%s\":", name);
    if (value < 0)
        buf_text(out, "null");
    else
        buf_f64(out, value);
}

static void count_field(struct buf *out, const char *name, bool known, uint64_t value)
{
    buf_printf(out, ",\"%s\":", name);
    if (known)
        buf_u64(out, value);
    else
        buf_text(out, "null");
}

static void job_json(struct jobs *jobs, const struct job_row *row, struct buf *out)
{
    struct moment m = look_up(jobs, row);
    buf_printf(out, "{\"id\":%lld,\"kind\":\"%s\",\"state\":\"%s\"", (long long)row->id,
               job_kind_name(row->kind), job_state_name(m.running ? JOB_RUNNING : row->state));
    time_field(out, "created", row->created_ms);
    time_field(out, "started", row->started_ms);
    time_field(out, "finished", row->finished_ms);
    buf_text(out, ",\"step\":");
    if (m.running && m.step)
        buf_json_str(out, str_of(m.step));
    else
        buf_text(out, "null");
    count_field(out, "done", m.running, m.done);
    count_field(out, "total", m.running && m.total, m.total);
    count_field(out, "rows", m.running && row->kind == JOB_IMPORT, m.rows);
    number_field(out, "rows_per_s", m.rows_per_s);
    number_field(out, "eta_s", m.eta_s);
    buf_text(out, ",\"report\":");
    buf_str(out, row->report.len ? row->report : STR("null"));
    buf_text(out, ",\"error\":");
    if (row->error.len)
        buf_json_str(out, row->error);
    else
        buf_text(out, "null");
    buf_char(out, '}');
}

struct listing {
    struct jobs *jobs;
    struct buf *out;
    uint32_t count, limit;
    int64_t last, next;
};

static int add_job(void *context, const struct job_row *row, struct error *err)
{
    (void)err;
    struct listing *list = context;
    if (list->count == list->limit) { /* the one behind the page: there is more */
        list->next = list->last;
        return 0;
    }
    buf_text(list->out, list->count++ ? "," : "");
    job_json(list->jobs, row, list->out);
    list->last = row->id;
    return 0;
}

static int show_run(struct shop *shop, struct op *op, struct error *err)
{
    struct job_show_op *self = (struct job_show_op *)op;
    struct db *db = reader_thread_orders(shop->reader);
    struct listing list = {.jobs = shop->jobs, .out = &self->json, .limit = self->limit};
    int rc;
    if (self->job_id) {
        list.limit = 1;
        rc = joblog_get(db, self->job_id, add_job, &list, err);
    } else {
        buf_text(&self->json, "{\"jobs\":[");
        rc = joblog_list(db, self->before, self->limit + 1, add_job, &list, err);
        buf_text(&self->json, "],\"next\":");
        if (list.next)
            buf_i64(&self->json, list.next);
        else
            buf_text(&self->json, "null");
        buf_char(&self->json, '}');
    }
    if (rc == 0 && self->json.failed)
        rc = error_set(err, ERR_NOMEM, "jobs: out of memory");
    return rc;
}

void jobs_show_prepare(struct job_show_op *op, int64_t job_id, void (*done)(struct op *op))
{
    *op = (struct job_show_op){
        .op = {.run = show_run, .done = done, .cost = 1}, .job_id = job_id, .limit = 50};
    buf_init(&op->json, 0);
}

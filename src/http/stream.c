/* POST /ingest. A small body goes through the reader as it arrives and is committed before the
 * answer; a large one, or one that asks for it, is spooled to disk piece by piece on the thread
 * pool, the connection waiting meanwhile, and becomes a job. A body of unknown length starts as
 * small: what came so far is kept and becomes the head of the spool file when it grows. */
#include "http_internal.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct stream {
    struct request *request;
    struct import_request how;
    struct ingest_op *ingest; /* small */
    struct buf seen; /* small, of unknown length: the bytes so far; large: the piece to write */
    struct job_submit_op submit; /* large */
    bool large, known, finished, submitted;
    int fd;
    struct error err;
};

static void stream_release(void *state)
{
    struct stream *s = state;
    if (s->fd >= 0)
        close(s->fd);
    if (s->large && !s->submitted && s->how.spool[0])
        spool_drop(s->request->loop->shop, s->how.spool);
    ingest_op_free(s->ingest);
    buf_deinit(&s->seen);
    free(s);
}

static bool copy_param(struct request *r, const struct param *p, char *to, size_t room)
{
    if (!p->value.ptr)
        return true;
    if (p->value.len >= room) {
        reply_invalid(r, p->name, "%s: longer than %zu bytes", p->name, room - 1);
        return false;
    }
    memcpy(to, p->value.ptr, p->value.len);
    to[p->value.len] = '\0';
    return true;
}

static bool take_maps(struct request *r, const struct param *p, struct import_request *how)
{
    struct str rest = p->value;
    while (rest.ptr && rest.len > 0) {
        struct param one = {p->name, str_cut(&rest, ',')};
        if (how->map_count == 16) {
            reply_invalid(r, p->name, "map: more than 16");
            return false;
        }
        if (!copy_param(r, &one, how->maps[how->map_count++], sizeof how->maps[0]))
            return false;
    }
    return true;
}

static bool take_types(struct request *r, struct import_request *how)
{
    static const struct {
        const char *type;
        enum reader_format format;
    } types[] = {{"application/x-ndjson", FORMAT_NDJSON},
                 {"application/jsonl", FORMAT_NDJSON},
                 {"text/csv", FORMAT_CSV}};
    struct str type = header_value(r, "Content-Type"), coding = header_value(r, "Content-Encoding");
    type = str_trim(str_cut(&type, ';'));
    for (size_t i = 0; how->format == FORMAT_AUTO && i < sizeof types / sizeof types[0]; i++)
        if (str_eq_nocase(type, str_of(types[i].type)))
            how->format = types[i].format;
    if (!coding.len || str_eq_nocase(coding, STR("identity")))
        return true;
    if (str_eq_nocase(coding, STR("gzip")) || str_eq_nocase(coding, STR("zstd"))) {
        how->coding = str_eq_nocase(coding, STR("gzip")) ? CODING_GZIP : CODING_ZSTD;
        return true;
    }
    reply_problem(r, 415, "Content-Encoding: gzip and zstd are understood");
    return false;
}

static bool read_how(struct request *r, struct import_request *how)
{
    struct param p[] = {{.name = "format"}, {.name = "strict"},        {.name = "source"},
                        {.name = "map"},    {.name = "include_items"}, {.name = "exclude_items"}};
    if (!params_read(r, p, 6))
        return false;
    if (p[0].value.ptr && !reader_format_parse(p[0].value, &how->format)) {
        reply_invalid(r, "format", "format: expected ndjson, json, csv or fimi");
        return false;
    }
    return param_bool(r, &p[1], &how->strict) &&
           copy_param(r, &p[2], how->source, sizeof how->source) && take_maps(r, &p[3], how) &&
           copy_param(r, &p[4], how->include_items, sizeof how->include_items) &&
           copy_param(r, &p[5], how->exclude_items, sizeof how->exclude_items) &&
           take_types(r, how);
}

static void ingest_done(struct op *op)
{
    struct stream *s = ((struct ingest_op *)(void *)op)->context;
    request_wake(s->request);
}

void stream_begin(struct request *r)
{
    const struct settings *settings = r->loop->shop->settings;
    struct stream *s = mem_zarray(1, sizeof *s);
    uint64_t length = 0;
    if (!s) {
        reply_problem(r, 503, "out of memory");
        return;
    }
    s->request = r;
    s->fd = -1;
    r->state = s;
    r->release = stream_release;
    buf_init(&s->seen, 0);
    if (!read_how(r, &s->how))
        return;
    s->known = str_to_u64(header_value(r, "Content-Length"), &length);
    s->large = length > settings->inline_body_bytes ||
               str_eq_nocase(header_value(r, "Prefer"), STR("respond-async"));
    if (s->large)
        return;
    s->ingest = ingest_op_new(ingest_done, &s->err);
    if (!s->ingest || ingest_op_open(s->ingest, r->loop->shop, &s->how, &s->err) != 0)
        reply_error(r, &s->err);
    else
        s->ingest->context = s;
}

/* ---- large: on the thread pool ---- */

static int write_all(int fd, const char *bytes, size_t count, struct error *err)
{
    while (count > 0) {
        ssize_t n = write(fd, bytes, count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, ERR_IO, errno, "spooling the upload");
        bytes += n;
        count -= (size_t)n;
    }
    return 0;
}

static void pool_work(uv_work_t *work)
{
    struct request *r = work->data;
    struct stream *s = r->state;
    struct shop *shop = r->loop->shop;
    int rc = s->fd < 0 ? spool_create(shop, s->how.spool, &s->fd, &s->err) : 0;
    if (rc == 0)
        rc = write_all(s->fd, s->seen.ptr, s->seen.len, &s->err);
    buf_clear(&s->seen);
    if (rc == 0 && s->finished) {
        rc = spool_commit(shop, s->fd, &s->err);
        s->fd = -1;
    }
    (void)rc; /* s->err has it */
}

static void submit_done(struct op *op)
{
    struct stream *s = (struct stream *)(void *)((char *)op - offsetof(struct stream, submit));
    request_wake(s->request);
}

static void finish_submit(struct request *r)
{
    struct stream *s = r->state;
    struct buf out;
    char location[40];
    if (s->submit.op.result) {
        reply_error(r, &s->submit.op.err);
        return;
    }
    s->submitted = true;
    buf_init(&out, 0);
    buf_printf(&out, "{\"job\":%lld,\"bytes\":%llu}", (long long)s->submit.job_id,
               (unsigned long long)r->body_bytes);
    snprintf(location, sizeof location, "/jobs/%lld", (long long)s->submit.job_id);
    reply_json(r, 202, &out);
    reply_header(r, "Location", location);
}

static void pool_after(uv_work_t *work, int status)
{
    struct request *r = work->data;
    struct stream *s = r->state;
    (void)status;
    if (s->err.code) {
        reply_error(r, &s->err);
    } else if (s->finished) {
        jobs_import_prepare(&s->submit, &s->how, submit_done);
        r->finish = finish_submit;
        if (shop_write(r->loop->shop, &s->submit.op, &s->err) == 0)
            return; /* still suspended */
        reply_error(r, &s->err);
    }
    request_resume(r);
}

static void send_to_pool(struct request *r)
{
    request_suspend(r, NULL);
    r->work.data = r;
    uv_queue_work(&r->loop->uv, &r->work, pool_work, pool_after);
}

void stream_piece(struct request *r, struct str bytes)
{
    struct stream *s = r->state;
    const struct settings *settings = r->loop->shop->settings;
    if (r->body_bytes > settings->upload_bytes) {
        reply_problem(r, 413, "the body is larger than ingest.upload allows");
        return;
    }
    if (!s->known || s->large)
        buf_str(&s->seen, bytes);
    if (!s->large && r->body_bytes > settings->inline_body_bytes) {
        ingest_op_free(s->ingest);
        s->ingest = NULL;
        s->large = true;
    }
    if (s->seen.failed)
        reply_problem(r, 503, "out of memory");
    else if (s->large)
        send_to_pool(r);
    else if (ingest_op_feed(s->ingest, bytes, &s->err) != 0)
        reply_error(r, &s->err);
}

/* ---- the end of the body ---- */

static void reply_report(struct request *r, int status)
{
    struct stream *s = r->state;
    struct buf out;
    buf_init(&out, 0);
    ingest_report_json(&s->ingest->report, &out);
    reply_json(r, status, &out);
}

static void finish_small(struct request *r)
{
    struct stream *s = r->state;
    if (s->ingest->op.result)
        reply_error(r, &s->ingest->op.err);
    else
        reply_report(r, 200);
}

/* strict: every bad line as a problem's errors, nothing written. */
static void reply_strict(struct request *r)
{
    struct stream *s = r->state;
    const struct ingest_report *report = &s->ingest->report;
    struct buf out;
    buf_init(&out, 0);
    buf_printf(&out,
               "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":422,\"detail\":\"%llu bad "
               "lines, nothing was "
               "written\",\"instance\":\"%s\",\"errors\":[",
               status_title(422), (unsigned long long)report->problem_total, r->request_id);
    for (uint32_t i = 0; i < report->problem_count; i++) {
        const struct ingest_problem *p = &report->problems[i];
        buf_printf(&out, "%s{\"line\":%llu,\"field\":", i ? "," : "", (unsigned long long)p->line);
        buf_json_str(&out, p->field);
        buf_text(&out, ",\"detail\":");
        buf_json_str(&out, p->reason);
        buf_char(&out, '}');
    }
    buf_text(&out, "]}");
    reply_buf(r, 422, "application/problem+json", &out);
}

void handle_ingest(struct request *r)
{
    struct stream *s = r->state;
    if (s->large) {
        s->finished = true;
        send_to_pool(r);
        return;
    }
    if (r->body_bytes == 0) {
        reply_invalid(r, "", "records are needed as body");
        return;
    }
    if (ingest_op_finish(s->ingest, &s->err) != 0)
        reply_error(r, &s->err);
    else if (s->how.strict && s->ingest->report.problem_total > 0)
        reply_strict(r);
    else
        request_write(r, &s->ingest->op, finish_small);
}

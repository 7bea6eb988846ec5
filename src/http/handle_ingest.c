/* POST /ingest, in two ways.
 *
 *     small: pieces ─► reader ─► ingest op ─► writer, COMMIT ─► 200 with the report
 *     large, or Prefer: respond-async: pieces ─► DIR/spool, fsync ─► import job ─► 202
 *
 * Which one is decided with the first piece: by the announced length, and for compressed bodies by
 * a sixteenth of the limit, so that what a loop unpacks stays small. A chunked body begins small
 * and keeps a copy of what came; when it grows beyond the limit, the copy begins the spool file. */
#include "http/handlers.h"

#include "http/loop.h"
#include "http/respond.h"
#include "http/spool.h"

#include <string.h>

#define COMPRESSED_SHARE 16
#define MAPS_MAX         16

struct ingest_input {
    int format;
    bool strict;
    struct str source, include_items, exclude_items;
    struct str_list maps;
};

static int parse_format(struct str text)
{
    enum reader_format format;
    return reader_format_parse(text, &format) ? (int)format : -1;
}

/* clang-format off: a table reads best as one */
#define AT(member) offsetof(struct ingest_input, member)
const struct field ingest_params[] = {
    {.name = "format",
     .kind = FIELD_CHOICE,
     .offset = AT(format),
     .choice = parse_format,
     .note = "ndjson, json, csv, fimi"},
    {.name = "strict", .kind = FIELD_FLAG, .offset = AT(strict)},
    {.name = "source", .kind = FIELD_TEXT, .offset = AT(source), .max = 127},
    {.name = "map", .kind = FIELD_TEXTS, .offset = AT(maps), .max = MAPS_MAX},
    {.name = "include_items", .kind = FIELD_TEXT, .offset = AT(include_items), .max = 255},
    {.name = "exclude_items", .kind = FIELD_TEXT, .offset = AT(exclude_items), .max = 255},
    {.name = NULL},
};
/* clang-format on */

struct media {
    struct str type;
    enum reader_format format; /* AUTO: the type leaves it open */
};

static const struct media medias[] = {
    {{"application/x-ndjson", 20}, FORMAT_NDJSON},
    {{"application/ndjson", 18}, FORMAT_NDJSON},
    {{"application/jsonl", 17}, FORMAT_NDJSON},
    {{"application/json", 16}, FORMAT_JSON},
    {{"text/csv", 8}, FORMAT_CSV},
    {{"text/plain", 10}, FORMAT_AUTO},
    {{"application/octet-stream", 24}, FORMAT_AUTO},
    {{"application/gzip", 16}, FORMAT_AUTO},
    {{"application/zstd", 16}, FORMAT_AUTO},
    {{"application/x-www-form-urlencoded", 33}, FORMAT_AUTO}, /* what `curl -d` says */
};
#define MEDIAS (sizeof medias / sizeof medias[0])

/* The format by parameter and Content-Type, which must not contradict each other. */
static int choose_format(struct request *r, int given)
{
    struct str rest = r->head.value[HEAD_CONTENT_TYPE];
    enum reader_format by_type = FORMAT_AUTO;
    if (rest.ptr) {
        struct str type = str_trim(str_cut(&rest, ';'));
        size_t i = 0;
        while (i < MEDIAS && !str_eq_nocase(type, medias[i].type))
            i++;
        if (i == MEDIAS)
            return respond_problem(r, 415,
                                   "Content-Type '%.*s': send application/x-ndjson, "
                                   "application/json, text/csv, or application/octet-stream to "
                                   "have the format found out",
                                   STR_ARG(type));
        by_type = medias[i].format;
    }
    if (given && by_type && given != (int)by_type)
        return respond_problem(r, 400, "format=%s contradicts the Content-Type",
                               reader_format_name((enum reader_format)given));
    r->import->format = given ? (enum reader_format)given : by_type;
    return 0;
}

static int choose_coding(struct request *r)
{
    struct str coding = r->head.value[HEAD_CONTENT_ENCODING];
    if (!coding.ptr)
        r->import->coding = CODING_AUTO;
    else if (str_eq_nocase(coding, STR("gzip")))
        r->import->coding = CODING_GZIP;
    else if (str_eq_nocase(coding, STR("zstd")))
        r->import->coding = CODING_ZSTD;
    else if (str_eq_nocase(coding, STR("identity")))
        r->import->coding = CODING_IDENTITY;
    else
        return respond_problem(r, 415, "Content-Encoding '%.*s': send gzip, zstd or none",
                               STR_ARG(coding));
    return 0;
}

static void copy_text(char *to, size_t room, struct str text)
{
    size_t n = text.len < room ? text.len : room - 1;
    if (n)
        memcpy(to, text.ptr, n);
    to[n] = '\0';
}

/* glibc's matcher can be made to take exponential time or memory by counts and back-references. */
static bool is_harmless_regex(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        bool digit = i + 1 < text.len && text.ptr[i + 1] >= '0' && text.ptr[i + 1] <= '9';
        if (text.ptr[i] == '{' || (text.ptr[i] == '\\' && digit))
            return false;
    }
    return true;
}

static int take_options(struct request *r, const struct ingest_input *in)
{
    struct import_request *to = r->import;
    if (!is_harmless_regex(in->include_items) || !is_harmless_regex(in->exclude_items))
        return respond_problem(r, 400,
                               "include_items, exclude_items: counts ({…}) and back-references "
                               "(\\1) may not be used here");
    for (uint32_t i = 0; i < in->maps.count; i++)
        if (in->maps.at[i].len >= sizeof to->maps[0])
            return respond_problem(r, 400, "map: an entry is longer than 127 bytes");
    to->strict = in->strict;
    copy_text(to->source, sizeof to->source, in->source);
    copy_text(to->include_items, sizeof to->include_items, in->include_items);
    copy_text(to->exclude_items, sizeof to->exclude_items, in->exclude_items);
    to->map_count = in->maps.count;
    for (uint32_t i = 0; i < in->maps.count; i++)
        copy_text(to->maps[i], sizeof to->maps[i], in->maps.at[i]);
    return 0;
}

int handle_ingest_begin(struct request *r)
{
    struct ingest_input in = {.format = FORMAT_AUTO};
    int status = request_params(r, &in);
    if (status)
        return status;
    r->import = arena_alloc(&r->arena, 1, sizeof *r->import);
    if (!r->import)
        return respond_problem(r, 503, "out of memory");
    memset(r->import, 0, sizeof *r->import);
    status = choose_format(r, in.format);
    if (!status)
        status = choose_coding(r);
    if (!status)
        status = take_options(r, &in);
    return status ? status : GO_ON;
}

static void ingest_done(struct op *op)
{
    loop_post(((struct ingest_op *)op)->context);
}

static bool is_compressed(const struct request *r, struct str first)
{
    if (r->import->coding != CODING_AUTO)
        return r->import->coding != CODING_IDENTITY;
    return str_starts(first, STR("\x1f\x8b")) || str_starts(first, STR("\x28\xb5\x2f\xfd"));
}

/* RFC 7240: a comma list of preferences, each with parameters. */
static bool prefers_async(const struct request *r)
{
    struct str list = r->head.value[HEAD_PREFER];
    while (list.ptr) {
        struct str one = str_cut(&list, ',');
        if (str_eq_nocase(str_trim(str_cut(&one, ';')), STR("respond-async")))
            return true;
    }
    return false;
}

static int open_spool(struct request *r, struct str first)
{
    r->spool = spool_new(r, first);
    return r->spool ? 0 : respond_problem(r, 503, "out of memory");
}

static int open_op(struct request *r)
{
    struct error err = ERROR_INIT;
    r->ingest = ingest_op_new(ingest_done, &err);
    if (!r->ingest || ingest_op_open(r->ingest, r->loop->shop, r->import, &err) != 0)
        return respond_error(r, &err);
    r->ingest->context = r;
    return 0;
}

/* Sets body.max to the most bytes that are taken small. */
static int open_body(struct request *r, struct str first)
{
    uint64_t length;
    uint64_t limit = r->loop->shop->settings->inline_body_bytes;
    if (is_compressed(r, first))
        limit /= COMPRESSED_SHARE;
    r->body.max = (size_t)limit;
    if (head_length(&r->head, UINT64_MAX, &length) != 0)
        return respond_problem(r, 413, "the body is too large");
    bool chunked = length == UINT64_MAX;
    if (prefers_async(r) || (!chunked && length > limit))
        return open_spool(r, STR_NONE);
    return open_op(r);
}

static int feed_op(struct request *r, struct str bytes)
{
    struct error err = ERROR_INIT;
    if (r->head.count[HEAD_TRANSFER_ENCODING])
        buf_str(&r->body, bytes);
    if (!r->body.failed)
        return ingest_op_feed(r->ingest, bytes, &err) == 0 ? GO_ON : respond_error(r, &err);
    /* Too large for the small way, or no memory for the copy. */
    int status = open_spool(r, (struct str){r->body.ptr, r->body.len});
    buf_deinit(&r->body);
    ingest_op_free(r->ingest);
    r->ingest = NULL;
    return status ? status : spool_feed(r->spool, bytes);
}

int handle_ingest_piece(struct request *r, struct str bytes)
{
    int status = 0;
    if (!r->ingest && !r->spool)
        status = open_body(r, bytes);
    if (status)
        return status;
    return r->spool ? spool_feed(r->spool, bytes) : feed_op(r, bytes);
}

static int op_committed(struct request *r)
{
    struct ingest_op *op = r->ingest;
    if (op->op.result != 0)
        return respond_error(r, &op->op.err);
    ingest_report_json(&op->report, &r->out);
    return 200;
}

/* 422 with the bad lines and the whole report: nothing of it was written. */
static int refuse(struct request *r, const char *why)
{
    struct buf members;
    const struct ingest_report *report = &r->ingest->report;
    buf_init(&members, 0);
    buf_text(&members, "\"errors\":[");
    for (uint32_t i = 0; i < report->problem_count; i++) {
        buf_text(&members, i ? ",{\"detail\":" : "{\"detail\":");
        buf_json_str(&members, report->problems[i].reason);
        buf_text(&members, ",\"line\":");
        buf_u64(&members, report->problems[i].line);
        buf_text(&members, ",\"field\":");
        buf_json_str(&members, report->problems[i].field);
        buf_char(&members, '}');
    }
    buf_text(&members, "],\"report\":");
    ingest_report_json(report, &members);
    int status = respond_problem_with(r, 422, (struct str){members.ptr, members.len}, why);
    r->out.failed |= members.failed;
    buf_deinit(&members);
    return status;
}

static int submit_op(struct request *r)
{
    struct error err = ERROR_INIT;
    if (ingest_op_finish(r->ingest, &err) != 0)
        return respond_error(r, &err);
    if (r->ingest->report.problem_total) {
        if (r->import->strict)
            return refuse(r, "strict: lines are wrong, so nothing was written");
        if (ingest_op_records(r->ingest) == 0)
            return refuse(r, "no line could be used");
    }
    return request_write_op(r, &r->ingest->op, op_committed);
}

static int job_made(struct request *r)
{
    const struct job_submit_op *op = &r->work.submit;
    if (op->op.result != 0)
        return respond_error(r, &op->op.err);
    spool_keep(r->spool);
    return handle_job_made(r, op->job_id);
}

static int spooled(struct request *r)
{
    int status = spool_finished(r->spool, r->import->spool);
    if (status)
        return status;
    jobs_import_prepare(&r->work.submit, r->import, request_done);
    return request_write(r, job_made);
}

int handle_ingest(struct request *r)
{
    if (r->spool)
        return spool_finish(r->spool, spooled);
    if (r->ingest)
        return submit_op(r);
    return respond_problem(r, 400, "the body is empty");
}

void handle_ingest_release(struct request *r)
{
    ingest_op_free(r->ingest);
    r->ingest = NULL;
    spool_free(r->spool);
    r->spool = NULL;
    r->import = NULL;
}

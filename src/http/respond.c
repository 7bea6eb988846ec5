/* Everything an answer has besides what the handler wrote. Problems replace whatever was there. */
#include "http/respond.h"

#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

int respond_status(enum err code)
{
    switch (code) {
    case OK:
        return 200;
    case ERR_INVALID:
        return 400;
    case ERR_NOT_FOUND:
        return 404;
    case ERR_CONFLICT:
        return 409;
    case ERR_TOO_LARGE:
        return 413;
    case ERR_FULL:
        return 507;
    case ERR_NOMEM:
    case ERR_LIMIT:
    case ERR_NOT_READY:
    case ERR_CANCELLED:
        return 503;
    case ERR_CORRUPT:
    case ERR_IO:
    case ERR_DB:
    case ERR_INTERNAL:
        return 500;
    }
    return 500;
}

struct title {
    int status;
    const char *text;
};

static const struct title titles[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {409, "Conflict"},
    {410, "Gone"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {507, "Insufficient Storage"},
};

const char *respond_title(int status)
{
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
        if (titles[i].status == status)
            return titles[i].text;
    return "Error";
}

void respond_field(struct request *r, const char *name, const char *value)
{
    assert(r->field_count < REQUEST_FIELDS_MAX);
    r->fields[r->field_count++] = (struct reply_field){name, value};
}

void respond_copied(struct request *r, const char *name, struct str value)
{
    struct str copy = arena_str(&r->arena, value);
    if (copy.ptr)
        respond_field(r, name, copy.ptr);
    else
        r->out.failed = true;
}

void respond_location(struct request *r, const char *prefix, int64_t number)
{
    char text[64];
    int length = snprintf(text, sizeof text, "%s%lld", prefix, (long long)number);
    respond_copied(r, "Location", (struct str){text, (size_t)length});
}

/* Details may quote what the client sent, cut anywhere. */
static void add_detail(struct buf *out, struct str detail)
{
    if (utf8_valid(detail)) {
        buf_json_str(out, detail);
        return;
    }
    struct buf ascii;
    buf_init(&ascii, 0);
    for (size_t i = 0; i < detail.len; i++)
        buf_char(&ascii, (unsigned char)detail.ptr[i] < 0x80 ? detail.ptr[i] : '?');
    buf_json_str(out, (struct str){ascii.ptr, ascii.len});
    out->failed |= ascii.failed;
    buf_deinit(&ascii);
}

static int write_problem(struct request *r, int status, struct str detail)
{
    struct buf *out = &r->out;
    buf_clear(out);
    r->content_type = "application/problem+json";
    r->etag[0] = '\0';
    buf_text(out, "{\"type\":\"about:blank\",\"title\":");
    buf_json_str(out, str_of(respond_title(status)));
    buf_printf(out, ",\"status\":%d,\"detail\":", status);
    add_detail(out, detail);
    buf_text(out, ",\"instance\":");
    struct str query = r->target;
    struct str path = str_cut(&query, '?');
    add_detail(out, path.len && path.len < 1024 ? path : STR("/"));
    buf_text(out, ",\"request_id\":");
    buf_json_str(out, str_of(r->id));
    if (r->problems.count) {
        buf_text(out, ",\"errors\":");
        problems_json(&r->problems, out);
    }
    buf_char(out, '}');
    if (status == 503)
        respond_field(r, "Retry-After", "1");
    return status;
}

int respond_problem(struct request *r, int status, const char *format, ...)
{
    char detail[512];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    return write_problem(r, status, str_of(detail));
}

int respond_error(struct request *r, const struct error *err)
{
    assert(err->code != OK);
    return write_problem(r, respond_status(err->code), str_of(err->text));
}

int respond_problems(struct request *r)
{
    const struct problem *first = &r->problems.at[0];
    if (r->problems.no_memory || r->problems.count == 0)
        return respond_problem(r, 503, "out of memory");
    if (r->problems.total > 1)
        return respond_problem(r, 400, "%u fields or parameters are wrong", r->problems.total);
    return respond_problem(r, 400, "%.*s: %.*s", STR_ARG(first->where), STR_ARG(first->detail));
}

int respond_parameter(struct request *r, int status, const char *name, const struct error *err)
{
    struct place place = {.name = str_of(name), .parameter = true};
    problems_add(&r->problems, &place, "%s", err->text);
    return respond_problem(r, status, "%s: %s", name, err->text);
}

int respond_problem_with(struct request *r, int status, struct str members, const char *detail)
{
    write_problem(r, status, str_of(detail));
    if (r->out.failed)
        return status;
    r->out.len--; /* the closing brace */
    buf_char(&r->out, ',');
    buf_str(&r->out, members);
    buf_char(&r->out, '}');
    return status;
}

/* Does If-None-Match name this tag (RFC 9110, 13.1.2: weak comparison)? */
static bool is_known(struct str list, struct str opaque)
{
    if (str_eq(list, STR("*")))
        return true;
    while (list.ptr) {
        struct str tag = str_trim(str_cut(&list, ','));
        if (str_starts(tag, STR("W/")))
            tag = (struct str){tag.ptr + 2, tag.len - 2};
        if (str_eq(tag, opaque))
            return true;
    }
    return false;
}

static void write_tag(char *out, XXH128_hash_t hash, bool weak)
{
    static const char digits[] = "0123456789abcdef";
    if (weak) {
        memcpy(out, "W/", 2);
        out += 2;
    }
    *out++ = '"';
    for (int i = 0; i < 16; i++)
        *out++ = digits[hash.low64 >> 4 * i & 15];
    for (int i = 0; i < 8; i++)
        *out++ = digits[hash.high64 >> 4 * i & 15];
    memcpy(out, "\"", 2);
}

int respond_tagged(struct request *r, struct str bytes, bool weak)
{
    if (r->out.failed)
        return 200; /* answered as out of memory later */
    write_tag(r->etag, XXH3_128bits(bytes.ptr, bytes.len), weak);
    if (!r->head.value[HEAD_IF_NONE_MATCH].ptr)
        return 200;
    if (!is_known(r->head.value[HEAD_IF_NONE_MATCH], str_of(weak ? r->etag + 2 : r->etag)))
        return 200;
    buf_clear(&r->out);
    return 304;
}

int respond_text(struct request *r, int status, struct str text)
{
    r->content_type = "text/plain; charset=utf-8";
    buf_clear(&r->out);
    buf_str(&r->out, text);
    return status;
}

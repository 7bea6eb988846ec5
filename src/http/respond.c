/* Replies: bytes made once, handed to MHD without a copy. Errors are RFC 9457 problems. */
#include "http_internal.h"

#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

int status_of(enum err code)
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
    case ERR_LIMIT:
    case ERR_NOT_READY:
    case ERR_CANCELLED:
    case ERR_NOMEM:
    case ERR_DB:
    case ERR_IO:
        return 503;
    case ERR_FULL:
        return 507;
    case ERR_CORRUPT:
    case ERR_INTERNAL:
        return 500;
    }
    return 500;
}

const char *status_title(int status)
{
    switch (status) {
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 409:
        return "Conflict";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 415:
        return "Unsupported Media Type";
    case 417:
        return "Expectation Failed";
    case 422:
        return "Unprocessable Content";
    case 431:
        return "Request Header Fields Too Large";
    case 501:
        return "Not Implemented";
    case 503:
        return "Service Unavailable";
    case 507:
        return "Insufficient Storage";
    default:
        return "Internal Server Error";
    }
}

uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t count)
{
    return XXH3_64bits_withSeed(bytes, count, seed);
}

void reply_header(struct request *r, const char *name, const char *value)
{
    if (r->response)
        MHD_add_response_header(r->response, name, value);
}

static void common_headers(struct request *r)
{
    reply_header(r, "X-Request-ID", r->request_id);
    const char *trace = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "traceparent");
    if (trace)
        reply_header(r, "traceparent", trace);
    if (r->loop->shop->settings->cors_origins[0])
        reply_header(r, "Vary", "Origin");
    if (r->origin && (!r->route || r->route->cors))
        reply_header(r, "Access-Control-Allow-Origin", r->origin);
}

static void set_response(struct request *r, int status, const char *type, char *bytes,
                         size_t length, enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *made = MHD_create_response_from_buffer(length, bytes, mode);
    if (!made) {
        if (mode == MHD_RESPMEM_MUST_FREE)
            free(bytes);
        return;
    }
    if (r->response)
        MHD_destroy_response(r->response);
    r->response = made;
    r->status = status;
    if (type)
        reply_header(r, "Content-Type", type);
    common_headers(r);
}

void reply_buf(struct request *r, int status, const char *type, struct buf *body)
{
    size_t length;
    bool failed = body->failed;
    char *bytes = buf_detach(body, &length);
    if (bytes)
        set_response(r, status, type, bytes, length, MHD_RESPMEM_MUST_FREE);
    else if (failed)
        reply_problem(r, 503, "out of memory");
    else
        reply_empty(r, status);
}

void reply_json(struct request *r, int status, struct buf *body)
{
    reply_buf(r, status, "application/json", body);
}

void reply_tagged(struct request *r, struct buf *body, size_t from, size_t to)
{
    char tag[24];
    if (body->failed || r->method == HTTP_POST) {
        reply_json(r, 200, body);
        return;
    }
    snprintf(tag, sizeof tag, "\"%016llx\"",
             (unsigned long long)hash_bytes(1, body->ptr + from, to - from));
    struct str asked = header_value(r, "If-None-Match");
    bool same = str_eq(asked, STR("*"));
    while (asked.ptr && !same) {
        struct str one = str_trim(str_cut(&asked, ','));
        same = str_eq(one, str_of(tag)) ||
               (str_starts(one, STR("W/")) &&
                str_eq((struct str){one.ptr + 2, one.len - 2}, str_of(tag)));
    }
    if (same) {
        buf_deinit(body);
        reply_empty(r, 304);
    } else {
        reply_json(r, 200, body);
    }
    reply_header(r, "ETag", tag);
    reply_header(r, "Cache-Control", "private, no-cache");
}

void reply_text(struct request *r, int status, struct str text)
{
    set_response(r, status, "text/plain; charset=utf-8", (void *)text.ptr, text.len,
                 MHD_RESPMEM_MUST_COPY);
}

void reply_empty(struct request *r, int status)
{
    set_response(r, status, NULL, (void *)"", 0, MHD_RESPMEM_PERSISTENT);
}

static void problem(struct request *r, int status, const char *detail, const char *where)
{
    struct buf out;
    buf_init(&out, 0);
    buf_printf(&out, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":",
               status_title(status), status);
    buf_json_str(&out, str_of(detail));
    buf_text(&out, ",\"instance\":");
    buf_json_str(&out, str_of(r->request_id));
    if (where) {
        buf_text(&out, ",\"errors\":[{\"detail\":");
        buf_json_str(&out, str_of(detail));
        buf_text(&out, where[0] == '/' || !where[0] ? ",\"pointer\":" : ",\"parameter\":");
        buf_json_str(&out, str_of(where));
        buf_text(&out, "}]");
    }
    buf_char(&out, '}');
    if (out.failed) {
        buf_deinit(&out);
        reply_empty(r, 503);
        return;
    }
    reply_buf(r, status, "application/problem+json", &out);
    if (status == 503)
        reply_header(r, "Retry-After", "1");
}

static void format_detail(char *detail, size_t size, const char *format, va_list args)
{
    vsnprintf(detail, size, format, args);
    /* The cut may fall inside a character, and ids come from outside. */
    while (!utf8_valid(str_of(detail)) && detail[0])
        detail[strlen(detail) - 1] = '\0';
}

void reply_problem(struct request *r, int status, const char *format, ...)
{
    char detail[512];
    va_list args;
    va_start(args, format);
    format_detail(detail, sizeof detail, format, args);
    va_end(args);
    problem(r, status, detail, NULL);
}

void reply_invalid(struct request *r, const char *where, const char *format, ...)
{
    char detail[512];
    va_list args;
    va_start(args, format);
    format_detail(detail, sizeof detail, format, args);
    va_end(args);
    problem(r, 400, detail, where);
}

void reply_error(struct request *r, const struct error *err)
{
    enum err code = err->code ? err->code : ERR_INTERNAL;
    int status = status_of(code);
    struct log_quoted room;
    if (status >= 500 && code != ERR_LIMIT)
        log_warn("http.failed", "id=%s status=%d error=%s", r->request_id, status,
                 log_text(err->text, &room));
    reply_problem(r, status, "%s", err->code ? err->text : err_meaning(code));
}

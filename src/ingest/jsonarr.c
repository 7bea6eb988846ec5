/* A state machine over bytes. Inside an element it only follows strings and bracket depth, enough
 * to find the element's end; a scalar at depth 0 ends at a blank, comma or bracket. Memory: the
 * part of an element that crosses pieces. Cost: one table look-up per byte. */
#include "ingest/jsonarr.h"

#include <assert.h>

void jsonarr_init(struct jsonarr *a, size_t max, split_fn element, void *context)
{
    *a = (struct jsonarr){.max = max, .element = element, .context = context};
    buf_init(&a->part, max);
}

void jsonarr_deinit(struct jsonarr *a)
{
    buf_deinit(&a->part);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Bytes that matter outside strings: at every depth, and at depth 0 only. */
enum { INSIDE = 1, OUTSIDE = 2 };
static const unsigned char structural[256] = {
    ['"'] = INSIDE | OUTSIDE, ['{'] = INSIDE | OUTSIDE, ['}'] = INSIDE | OUTSIDE,
    ['['] = INSIDE | OUTSIDE, [']'] = INSIDE | OUTSIDE, [','] = OUTSIDE,
    [' '] = OUTSIDE,          ['\t'] = OUTSIDE,         ['\n'] = OUTSIDE,
    ['\r'] = OUTSIDE,
};

/* Keeps bytes of an element that goes on in the next piece. */
static int keep(struct jsonarr *a, struct str bytes, struct error *err)
{
    if (a->skipping || bytes.len == 0)
        return 0;
    if (bytes.len <= a->max - a->part.len) {
        buf_str(&a->part, bytes);
        return a->part.failed ? error_set(err, ERR_NOMEM, "element: out of memory") : 0;
    }
    a->skipping = true;
    buf_clear(&a->part);
    return a->element(a->context, STR_NONE, a->number, err);
}

/* The element ends with `bytes`. */
static int end_element(struct jsonarr *a, struct str bytes, struct error *err)
{
    int rc = 0;
    a->state = a->single ? JSONARR_END : JSONARR_COMPLETE;
    if (a->part.len == 0 && !a->skipping && bytes.len <= a->max) {
        rc = a->element(a->context, bytes, a->number, err);
    } else {
        rc = keep(a, bytes, err);
        if (rc == 0 && !a->skipping)
            rc = a->element(a->context, (struct str){a->part.ptr, a->part.len}, a->number, err);
    }
    buf_clear(&a->part);
    a->skipping = false;
    return rc;
}

/* Goes on inside a string; returns the position behind its end, or `end`. */
static size_t skip_string(struct jsonarr *a, struct str bytes, size_t at)
{
    if (a->escaped && at < bytes.len) {
        a->escaped = false;
        at++;
    }
    while (at < bytes.len) {
        char c = bytes.ptr[at++];
        if (c == '"') {
            a->in_string = false;
            return at;
        }
        if (c == '\\' && at++ == bytes.len) {
            a->escaped = true;
            return bytes.len;
        }
    }
    return at;
}

/* Follows an element from *at to its end or the end of the bytes; true: *at is just behind it. */
static bool find_end(struct jsonarr *a, struct str bytes, size_t *at)
{
    size_t i = *at;
    while (i < bytes.len) {
        if (a->in_string) {
            i = skip_string(a, bytes, i);
            if (a->in_string || a->depth > 0)
                continue;
            *at = i;
            return true; /* a string as element */
        }
        char c = bytes.ptr[i];
        if (!(structural[(unsigned char)c] & (a->depth > 0 ? INSIDE : OUTSIDE))) {
            i++;
            continue;
        }
        if (c == '"') {
            a->in_string = true;
        } else if (c == '{' || c == '[') {
            a->depth++;
        } else if (a->depth == 0) {
            *at = i; /* a scalar ends before a blank, comma or closing bracket */
            return true;
        } else if ((c == '}' || c == ']') && --a->depth == 0) {
            *at = i + 1;
            return true;
        }
        i++;
    }
    *at = i;
    return false;
}

static int unexpected(struct jsonarr *a, size_t at, char c, const char *expected, struct error *err)
{
    unsigned char byte = (unsigned char)c;
    char shown[8] = {c, '\0'};
    if (byte < 0x20 || byte > 0x7e)
        return error_set(err, ERR_INVALID, "json: expected %s at byte %llu, got 0x%02x", expected,
                         (unsigned long long)(a->offset + at), byte);
    return error_set(err, ERR_INVALID, "json: expected %s at byte %llu, got '%s'", expected,
                     (unsigned long long)(a->offset + at), shown);
}

static void begin_element(struct jsonarr *a)
{
    a->state = JSONARR_VALUE;
    a->number++;
    a->depth = 0;
    a->in_string = a->escaped = false;
}

/* One byte between elements, not a blank. *at stays when the byte begins an element. */
static int between(struct jsonarr *a, char c, size_t *at, struct error *err)
{
    switch (a->state) {
    case JSONARR_START:
        if (c == '{') {
            a->single = true;
            begin_element(a);
            return 0;
        }
        if (c != '[')
            return unexpected(a, *at, c, "an array or an object", err);
        a->state = JSONARR_FIRST;
        break;
    case JSONARR_FIRST:
    case JSONARR_ELEMENT:
        if (c == ']' && a->state == JSONARR_FIRST) {
            a->state = JSONARR_END;
            break;
        }
        if (c == ',' || c == ']' || c == '}')
            return unexpected(a, *at, c, "an element", err);
        begin_element(a);
        return 0;
    case JSONARR_COMPLETE:
        if (c != ',' && c != ']')
            return unexpected(a, *at, c, "',' or ']'", err);
        a->state = c == ',' ? JSONARR_ELEMENT : JSONARR_END;
        break;
    case JSONARR_END:
        return unexpected(a, *at, c, a->single ? "nothing after the object" : "nothing after ']'",
                          err);
    case JSONARR_VALUE:
        assert(!"inside an element");
    }
    ++*at;
    return 0;
}

int jsonarr_push(struct jsonarr *a, struct str bytes, struct error *err)
{
    size_t at = 0;
    int rc = 0;
    while (rc == 0 && at < bytes.len) {
        if (a->state != JSONARR_VALUE) {
            if (is_blank(bytes.ptr[at]))
                at++;
            else
                rc = between(a, bytes.ptr[at], &at, err);
            continue;
        }
        size_t from = at;
        bool complete = find_end(a, bytes, &at);
        struct str part = {bytes.ptr + from, at - from};
        rc = complete ? end_element(a, part, err) : keep(a, part, err);
    }
    a->offset += bytes.len;
    return rc;
}

int jsonarr_finish(struct jsonarr *a, struct error *err)
{
    if (a->state == JSONARR_END || a->state == JSONARR_START)
        return 0;
    return error_set(err, ERR_INVALID, "json: the %s is not closed; it ends after %llu elements",
                     a->single ? "object" : "array",
                     (unsigned long long)(a->number - (a->state == JSONARR_VALUE)));
}

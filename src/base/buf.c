/* Growth by half; one sticky failure flag instead of a check at each append. */
#include "base/buf.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_deinit(struct buf *b)
{
    free(b->ptr);
    *b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

/* Capacity for `count` more bytes and a NUL. */
char *buf_reserve(struct buf *b, size_t count)
{
    if (b->failed)
        return NULL;
    if (b->cap - b->len > count)
        return b->ptr + b->len;
    size_t need;
    if (__builtin_add_overflow(b->len + 1, count, &need) || (b->max && need - 1 > b->max)) {
        b->failed = true;
        return NULL;
    }
    size_t grown = mem_grow(b->cap, need);
    if (b->max && grown > b->max + 1)
        grown = b->max + 1;
    char *bigger = mem_resize(b->ptr, grown, 1);
    if (!bigger) {
        b->failed = true;
        return NULL;
    }
    b->ptr = bigger;
    b->cap = grown;
    return b->ptr + b->len;
}

void buf_add(struct buf *b, const void *bytes, size_t count)
{
    char *to = buf_reserve(b, count);
    if (!to)
        return;
    if (count)
        memcpy(to, bytes, count);
    b->len += count;
}

void buf_str(struct buf *b, struct str s)
{
    buf_add(b, s.ptr, s.len);
}

void buf_text(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_char(struct buf *b, char c)
{
    char *to = buf_reserve(b, 1);
    if (to) {
        *to = c;
        b->len++;
    }
}

static void add_digits(struct buf *b, uint64_t value, bool negative)
{
    char digits[21];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    if (negative)
        digits[--at] = '-';
    buf_add(b, digits + at, sizeof digits - at);
}

void buf_u64(struct buf *b, uint64_t value)
{
    add_digits(b, value, false);
}

void buf_i64(struct buf *b, int64_t value)
{
    add_digits(b, value < 0 ? -(uint64_t)value : (uint64_t)value, value < 0);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *to = length >= 0 ? buf_reserve(b, (size_t)length) : NULL;
    if (to) {
        vsnprintf(to, (size_t)length + 1, format, again);
        b->len += (size_t)length;
    } else {
        b->failed = true;
    }
    va_end(again);
}

/* Values of answers are mostly in [0.0001, 1e9): nine significant digits by integer arithmetic
 * there, printf elsewhere. The program never leaves the C locale. */
void buf_f64(struct buf *b, double value)
{
    if (!isfinite(value)) {
        buf_text(b, "null");
        return;
    }
    double size = fabs(value);
    if (size != 0 && (size < 1e-4 || size >= 1e9)) {
        buf_printf(b, "%.9g", value);
        return;
    }
    uint64_t scale = 1000000000; /* decimals kept */
    for (double limit = 1; size >= limit && scale > 1; limit *= 10)
        scale /= 10;
    if (size < 0.1)
        scale *= size < 0.01 ? (size < 0.001 ? 1000 : 100) : 10;
    uint64_t scaled = (uint64_t)(size * (double)scale + 0.5);
    uint64_t whole = scaled / scale, part = scaled % scale;
    add_digits(b, whole, value < 0 && scaled > 0);
    if (part == 0)
        return;
    char digits[14];
    size_t count = 0;
    for (uint64_t place = scale / 10; part > 0; place /= 10) {
        digits[count++] = (char)('0' + part / place);
        part %= place;
    }
    buf_char(b, '.');
    buf_add(b, digits, count);
}

static void add_escape(struct buf *b, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    switch (c) {
    case '"':
        buf_add(b, "\\\"", 2);
        break;
    case '\\':
        buf_add(b, "\\\\", 2);
        break;
    case '\n':
        buf_add(b, "\\n", 2);
        break;
    case '\r':
        buf_add(b, "\\r", 2);
        break;
    case '\t':
        buf_add(b, "\\t", 2);
        break;
    default:
        buf_add(b, "\\u00", 4);
        buf_char(b, hex[c >> 4]);
        buf_char(b, hex[c & 15]);
    }
}

void buf_json_str(struct buf *b, struct str s)
{
    buf_char(b, '"');
    size_t from = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_add(b, s.ptr + from, i - from);
        add_escape(b, c);
        from = i + 1;
    }
    if (s.len > from)
        buf_add(b, s.ptr + from, s.len - from);
    buf_char(b, '"');
}

const char *buf_cstr(struct buf *b)
{
    char *to = buf_reserve(b, 0);
    if (!to)
        return NULL;
    *to = '\0';
    return b->ptr;
}

char *buf_detach(struct buf *b, size_t *len)
{
    char *bytes = b->failed || b->len == 0 ? NULL : b->ptr;
    *len = bytes ? b->len : 0;
    if (bytes)
        b->ptr = NULL;
    buf_deinit(b);
    return bytes;
}

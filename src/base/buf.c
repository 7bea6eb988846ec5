/* Growth by half; one sticky failure flag instead of a check at each append.
 *
 * One byte more than asked for is always there, so that buf_cstr and printf's NUL need no room of
 * their own. Doubles are written by hand: value * 10^decimals, rounded, is the digits; printf would
 * follow the locale and is several times slower. Text is scanned for escapes eight bytes at a time
 * (the carry tricks of Warren, "Hacker's Delight", 6-1) and copied in runs. */
#include "base/buf.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALLEST 64
#define ONES     UINT64_C(0x0101010101010101)
#define HIGHS    UINT64_C(0x8080808080808080)

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

/* A buffer never grows beyond its maximum and the NUL, so room is all that appending checks. */
static bool grow(struct buf *b, size_t count)
{
    size_t most = b->max > 0 && b->max < PTRDIFF_MAX ? b->max : PTRDIFF_MAX - 1;
    if (count > most - b->len)
        return false;
    size_t need = b->len + count + 1;
    size_t cap = mem_grow(b->cap, need < SMALLEST ? SMALLEST : need);
    if (cap > most + 1)
        cap = most + 1;
    char *bigger = mem_resize(b->ptr, cap, 1);
    if (!bigger)
        return false;
    b->ptr = bigger;
    b->cap = cap;
    return true;
}

char *buf_reserve(struct buf *b, size_t count)
{
    if (b->failed)
        return NULL;
    if (b->cap - b->len <= count && !grow(b, count)) {
        b->failed = true;
        return NULL;
    }
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

#define U64_DIGITS 20

/* Writes the digits so that they end before `end`; returns where they begin. */
static char *digits_before(char *end, uint64_t value)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    while (value >= 100) {
        end -= 2;
        memcpy(end, pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10) {
        end -= 2;
        memcpy(end, pairs + value * 2, 2);
    } else {
        *--end = (char)('0' + value);
    }
    return end;
}

void buf_u64(struct buf *b, uint64_t value)
{
    char digits[U64_DIGITS];
    char *end = digits + U64_DIGITS;
    char *start = digits_before(end, value);
    buf_add(b, start, (size_t)(end - start));
}

void buf_i64(struct buf *b, int64_t value)
{
    char digits[U64_DIGITS + 1];
    char *end = digits + sizeof digits;
    char *start = digits_before(end, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
    if (value < 0)
        *--start = '-';
    buf_add(b, start, (size_t)(end - start));
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    char *to = buf_reserve(b, 0);
    int length = to ? vsnprintf(to, b->cap - b->len, format, args) : 0;
    if (length < 0) {
        b->failed = true;
    } else if (to && b->cap - b->len <= (size_t)length) {
        to = buf_reserve(b, (size_t)length);
        if (to)
            vsnprintf(to, (size_t)length + 1, format, again);
    }
    if (to && !b->failed)
        b->len += (size_t)length;
    va_end(again);
    va_end(args);
}

static const double powers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6, 1e7,
                                1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14};

/* Above it an integer of 64 bits could overflow. */
#define FIXED_BELOW 9e18

/* Decimals to write for 1e-5 <= value < FIXED_BELOW: 9, fewer where that is more than 15 digits in
 * all, more below 1 so that it stays 9 digits from the first one that is not 0. */
static int decimals_for(double value)
{
    int decimals = 9;
    if (value < 1) {
        while (decimals < 14 && value * powers[decimals - 8] < 1)
            decimals++;
        return decimals;
    }
    while (decimals > 0 && value >= powers[15 - decimals])
        decimals--;
    return decimals;
}

/* 1e-5 <= value < FIXED_BELOW. Returns the bytes written, at most 40. */
static size_t write_fixed(char *out, double value)
{
    int decimals = decimals_for(value);
    uint64_t scale = (uint64_t)powers[decimals];
    uint64_t whole = (uint64_t)value;
    uint64_t fraction = (uint64_t)llrint((value - (double)whole) * powers[decimals]);
    if (fraction >= scale) {
        whole++;
        fraction = 0;
    }
    char room[U64_DIGITS];
    char *end = room + U64_DIGITS;
    char *start = digits_before(end, whole);
    size_t fill = (size_t)(end - start);
    memcpy(out, start, fill);
    if (fraction == 0)
        return fill;
    out[fill++] = '.';
    for (int i = decimals; i-- > 0; fraction /= 10)
        out[fill + (size_t)i] = (char)('0' + fraction % 10);
    fill += (size_t)decimals;
    while (out[fill - 1] == '0')
        fill--;
    return fill;
}

/* Any other positive value, as d.dddddddde-xx. Whatever the locale writes between the first digit
 * and the other eight becomes a dot. */
static size_t write_exponent(char *out, double value)
{
    char text[48];
    snprintf(text, sizeof text, "%.8e", value);
    const char *e = strchr(text, 'e');
    assert(e);
    assert(e - text > 9);
    const char *decimals = e - 8;
    size_t count = 8;
    while (count > 0 && decimals[count - 1] == '0')
        count--;
    size_t fill = 0;
    out[fill++] = text[0];
    if (count > 0) {
        out[fill++] = '.';
        memcpy(out + fill, decimals, count);
        fill += count;
    }
    size_t tail = strlen(e);
    memcpy(out + fill, e, tail);
    return fill + tail;
}

void buf_f64(struct buf *b, double value)
{
    char out[48];
    if (!isfinite(value)) {
        buf_add(b, "null", 4);
        return;
    }
    if (value == 0) {
        buf_char(b, '0');
        return;
    }
    size_t fill = 0;
    if (value < 0) {
        out[fill++] = '-';
        value = -value;
    }
    if (value >= 1e-5 && value < FIXED_BELOW)
        fill += write_fixed(out + fill, value);
    else
        fill += write_exponent(out + fill, value);
    buf_add(b, out, fill);
}

/* Not 0 exactly when one of the eight bytes must be escaped: those below 0x20, the quote and the
 * backslash borrow from their high bit, which must have been 0. */
static uint64_t needs_escape_in(uint64_t word)
{
    uint64_t quote = word ^ (ONES * '"'), backslash = word ^ (ONES * '\\');
    return ((word - ONES * 0x20) | (quote - ONES) | (backslash - ONES)) & ~word & HIGHS;
}

static bool needs_escape(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

/* The length of the run at the front that can be copied as it is. */
static size_t plain_run(const char *at, size_t length)
{
    size_t i = 0;
    for (; length - i >= 8; i += 8) {
        uint64_t word;
        memcpy(&word, at + i, sizeof word);
        if (needs_escape_in(word))
            break;
    }
    while (i < length && !needs_escape((unsigned char)at[i]))
        i++;
    return i;
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
    while (s.len > 0) {
        size_t run = plain_run(s.ptr, s.len);
        buf_add(b, s.ptr, run);
        if (run == s.len)
            break;
        add_escape(b, (unsigned char)s.ptr[run]);
        s.ptr += run + 1;
        s.len -= run + 1;
    }
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

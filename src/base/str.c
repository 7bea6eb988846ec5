/* Slices and strict parsing of numbers; times are in timestamp.c, UTF-8 in utf8.c.
 *
 * Decimals are read in two steps. scan_decimal accepts [-+] digits [. digits] [e [-+] digits], with
 * at least one digit on one side of the point, and gives the first 19 significant digits as an
 * integer and a power of ten. Hundredths and most doubles are then exact integer arithmetic, or one
 * exact multiplication or division (Clinger, "How to read floating point numbers accurately",
 * 1990: integers up to 2^53 and powers up to 10^22 are doubles). The rest goes through strtod as
 * digits and an exponent: without a decimal point no locale can change what it means. */
#include "base/str.h"

#include "base/limits.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct str str_of(const char *text)
{
    return text ? (struct str){text, strlen(text)} : STR_NONE;
}

bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

int str_cmp(struct str a, struct str b)
{
    size_t shared = a.len < b.len ? a.len : b.len;
    int order = shared ? memcmp(a.ptr, b.ptr, shared) : 0;
    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f';
}

struct str str_trim(struct str s)
{
    while (s.len > 0 && is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

struct str str_cut(struct str *rest, char separator)
{
    struct str part = *rest;
    const char *at = rest->len ? memchr(rest->ptr, separator, rest->len) : NULL;
    if (!at) {
        *rest = STR_NONE;
        return part;
    }
    part.len = (size_t)(at - part.ptr);
    *rest = (struct str){at + 1, rest->len - part.len - 1};
    return part;
}

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

bool str_to_u64(struct str s, uint64_t *out)
{
    uint64_t value = 0;
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)(s.ptr[i] - '0');
        if (digit > 9 || __builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *out = value;
    return true;
}

bool str_to_i64(struct str s, int64_t *out)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    if (s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+'))
        s = (struct str){s.ptr + 1, s.len - 1};
    uint64_t size;
    if (!str_to_u64(s, &size) || size > (uint64_t)INT64_MAX + negative)
        return false;
    *out = (int64_t)(negative ? 0 - size : size);
    return true;
}

#define DIGITS_KEPT 19

/* (-1)^negative * mantissa * 10^exponent, and a bit more than that when digits were dropped. */
struct decimal {
    uint64_t mantissa;
    int64_t exponent;
    bool negative, dropped;
    struct str digits; /* as written: digits with at most one dot, no sign, no exponent */
};

/* Takes the digits at the front of s into d, and counts them. */
static size_t take_digits(struct str *s, struct decimal *d, int *kept, bool fraction)
{
    const char *at = s->ptr, *end = s->ptr + s->len;
    for (; at < end && is_digit(*at); at++) {
        unsigned digit = (unsigned)(*at - '0');
        if (*kept < DIGITS_KEPT) {
            d->mantissa = d->mantissa * 10 + digit;
            *kept += d->mantissa > 0;
            d->exponent -= fraction;
        } else {
            d->dropped |= digit > 0;
            d->exponent += !fraction;
        }
    }
    size_t taken = (size_t)(at - s->ptr);
    s->ptr = at;
    s->len -= taken;
    return taken;
}

/* "e" has been seen. Exponents beyond a billion are all alike, so they stop counting there. */
static bool take_exponent(struct str s, struct decimal *d)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    size_t i = negative || (s.len > 0 && s.ptr[0] == '+');
    if (i == s.len)
        return false;
    int64_t value = 0;
    for (; i < s.len; i++) {
        if (!is_digit(s.ptr[i]))
            return false;
        if (value < 1000000000)
            value = value * 10 + (s.ptr[i] - '0');
    }
    d->exponent += negative ? -value : value;
    return true;
}

static bool scan_decimal(struct str s, struct decimal *d)
{
    *d = (struct decimal){0};
    if (s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+')) {
        d->negative = s.ptr[0] == '-';
        s.ptr++;
        s.len--;
    }
    int kept = 0;
    d->digits = s;
    size_t count = take_digits(&s, d, &kept, false);
    if (s.len > 0 && s.ptr[0] == '.') {
        s.ptr++;
        s.len--;
        count += take_digits(&s, d, &kept, true);
    }
    if (count == 0)
        return false;
    d->digits.len = (size_t)(s.ptr - d->digits.ptr);
    if (s.len == 0)
        return true;
    if (s.ptr[0] != 'e' && s.ptr[0] != 'E')
        return false;
    return take_exponent((struct str){s.ptr + 1, s.len - 1}, d);
}

/* More than 768 significant digits never change a double, except by not being zero. */
#define DIGITS_MATTER 780

/* The rare double: more digits or a larger power than exact arithmetic holds. */
static double slow_double(const struct decimal *d)
{
    char text[DIGITS_MATTER + 32];
    size_t fill = 0;
    int64_t dropped = 0;
    bool sticky = false;
    for (size_t i = 0; i < d->digits.len; i++) {
        char c = d->digits.ptr[i];
        if (c == '.' || (fill == 0 && c == '0'))
            continue;
        if (fill < DIGITS_MATTER) {
            text[fill++] = c;
        } else {
            sticky |= c != '0';
            dropped++;
        }
    }
    /* d->exponent belongs to 19 digits; move it to the last digit in `text`. */
    int64_t exponent = d->exponent;
    exponent -= (int64_t)fill + dropped > DIGITS_KEPT ? (int64_t)fill - DIGITS_KEPT : 0;
    if (sticky) {
        text[fill++] = '1';
        exponent--;
    }
    if (exponent > 999999)
        exponent = 999999;
    if (exponent < -999999)
        exponent = -999999;
    snprintf(text + fill, sizeof text - fill, "e%d", (int)exponent);
    return strtod(text, NULL);
}

bool str_to_f64(struct str s, double *out)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct decimal d;
    if (!scan_decimal(s, &d))
        return false;
    double value;
    if (d.mantissa == 0)
        value = 0;
    else if (!d.dropped && d.mantissa <= UINT64_C(1) << 53 && d.exponent >= -22 && d.exponent <= 22)
        value = d.exponent < 0 ? (double)d.mantissa / powers[-d.exponent]
                               : (double)d.mantissa * powers[d.exponent];
    else
        value = slow_double(&d);
    if (!isfinite(value))
        return false;
    *out = d.negative ? -value : value;
    return true;
}

bool str_to_percent(struct str s, double *out)
{
    double value;
    if (s.len == 0 || s.ptr[s.len - 1] != '%' ||
        !str_to_f64((struct str){s.ptr, s.len - 1}, &value))
        return false;
    *out = value / 100;
    return true;
}

#define MINOR_LARGEST INT64_C(9000000000000000)

bool str_to_minor(struct str s, int64_t *out)
{
    struct decimal d;
    if (!scan_decimal(s, &d))
        return false;
    uint64_t value = d.mantissa;
    int64_t shift = d.exponent + 2;
    for (; shift > 0 && value > 0 && value <= MINOR_LARGEST; shift--)
        value *= 10;
    /* The digit last cut off decides the rounding; those below it cannot change a half. */
    unsigned last = 0;
    for (; shift < 0 && (value > 0 || last > 0); shift++) {
        last = (unsigned)(value % 10);
        value /= 10;
    }
    value += last >= 5;
    if (value > MINOR_LARGEST)
        return false;
    *out = d.negative ? -(int64_t)value : (int64_t)value;
    return true;
}

const char *id_problem(struct str s)
{
    if (s.len == 0)
        return "is empty";
    if (s.len > LIMIT_ID_BYTES)
        return "longer than 256 bytes";
    if (!utf8_valid(s))
        return "not valid UTF-8";
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)s.ptr[i + 1] < 0xa0))
            return "has a control character";
    }
    return NULL;
}

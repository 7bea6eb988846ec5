/* Slices and number parsing; time parsing is in timestamp.c, UTF-8 in utf8.c. The only file that
 * may call strtod: on a bounded copy, in the C locale the program never leaves. */
#include "base/str.h"

#include "base/limits.h"

#include <math.h>
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

bool str_to_u64(struct str s, uint64_t *out)
{
    uint64_t value = 0;
    if (s.len == 0 || s.len > 20)
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
    *out = negative ? (int64_t)(0 - size) : (int64_t)size;
    return true;
}

/* [-+] digits [. digits] [e [-+] digits], at least one digit before or after the point. */
static bool is_number(struct str s)
{
    size_t i = 0, digits = 0;
    if (i < s.len && (s.ptr[i] == '-' || s.ptr[i] == '+'))
        i++;
    for (; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++)
        digits++;
    if (i < s.len && s.ptr[i] == '.')
        for (i++; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++)
            digits++;
    if (digits == 0)
        return false;
    if (i == s.len)
        return true;
    if (s.ptr[i] != 'e' && s.ptr[i] != 'E')
        return false;
    i++;
    if (i < s.len && (s.ptr[i] == '-' || s.ptr[i] == '+'))
        i++;
    size_t exponent = i;
    while (i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9')
        i++;
    return i == s.len && i > exponent;
}

bool str_to_f64(struct str s, double *out)
{
    char copy[128];
    if (s.len == 0 || s.len >= sizeof copy || !is_number(s))
        return false;
    memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    double value = strtod(copy, NULL);
    if (!isfinite(value))
        return false;
    *out = value;
    return true;
}

/* Plain decimals exactly from their digits. */
static bool minor_from_digits(struct str s, int64_t *out)
{
    size_t i = 0;
    bool negative = s.ptr[0] == '-';
    if (s.ptr[0] == '-' || s.ptr[0] == '+')
        i++;
    int64_t value = 0;
    int decimals = -1, round = 0;
    for (; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '.') {
            decimals = 0;
            continue;
        }
        if (decimals < 2)
            value = value * 10 + (c - '0');
        else if (decimals == 2)
            round = c >= '5';
        decimals += decimals >= 0;
        if (value > 90000000000000000)
            return false;
    }
    for (decimals = decimals < 0 ? 0 : decimals; decimals < 2; decimals++)
        value *= 10;
    value += round;
    *out = negative ? -value : value;
    return value <= 900000000000000000;
}

bool str_to_minor(struct str s, int64_t *out)
{
    if (s.len == 0 || s.len > 64 || !is_number(s))
        return false;
    if (!memchr(s.ptr, 'e', s.len) && !memchr(s.ptr, 'E', s.len))
        return minor_from_digits(s, out);
    double value;
    if (!str_to_f64(s, &value) || fabs(value) > 9e15)
        return false;
    *out = (int64_t)llround(value * 100);
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

/* Writer and scanner for the lines of an order. Both are loops over digits: a training scan reads
 * 1e7 lines, where a general JSON reader would take most of the time. The text stays plain JSON for
 * SQL's json_each. */
#include "store/lines.h"

#include "base/limits.h"
#include "base/vec.h"

#include <string.h>

#define LINE_BYTES_MAX 64 /* ",[4294967295,-9223372036854775808,-9223372036854775808]" and room */

static char *put_u64(char *at, uint64_t value)
{
    char digits[20];
    int count = 0;
    do
        digits[count++] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

static char *put_i64(char *at, int64_t value)
{
    if (value >= 0)
        return put_u64(at, (uint64_t)value);
    *at++ = '-';
    return put_u64(at, 0 - (uint64_t)value);
}

void lines_format(struct buf *out, const struct order_line *lines, uint32_t count)
{
    char *begin = buf_reserve(out, (size_t)count * LINE_BYTES_MAX + 2);
    if (!begin)
        return;
    char *at = begin;
    *at++ = '[';
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            *at++ = ',';
        *at++ = '[';
        at = put_u64(at, lines[i].item);
        *at++ = ',';
        at = put_i64(at, lines[i].quantity);
        *at++ = ',';
        if (lines[i].price_minor == ORDER_NO_PRICE) {
            memcpy(at, "null", 4);
            at += 4;
        } else {
            at = put_i64(at, lines[i].price_minor);
        }
        *at++ = ']';
    }
    *at++ = ']';
    out->len += (size_t)(at - begin);
}

struct scan {
    const char *at, *end;
};

static bool take(struct scan *s, char c)
{
    if (s->at == s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

/* Digits only, at most 19 of them and no more than `most`. */
static bool take_u64(struct scan *s, uint64_t most, uint64_t *out)
{
    const char *begin = s->at;
    uint64_t value = 0;
    while (s->at < s->end && *s->at >= '0' && *s->at <= '9' && s->at - begin < 19)
        value = value * 10 + (uint64_t)(*s->at++ - '0');
    *out = value;
    return s->at > begin && value <= most;
}

static bool take_i64(struct scan *s, int64_t *out)
{
    bool negative = take(s, '-');
    uint64_t value;
    if (!take_u64(s, (uint64_t)INT64_MAX + negative, &value))
        return false;
    *out = (int64_t)(negative ? 0 - value : value);
    return true;
}

static bool take_price(struct scan *s, int64_t *out)
{
    if (s->end - s->at >= 4 && memcmp(s->at, "null", 4) == 0) {
        s->at += 4;
        *out = ORDER_NO_PRICE;
        return true;
    }
    return take_i64(s, out);
}

static bool take_line(struct scan *s, struct order_line *line)
{
    uint64_t item;
    if (!take(s, '[') || !take_u64(s, UINT32_MAX - 1, &item) || item == 0 || !take(s, ','))
        return false;
    line->item = (uint32_t)item;
    return take_i64(s, &line->quantity) && take(s, ',') && take_price(s, &line->price_minor) &&
           take(s, ']');
}

int lines_parse(struct str text, struct line_vec *out)
{
    struct scan s = {text.ptr, text.ptr + text.len};
    out->count = 0;
    if (!take(&s, '['))
        return ERR_CORRUPT;
    while (s.at < s.end && *s.at == '[') {
        if (!VEC_RESERVE(out, out->count + 1))
            return ERR_NOMEM;
        if (!take_line(&s, &out->at[out->count]))
            return ERR_CORRUPT;
        out->count++;
        if (!take(&s, ','))
            break;
        if (s.at == s.end || *s.at != '[')
            return ERR_CORRUPT;
    }
    if (!take(&s, ']') || s.at != s.end || out->count > LIMIT_ORDER_LINES)
        return ERR_CORRUPT;
    return 0;
}

uint32_t lines_count(struct str text)
{
    uint32_t brackets = 0;
    const char *end = text.ptr + text.len;
    for (const char *at = text.ptr; at < end; at++)
        brackets += *at == '[';
    return brackets > 0 ? brackets - 1 : 0;
}

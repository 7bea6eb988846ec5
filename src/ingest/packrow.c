/* What is read back comes from a temporary file, so every length is checked. */
#include "ingest/packrow.h"

#include <string.h>

enum { CLASS = 3, PRICE = 4, USER = 8, TIME = 16, TITLE = 32 };

static char *put_varint(char *to, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *to++ = (char)(value | 0x80);
    *to++ = (char)value;
    return to;
}

static uint64_t zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static char *put_string(char *to, struct str s)
{
    to = put_varint(to, s.len);
    memcpy(to, s.ptr, s.len);
    return to + s.len;
}

void packrow_put(const struct packrow *row, struct buf *out)
{
    const struct record_line *item = &row->item;
    bool good = row->class == LINE_GOOD;
    size_t strings = good ? item->item_id.len + item->title.len + row->user_id.len : 0;
    char *start = buf_reserve(out, 1 + 7 * 10 + strings), *to = start;
    if (!start)
        return;
    unsigned flags = (unsigned)row->class;
    if (good)
        flags |= (item->price_minor != RECORD_NO_PRICE ? PRICE : 0u) |
                 (row->user_id.ptr ? USER : 0u) | (row->time_ms != RECORD_NO_TIME ? TIME : 0u) |
                 (item->title.len > 0 ? TITLE : 0u);
    *to++ = (char)flags;
    to = put_varint(to, row->line);
    if (good) {
        to = put_varint(to, zigzag(item->quantity));
        to = put_string(to, item->item_id);
        if (flags & PRICE)
            to = put_varint(to, zigzag(item->price_minor));
        if (flags & USER)
            to = put_string(to, row->user_id);
        if (flags & TIME)
            to = put_varint(to, zigzag(row->time_ms));
        if (flags & TITLE)
            to = put_string(to, item->title);
    }
    out->len += (size_t)(to - start);
}

static bool get_varint(struct str *bytes, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; bytes->len > 0 && shift < 64; shift += 7) {
        unsigned char byte = (unsigned char)*bytes->ptr++;
        bytes->len--;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

static bool get_signed(struct str *bytes, int64_t *value)
{
    uint64_t raw;
    if (!get_varint(bytes, &raw))
        return false;
    *value = (int64_t)(raw >> 1 ^ (0 - (raw & 1)));
    return true;
}

static bool get_string(struct str *bytes, struct str *s)
{
    uint64_t len;
    if (!get_varint(bytes, &len) || len > bytes->len)
        return false;
    *s = (struct str){bytes->ptr, (size_t)len};
    bytes->ptr += len;
    bytes->len -= (size_t)len;
    return true;
}

bool packrow_get(struct str *bytes, struct packrow *row)
{
    *row = (struct packrow){.item.price_minor = RECORD_NO_PRICE, .time_ms = RECORD_NO_TIME};
    if (bytes->len == 0)
        return false;
    unsigned flags = (unsigned char)*bytes->ptr++;
    bytes->len--;
    row->class = (enum line_class)(flags & CLASS);
    if (!get_varint(bytes, &row->line))
        return false;
    if (row->class != LINE_GOOD)
        return row->class <= LINE_EXCLUDED;
    return get_signed(bytes, &row->item.quantity) && get_string(bytes, &row->item.item_id) &&
           (!(flags & PRICE) || get_signed(bytes, &row->item.price_minor)) &&
           (!(flags & USER) || get_string(bytes, &row->user_id)) &&
           (!(flags & TIME) || get_signed(bytes, &row->time_ms)) &&
           (!(flags & TITLE) || get_string(bytes, &row->item.title));
}

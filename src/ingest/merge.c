/* Lines are found by comparing ids one by one up to SMALL of them (most orders), by hash beyond.
 * Quantities are summed as signed numbers and judged at the end, so that a return may stand before
 * the sale it takes back. Beyond a limit the order only counts its rows, so memory stays bounded by
 * LIMIT_ORDER_LINES lines and LIMIT_RECORD_BYTES of strings. */
#include "ingest/merge.h"

#include <assert.h>
#include <string.h>

enum { SMALL = 24 };

void merge_init(struct merge *m, bool copy)
{
    *m = (struct merge){.copy = copy};
    strmap_init(&m->index);
    arena_init(&m->strings);
}

void merge_deinit(struct merge *m)
{
    VEC_FREE(&m->lines);
    VEC_FREE(&m->counts);
    strmap_deinit(&m->index);
    arena_deinit(&m->strings);
}

static int out_of_memory(struct error *err)
{
    return error_set(err, ERR_NOMEM, "order: out of memory");
}

static void drop_lines(struct merge *m)
{
    m->lines.count = m->counts.count = 0;
    m->bytes = 0;
    arena_clear(&m->strings);
    if (m->index.count > 0) {
        strmap_deinit(&m->index);
        strmap_init(&m->index);
    }
}

/* Index of the item's line, or lines.count. */
static size_t find(const struct merge *m, struct str item_id)
{
    if (m->index.count > 0) {
        uint32_t at = strmap_get(&m->index, item_id);
        return at == MAP_NONE ? m->lines.count : at;
    }
    size_t i = 0;
    while (i < m->lines.count && !str_eq(m->lines.at[i].item_id, item_id))
        i++;
    return i;
}

static bool add_to_index(struct merge *m, size_t line)
{
    if (m->lines.count <= SMALL)
        return true;
    for (size_t i = m->index.count > 0 ? line : 0; i < m->lines.count; i++)
        if (!strmap_set(&m->index, m->lines.at[i].item_id, (uint32_t)i))
            return false;
    return true;
}

/* The string as it may be kept; ptr NULL with a non-empty one: out of memory. */
static struct str kept(struct merge *m, struct str s)
{
    m->bytes += s.len;
    return m->copy && s.len > 0 ? arena_str(&m->strings, s) : s;
}

static int add_line(struct merge *m, const struct record_line *line, struct error *err)
{
    struct record_line own = *line;
    own.item_id = kept(m, line->item_id);
    own.title = kept(m, line->title);
    if (!own.item_id.ptr || (line->title.len > 0 && !own.title.ptr))
        return out_of_memory(err);
    struct merge_count count = {.positive = line->quantity > 0, .negative = line->quantity < 0};
    if (!VEC_RESERVE(&m->counts, m->lines.count + 1) || !VEC_PUSH(&m->lines, own))
        return out_of_memory(err);
    m->counts.at[m->counts.count++] = count;
    if (line->quantity < 0)
        m->lines.at[m->lines.count - 1].price_minor = RECORD_NO_PRICE;
    return add_to_index(m, m->lines.count - 1) ? 0 : out_of_memory(err);
}

static int join_line(struct merge *m, size_t at, const struct record_line *line, struct error *err)
{
    struct record_line *to = &m->lines.at[at];
    to->quantity += line->quantity;
    if (line->quantity < 0) {
        m->counts.at[at].negative++;
        return 0;
    }
    m->counts.at[at].positive++;
    if (line->price_minor != RECORD_NO_PRICE)
        to->price_minor = line->price_minor;
    if (to->title.len == 0 && line->title.len > 0) {
        to->title = kept(m, line->title);
        if (!to->title.ptr)
            return out_of_memory(err);
    }
    return 0;
}

int merge_add(struct merge *m, enum line_class class, const struct record_line *line,
              struct error *err)
{
    m->good += class == LINE_GOOD;
    m->rejected += class == LINE_REJECTED;
    m->excluded += class == LINE_EXCLUDED;
    if (class != LINE_GOOD || m->too_large)
        return 0;
    size_t at = find(m, line->item_id);
    int rc = at < m->lines.count ? join_line(m, at, line, err) : add_line(m, line, err);
    if (m->good > LIMIT_ORDER_LINES || m->bytes > LIMIT_RECORD_BYTES) {
        m->too_large = true;
        drop_lines(m);
    }
    return rc;
}

/* Moves what is left together, in order, and counts the other rows. */
static void settle(struct merge *m, struct tally *lines)
{
    uint64_t returned = 0, merged = 0;
    size_t left = 0;
    for (size_t i = 0; i < m->lines.count; i++) {
        struct merge_count rows = m->counts.at[i];
        returned += rows.negative;
        if (m->lines.at[i].quantity <= 0) {
            returned += rows.positive;
            continue;
        }
        assert(rows.positive > 0);
        merged += rows.positive - 1;
        m->lines.at[left++] = m->lines.at[i];
    }
    m->lines.count = left;
    assert(left + returned + merged == m->good);
    if (left == 0) {
        lines->cancelled += m->good;
    } else {
        lines->returned += returned;
        lines->merged += merged;
    }
}

static void reset(struct merge *m)
{
    drop_lines(m);
    m->too_large = false;
    m->good = m->rejected = m->excluded = 0;
}

static void reject_too_large(struct merge *m, struct cleaner *c, const struct record *head)
{
    struct place at = {head->line, -1};
    if (m->good > LIMIT_ORDER_LINES)
        clean_reject(c, &c->counts.orders, at, "items", "more than %u lines in one order",
                     LIMIT_ORDER_LINES);
    else
        clean_reject(c, &c->counts.orders, at, "items", "more than %u bytes in one order",
                     LIMIT_RECORD_BYTES);
    c->counts.lines.rejected += m->good;
}

int merge_finish(struct merge *m, struct cleaner *c, const struct record *head, struct error *err)
{
    struct tally *orders = &c->counts.orders;
    int rc = 0;
    if (m->too_large) {
        reject_too_large(m, c, head);
        reset(m);
        return 0;
    }
    orders->read++;
    settle(m, &c->counts.lines);
    if (m->lines.count > 0) {
        struct record r = *head;
        r.lines = m->lines.at;
        r.line_count = (uint32_t)m->lines.count;
        r.input_lines = m->good + m->rejected + m->excluded;
        c->given_orders++;
        c->given_lines += r.line_count;
        rc = c->sink.record(c->sink.context, &r, err);
    } else if (m->good > 0) {
        orders->cancelled++;
    } else if (m->excluded > 0) {
        orders->excluded++;
    } else {
        orders->rejected++;
    }
    reset(m);
    return rc;
}

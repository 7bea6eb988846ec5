/* An array indexed by slot plus a hash map id -> slot. Each item's strings share one allocation,
 * the id first, so that forgetting an item shrinks its block to the id: old orders still name it.
 *
 * Category paths and attributes stay the JSON text they are stored as. Filters walk that text with
 * the small scanner below: it allocates nothing, never recurses, never reads past the end and takes
 * malformed text as "no match" (the text was checked when it came in). A walk over a typical item
 * (100 bytes) takes about as long as two cache misses, less than keeping parsed trees would. */
#include "data/catalog.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64

static int out_of_memory(struct error *err)
{
    return error_set(err, ERR_NOMEM, "catalogue: out of memory");
}

static bool reserve(struct catalog *c, size_t need)
{
    if (need <= c->cap)
        return true;
    size_t cap = mem_grow(c->cap, need < FIRST_CAP ? FIRST_CAP : need);
    struct catalog_item *items = mem_resize(c->items, cap, sizeof *items);
    if (!items)
        return false;
    c->items = items;
    char **blocks = mem_resize(c->blocks, cap, sizeof *blocks);
    if (!blocks)
        return false;
    c->blocks = blocks;
    memset(items + c->cap, 0, (cap - c->cap) * sizeof *items);
    memset(blocks + c->cap, 0, (cap - c->cap) * sizeof *blocks);
    c->cap = cap;
    return true;
}

int catalog_init(struct catalog *c, struct error *err)
{
    *c = (struct catalog){0};
    strmap_init(&c->slots);
    if (reserve(c, 1))
        return 0;
    catalog_deinit(c);
    return out_of_memory(err);
}

void catalog_deinit(struct catalog *c)
{
    for (uint32_t slot = 0; slot < c->count; slot++)
        free(c->blocks[slot]);
    free(c->blocks);
    free(c->items);
    strmap_deinit(&c->slots);
    *c = (struct catalog){0};
    strmap_init(&c->slots);
}

static size_t item_text_bytes(const struct catalog_item *item)
{
    return item->item_id.len + item->title.len + item->category.len + item->attributes.len;
}

static struct str append(char **at, struct str s)
{
    struct str copy = {*at, s.len};
    if (s.len)
        memcpy(*at, s.ptr, s.len);
    *at += s.len;
    return copy;
}

int catalog_put(struct catalog *c, uint32_t slot, const struct catalog_item *item,
                struct error *err)
{
    assert(slot != 0 && slot != CATALOG_NONE);
    uint32_t known = strmap_get(&c->slots, item->item_id);
    assert(known == MAP_NONE || known == slot);
    if (!reserve(c, (size_t)slot + 1))
        return out_of_memory(err);
    assert(c->items[slot].item_id.len == 0 || str_eq(c->items[slot].item_id, item->item_id));
    char *block = mem_array(item_text_bytes(item), 1);
    if (!block || (known == MAP_NONE && !strmap_set(&c->slots, item->item_id, slot))) {
        free(block);
        return out_of_memory(err);
    }
    struct catalog_item copy = *item;
    char *at = block;
    copy.item_id = append(&at, item->item_id);
    copy.title = append(&at, item->title);
    copy.category = append(&at, item->category);
    copy.attributes = append(&at, item->attributes);
    copy.known = true;
    /* `item` may be a changed copy that still borrows the old strings: free them last. */
    c->text_bytes += item_text_bytes(&copy);
    c->text_bytes -= item_text_bytes(&c->items[slot]);
    free(c->blocks[slot]);
    c->blocks[slot] = block;
    c->items[slot] = copy;
    if (slot >= c->count)
        c->count = slot + 1;
    return 0;
}

void catalog_remove(struct catalog *c, uint32_t slot)
{
    if (slot >= c->count || !c->items[slot].known)
        return;
    struct catalog_item *item = &c->items[slot];
    c->text_bytes -= item_text_bytes(item) - item->item_id.len;
    char *block = mem_resize(c->blocks[slot], item->item_id.len, 1);
    if (block) /* else the larger block stays, which does no harm */
        c->blocks[slot] = block;
    *item = (struct catalog_item){.item_id = {c->blocks[slot], item->item_id.len},
                                  .price_minor = PRICE_NONE,
                                  .stock = STOCK_NONE,
                                  .order_ms = INT64_MIN};
}

uint32_t catalog_find(const struct catalog *c, struct str item_id)
{
    return strmap_get(&c->slots, item_id);
}

const struct catalog_item *catalog_at(const struct catalog *c, uint32_t slot)
{
    return slot < c->count && c->items[slot].known ? &c->items[slot] : NULL;
}

struct str catalog_id(const struct catalog *c, uint32_t slot)
{
    return slot < c->count ? c->items[slot].item_id : STR_NONE;
}

bool catalog_in_stock(const struct catalog_item *item)
{
    return item->available && (item->stock == STOCK_NONE || item->stock > 0);
}

/* The rest of a JSON text. Every step checks for the end; false means malformed. */
struct walk {
    const char *at, *end;
};

static bool take(struct walk *w, char c)
{
    if (w->at == w->end || *w->at != c)
        return false;
    w->at++;
    return true;
}

static bool hex4(struct walk *w, uint32_t *out)
{
    if (w->end - w->at < 4)
        return false;
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char c = *w->at++;
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;
        if (digit == 16)
            return false;
        value = value * 16 + digit;
    }
    *out = value;
    return true;
}

static size_t utf8_encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)(lead[n] | c);
    return n;
}

/* The bytes behind a backslash. */
static bool unescape(struct walk *w, char out[4], size_t *count)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (w->at == w->end)
        return false;
    char c = *w->at++;
    const char *known = c ? strchr(from, c) : NULL;
    *count = 1;
    if (known) {
        out[0] = to[known - from];
        return true;
    }
    uint32_t high, low;
    if (c != 'u' || !hex4(w, &high))
        return false;
    if (high >= 0xD800 && high < 0xDC00) {
        if (!take(w, '\\') || !take(w, 'u') || !hex4(w, &low) || low < 0xDC00 || low > 0xDFFF)
            return false;
        high = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    }
    *count = utf8_encode(high, out);
    return true;
}

/* Consumes a string and tells whether its value equals `want`. */
static bool match_string(struct walk *w, struct str want, bool *equal)
{
    if (!take(w, '"'))
        return false;
    if (!want.ptr)
        want = STR("");
    size_t used = 0;
    *equal = true;
    while (w->at < w->end && *w->at != '"') {
        char bytes[4] = {*w->at++};
        size_t count = 1;
        if (bytes[0] == '\\' && !unescape(w, bytes, &count))
            return false;
        *equal = *equal && want.len - used >= count && !memcmp(want.ptr + used, bytes, count);
        used += *equal ? count : 0;
    }
    *equal = *equal && used == want.len;
    return take(w, '"');
}

/* Consumes a number, true, false or null. */
static struct str scalar(struct walk *w)
{
    const char *begin = w->at;
    while (w->at < w->end && !strchr(",]}", *w->at))
        w->at++;
    return (struct str){begin, (size_t)(w->at - begin)};
}

/* Consumes an array or object of any depth: brackets are counted outside of strings. */
static bool skip_nested(struct walk *w)
{
    size_t depth = 0;
    bool equal;
    do {
        if (w->at == w->end)
            return false;
        char c = *w->at;
        if (c == '"') {
            if (!match_string(w, STR(""), &equal))
                return false;
            continue;
        }
        w->at++;
        depth += c == '[' || c == '{';
        depth -= c == ']' || c == '}';
    } while (depth > 0);
    return true;
}

/* Consumes any value; *equal when it is a string, number, true or false that equals `want`. */
static bool match_value(struct walk *w, struct str want, bool *equal)
{
    *equal = false;
    if (w->at == w->end)
        return false;
    if (*w->at == '"')
        return match_string(w, want, equal);
    if (*w->at == '[' || *w->at == '{')
        return skip_nested(w);
    struct str text = scalar(w);
    *equal = str_eq(text, want) && !str_eq(text, STR("null"));
    return text.len > 0;
}

/* True when an element of the array equals `want`. */
static bool array_has(struct walk *w, struct str want)
{
    bool equal;
    if (!take(w, '[') || take(w, ']'))
        return false;
    do {
        if (!match_value(w, want, &equal))
            return false;
        if (equal)
            return true;
    } while (take(w, ','));
    return false;
}

bool catalog_in_category(const struct catalog_item *item, struct str name)
{
    struct walk w = {item->category.ptr, item->category.ptr + item->category.len};
    return item->category.len > 0 && array_has(&w, name);
}

bool catalog_has_attribute(const struct catalog_item *item, struct str key, struct str value)
{
    struct walk w = {item->attributes.ptr, item->attributes.ptr + item->attributes.len};
    bool found, equal;
    if (item->attributes.len == 0 || !take(&w, '{') || take(&w, '}'))
        return false;
    do {
        if (!match_string(&w, key, &found) || !take(&w, ':'))
            return false;
        if (found && w.at < w.end && *w.at == '[')
            return array_has(&w, value);
        if (!match_value(&w, value, &equal))
            return false;
        if (found)
            return equal;
    } while (take(&w, ','));
    return false;
}

/* One table says which fields there are, of which kinds and types; one pass over the text fills a
 * value per field; then the kind is known and the values go to the cleaner. The depth of a record
 * is fixed by the walk (record, items, item; attributes, array), so nothing recurses and no nesting
 * of the input can cost anything: it is a wrong type at the place where it begins. */
#include "ingest/jsonrecord.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "ingest/itemjson.h"

enum field {
    FIELD_KIND,
    FIELD_ORDER_ID,
    FIELD_USER_ID,
    FIELD_TIMESTAMP,
    FIELD_ITEMS,
    FIELD_EVENT_ID,
    FIELD_EVENT,
    FIELD_SESSION_ID,
    FIELD_ITEM_ID,
    FIELD_TITLE,
    FIELD_CATEGORY,
    FIELD_PRICE,
    FIELD_STOCK,
    FIELD_ATTRIBUTES,
    FIELD_AVAILABLE,
    FIELD_COUNT
};

enum {
    ORDER = 1 << RECORD_ORDER,
    ITEM = 1 << RECORD_ITEM,
    EVENT = 1 << RECORD_EVENT,
    CANCEL = 1 << RECORD_CANCEL
};
enum {
    OBJECT = 1 << JSCAN_OBJECT,
    ARRAY = 1 << JSCAN_ARRAY,
    STRING = 1 << JSCAN_STRING,
    NUMBER = 1 << JSCAN_NUMBER,
    BOOL = 1 << JSCAN_BOOL,
    NONE = 1 << JSCAN_NULL
};

struct rule {
    struct str name;
    unsigned types, kinds, required; /* required: kinds that cannot do without */
    const char *expected;
};

#define NAME(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }
static const struct rule rules[FIELD_COUNT] = {
    [FIELD_KIND] = {NAME("kind"), STRING, ORDER | ITEM | EVENT | CANCEL, 0, "a string"},
    [FIELD_ORDER_ID] = {NAME("order_id"), STRING, ORDER | CANCEL, ORDER | CANCEL, "a string"},
    [FIELD_USER_ID] = {NAME("user_id"), STRING | NONE, ORDER | EVENT, 0, "a string"},
    [FIELD_TIMESTAMP] = {NAME("timestamp"), STRING | NUMBER | NONE, ORDER | EVENT, 0, "a time"},
    [FIELD_ITEMS] = {NAME("items"), ARRAY, ORDER, ORDER, "an array"},
    [FIELD_EVENT_ID] = {NAME("event_id"), STRING | NONE, EVENT, 0, "a string"},
    [FIELD_EVENT] = {NAME("event"), STRING, EVENT, EVENT, "a string"},
    [FIELD_SESSION_ID] = {NAME("session_id"), STRING | NONE, EVENT, 0, "a string"},
    [FIELD_ITEM_ID] = {NAME("item_id"), STRING, ITEM | EVENT, ITEM | EVENT, "a string"},
    [FIELD_TITLE] = {NAME("title"), STRING | NONE, ITEM, 0, "a string"},
    [FIELD_CATEGORY] = {NAME("category"), STRING | ARRAY | NONE, ITEM, 0,
                        "a string or an array of strings"},
    [FIELD_PRICE] = {NAME("price"), NUMBER | STRING | NONE, ITEM, 0, "a number"},
    [FIELD_STOCK] = {NAME("stock"), NUMBER | NONE, ITEM, 0, "a number"},
    [FIELD_ATTRIBUTES] = {NAME("attributes"), OBJECT | NONE, ITEM, 0, "an object"},
    [FIELD_AVAILABLE] = {NAME("available"), BOOL | NONE, ITEM, 0, "true or false"},
};

/* Fields of one element of `items`. */
enum line_field { LINE_ITEM_ID, LINE_QUANTITY, LINE_PRICE, LINE_TITLE, LINE_FIELD_COUNT };
static const struct rule line_rules[LINE_FIELD_COUNT] = {
    [LINE_ITEM_ID] = {NAME("item_id"), STRING, ORDER, ORDER, "a string"},
    [LINE_QUANTITY] = {NAME("quantity"), NUMBER | NONE, ORDER, 0, "a number"},
    [LINE_PRICE] = {NAME("price"), NUMBER | STRING | NONE, ORDER, 0, "a number"},
    [LINE_TITLE] = {NAME("title"), STRING | NONE, ORDER, 0, "a string"},
};

static const char *const kind_names[] = {
    [RECORD_ORDER] = "order",
    [RECORD_ITEM] = "item",
    [RECORD_EVENT] = "event",
    [RECORD_CANCEL] = "cancel",
};
enum { KIND_COUNT = sizeof kind_names / sizeof kind_names[0] };

/* A record as scanned. */
struct scanned {
    struct jscan scan;
    unsigned seen;                  /* bit per field */
    struct str values[FIELD_COUNT]; /* text; ptr NULL: absent or null */
    bool available;
    uint64_t item_count; /* of `items`, begun */
    struct place at;     /* the item being scanned, for problems */
    struct str field;    /* likewise */
};

void jsonrecord_init(struct jsonrecord *j, struct cleaner *clean)
{
    *j = (struct jsonrecord){.clean = clean};
    merge_init(&j->merge, false);
    arena_init(&j->strings);
    buf_init(&j->category, 0);
    buf_init(&j->attributes, 0);
}

void jsonrecord_deinit(struct jsonrecord *j)
{
    merge_deinit(&j->merge);
    arena_deinit(&j->strings);
    buf_deinit(&j->category);
    buf_deinit(&j->attributes);
    VEC_FREE(&j->items);
}

/* The rule of a key that may come now, looked for from `first` on (fields tend to come in the
 * table's order); -1: none (reason set). */
static int find_rule(struct scanned *r, const struct rule *table, unsigned count, unsigned seen,
                     int first)
{
    unsigned i = (unsigned)first;
    for (unsigned n = 0; n < count; n++, i++) {
        i = i < count ? i : 0;
        if (table[i].name.len != r->field.len || !str_eq(table[i].name, r->field))
            continue;
        if (!(seen & 1u << i))
            return (int)i;
        jscan_fail(&r->scan, "is given twice");
        return -1;
    }
    jscan_fail(&r->scan, "unknown field");
    return -1;
}

/* Takes a scalar the rule allows; false also for an allowed container, which is not taken and has
 * no reason set. */
static bool take_scalar(struct jscan *s, const struct rule *rule, struct str *text, bool *flag)
{
    enum jscan_type type = jscan_peek(s);
    if (type == JSCAN_BAD)
        return jscan_fail(s, "not JSON: no value at byte %llu",
                          (unsigned long long)(s->at - s->start));
    if (!(rule->types & 1u << type))
        return jscan_fail(s, "expected %s, got %s", rule->expected, jscan_type_name(type));
    *text = STR_NONE;
    switch (type) {
    case JSCAN_STRING:
        return jscan_string(s, text);
    case JSCAN_NUMBER:
        return jscan_number(s, text);
    case JSCAN_BOOL:
        return jscan_bool(s, flag);
    case JSCAN_NULL:
        return jscan_null(s);
    default:
        return false;
    }
}

static bool scan_line_object(struct scanned *r, struct raw_line *raw)
{
    struct jscan *s = &r->scan;
    struct str *const targets[LINE_FIELD_COUNT] = {
        [LINE_ITEM_ID] = &raw->item_id,
        [LINE_QUANTITY] = &raw->quantity,
        [LINE_PRICE] = &raw->price,
        [LINE_TITLE] = &raw->title,
    };
    unsigned seen = 0;
    int field = -1;
    if (!jscan_open(s, '{'))
        return false;
    while (jscan_more(s, '}', seen == 0)) {
        if (!jscan_key(s, &r->field))
            return false;
        field = find_rule(r, line_rules, LINE_FIELD_COUNT, seen, field + 1);
        if (field < 0 || !take_scalar(s, &line_rules[field], targets[field], NULL))
            return false;
        seen |= 1u << field;
        r->field = STR_NONE;
    }
    return !s->reason[0];
}

static bool scan_items(struct jsonrecord *j, struct scanned *r)
{
    struct jscan *s = &r->scan;
    if (!jscan_open(s, '['))
        return false;
    r->field = STR_NONE;
    while (jscan_more(s, ']', r->item_count == 0)) {
        struct raw_line raw = {0};
        r->at.element = (int64_t)r->item_count++;
        enum jscan_type type = jscan_peek(s);
        bool good = type == JSCAN_STRING   ? jscan_string(s, &raw.item_id)
                    : type == JSCAN_OBJECT ? scan_line_object(r, &raw)
                                           : jscan_fail(s, "expected an object or a string, got %s",
                                                        jscan_type_name(type));
        if (!good)
            return false;
        if (r->item_count <= LIMIT_ORDER_LINES && !VEC_PUSH(&j->items, raw)) {
            s->no_memory = true;
            return jscan_fail(s, "out of memory");
        }
    }
    r->at.element = -1;
    return !s->reason[0];
}

static bool scan_container(struct jsonrecord *j, struct scanned *r, enum field field)
{
    if (field == FIELD_ITEMS)
        return scan_items(j, r);
    if (field == FIELD_CATEGORY)
        return category_scan(&r->scan, &j->category);
    assert(field == FIELD_ATTRIBUTES);
    return attributes_scan(&r->scan, &j->attributes);
}

static bool scan_fields(struct jsonrecord *j, struct scanned *r)
{
    struct jscan *s = &r->scan;
    int field = -1;
    while (jscan_more(s, '}', r->seen == 0)) {
        if (!jscan_key(s, &r->field))
            return false;
        field = find_rule(r, rules, FIELD_COUNT, r->seen, field + 1);
        if (field < 0)
            return false;
        r->seen |= 1u << field;
        if (!take_scalar(s, &rules[field], &r->values[field], &r->available) &&
            (s->reason[0] || !scan_container(j, r, (enum field)field)))
            return false;
        r->field = STR_NONE;
    }
    return !s->reason[0];
}

static bool scan(struct jsonrecord *j, struct scanned *r)
{
    enum jscan_type type = jscan_peek(&r->scan);
    if (type != JSCAN_OBJECT && type != JSCAN_BAD)
        return jscan_fail(&r->scan, "expected an object, got %s", jscan_type_name(type));
    return jscan_open(&r->scan, '{') && scan_fields(j, r) && jscan_end(&r->scan);
}

/* -1: `kind` is not one of ours. */
static int kind_parse(struct str name)
{
    for (int i = 0; i < KIND_COUNT; i++)
        if (str_eq(name, str_of(kind_names[i])))
            return i;
    return -1;
}

/* The kind as far as the fields seen tell; -1: they do not. */
static int kind_of(const struct scanned *r)
{
    static const struct {
        unsigned fields;
        enum record_kind kind;
    } tells[] = {
        {1u << FIELD_ITEMS, RECORD_ORDER},
        {1u << FIELD_EVENT | 1u << FIELD_EVENT_ID | 1u << FIELD_SESSION_ID, RECORD_EVENT},
        {1u << FIELD_ITEM_ID | 1u << FIELD_TITLE | 1u << FIELD_CATEGORY | 1u << FIELD_PRICE |
             1u << FIELD_STOCK | 1u << FIELD_ATTRIBUTES | 1u << FIELD_AVAILABLE,
         RECORD_ITEM},
        {1u << FIELD_ORDER_ID, RECORD_ORDER},
    };
    if (r->values[FIELD_KIND].ptr)
        return kind_parse(r->values[FIELD_KIND]);
    for (unsigned i = 0; i < sizeof tells / sizeof tells[0]; i++)
        if (r->seen & tells[i].fields)
            return (int)tells[i].kind;
    return -1;
}

/* Rejects the record as a whole, in the tally of its kind. */
static void reject(struct jsonrecord *j, const struct scanned *r)
{
    struct ingest_counts *counts = &j->clean->counts;
    struct tally *const tallies[KIND_COUNT] = {
        [RECORD_ORDER] = &counts->orders,
        [RECORD_ITEM] = &counts->items,
        [RECORD_EVENT] = &counts->events,
        [RECORD_CANCEL] = &counts->cancels,
    };
    int kind = kind_of(r);
    struct excerpt room;
    clean_reject(j->clean, kind < 0 ? &counts->lines : tallies[kind], r->at,
                 excerpt(r->field, &room), "%s", r->scan.reason);
    if (kind == RECORD_ORDER) {
        counts->lines.read += r->item_count;
        counts->lines.rejected += r->item_count;
    }
}

/* False: the fields do not make a record of one kind (field and reason set). */
static bool check_kind(struct scanned *r, int *kind)
{
    struct excerpt room;
    *kind = kind_of(r);
    r->field = rules[FIELD_KIND].name;
    if (r->values[FIELD_KIND].ptr && *kind < 0)
        return jscan_fail(&r->scan, "expected order, item, event or cancel, got '%s'",
                          excerpt(r->values[FIELD_KIND], &room));
    if (*kind < 0 || (!r->values[FIELD_KIND].ptr && r->seen == 1u << FIELD_ORDER_ID))
        return jscan_fail(&r->scan, "is missing, and the fields do not tell it");
    for (unsigned i = 0; i < FIELD_COUNT; i++) {
        r->field = rules[i].name;
        if (r->seen & 1u << i && !(rules[i].kinds & 1u << *kind))
            return jscan_fail(&r->scan, "is not a field of kind '%s'", kind_names[*kind]);
        if (rules[i].required & 1u << *kind && !(r->seen & 1u << i))
            return jscan_fail(&r->scan, "is missing");
    }
    return true;
}

/* The order's own fields; problems are reported. */
static bool clean_head(struct jsonrecord *j, const struct scanned *r, struct record *head)
{
    struct cleaner *c = j->clean;
    *head = (struct record){.kind = RECORD_ORDER,
                            .line = r->at.line,
                            .order_id = r->values[FIELD_ORDER_ID],
                            .user_id = r->values[FIELD_USER_ID]};
    if (!clean_id(c, r->at, "order_id", head->order_id) ||
        (head->user_id.ptr && !clean_id(c, r->at, "user_id", head->user_id)) ||
        !clean_time(c, r->at, r->values[FIELD_TIMESTAMP], &head->time_ms))
        return false;
    if (r->item_count == 0)
        clean_problem(c, r->at, "items", "is empty");
    else if (r->item_count > LIMIT_ORDER_LINES)
        clean_problem(c, r->at, "items", "more than %u lines in one order", LIMIT_ORDER_LINES);
    return r->item_count > 0 && r->item_count <= LIMIT_ORDER_LINES;
}

static int give_order(struct jsonrecord *j, const struct scanned *r, struct error *err)
{
    struct ingest_counts *counts = &j->clean->counts;
    struct record head;
    if (!clean_head(j, r, &head)) {
        counts->orders.read++;
        counts->orders.rejected++;
        counts->lines.read += r->item_count;
        counts->lines.rejected += r->item_count;
        return 0;
    }
    for (size_t i = 0; i < j->items.count; i++) {
        struct record_line line;
        struct place at = {r->at.line, (int64_t)i};
        enum line_class class = clean_line(j->clean, at, &j->items.at[i], &line);
        int rc = merge_add(&j->merge, class, &line, err);
        if (rc < 0)
            return rc;
    }
    return merge_finish(&j->merge, j->clean, &head, err);
}

static int give_item(struct jsonrecord *j, const struct scanned *r, struct error *err)
{
    static const unsigned bits[FIELD_COUNT] = {
        [FIELD_TITLE] = ITEM_TITLE,           [FIELD_CATEGORY] = ITEM_CATEGORY,
        [FIELD_PRICE] = ITEM_PRICE,           [FIELD_STOCK] = ITEM_STOCK,
        [FIELD_ATTRIBUTES] = ITEM_ATTRIBUTES, [FIELD_AVAILABLE] = ITEM_AVAILABLE,
    };
    struct raw_item raw = {
        .item_id = r->values[FIELD_ITEM_ID],
        .title = r->values[FIELD_TITLE],
        .price = r->values[FIELD_PRICE],
        .stock = r->values[FIELD_STOCK],
        .category = {j->category.ptr, j->category.len},
        .attributes = {j->attributes.ptr, j->attributes.len},
        .available = r->available,
    };
    for (unsigned i = 0; i < FIELD_COUNT; i++)
        if (r->seen & 1u << i)
            raw.fields |= bits[i];
    return clean_item(j->clean, r->at, &raw, err);
}

static int give_event(struct jsonrecord *j, const struct scanned *r, struct error *err)
{
    struct raw_event raw = {
        .event_id = r->values[FIELD_EVENT_ID],
        .event = r->values[FIELD_EVENT],
        .user_id = r->values[FIELD_USER_ID],
        .session_id = r->values[FIELD_SESSION_ID],
        .item_id = r->values[FIELD_ITEM_ID],
        .time = r->values[FIELD_TIMESTAMP],
    };
    return clean_event(j->clean, r->at, &raw, err);
}

/* A category path given as a string becomes an array; false: reason set. */
static bool finish_category(struct jsonrecord *j, struct scanned *r)
{
    struct str path = r->values[FIELD_CATEGORY];
    const char *why = path.ptr ? category_from_path(path, &j->category) : NULL;
    if (!why)
        return true;
    r->field = rules[FIELD_CATEGORY].name;
    return jscan_fail(&r->scan, "%s", why);
}

static bool is_blank(struct str text)
{
    return text.ptr && str_trim(text).len == 0;
}

static void reset(struct jsonrecord *j)
{
    arena_clear(&j->strings);
    buf_clear(&j->category);
    buf_clear(&j->attributes);
    j->items.count = 0;
}

int jsonrecord_take(void *context, struct str text, uint64_t number, struct error *err)
{
    struct jsonrecord *j = context;
    struct scanned r = {.available = true, .at = {number, -1}};
    int kind = -1;
    if (is_blank(text))
        return 0;
    reset(j);
    jscan_init(&r.scan, text, &j->strings);
    bool good = !text.ptr ? jscan_fail(&r.scan, "longer than %u bytes", LIMIT_RECORD_BYTES)
                : !utf8_valid(text)
                    ? jscan_fail(&r.scan, "not valid UTF-8")
                    : scan(j, &r) && check_kind(&r, &kind) && finish_category(j, &r);
    if (r.scan.no_memory || j->category.failed || j->attributes.failed)
        return error_set(err, ERR_NOMEM, "record: out of memory");
    if (!good) {
        reject(j, &r);
        return 0;
    }
    switch ((enum record_kind)kind) {
    case RECORD_ORDER:
        return give_order(j, &r, err);
    case RECORD_ITEM:
        return give_item(j, &r, err);
    case RECORD_EVENT:
        return give_event(j, &r, err);
    case RECORD_CANCEL:
        break;
    }
    return clean_cancel(j->clean, r.at, r.values[FIELD_ORDER_ID], err);
}

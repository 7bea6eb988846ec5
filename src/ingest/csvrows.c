/* The value sorted under an order id is one or more packed rows in input order; equal ids keep the
 * order of adding, so an order's rows come back in input order whatever lay between them. The user
 * and time of the first row that has them hold for the order, so later rows of a run leave them
 * out. Rejected and excluded rows go along as a class and a line number, for the order's count. */
#include "ingest/csvrows.h"

#include <assert.h>
#include <stdio.h>

#include "ingest/itemjson.h"
#include "ingest/packrow.h"

enum { RUN_BYTES = 16 << 10, SORT_MEMORY = 64 << 20 };

void csvrows_init(struct csvrows *t, struct cleaner *clean, const struct reader_options *options)
{
    *t = (struct csvrows){.clean = clean, .options = options};
    merge_init(&t->merge, true);
    arena_init(&t->strings);
    buf_init(&t->run_id, 0);
    buf_init(&t->run, 0);
    buf_init(&t->order_id, 0);
    buf_init(&t->user_id, 0);
    buf_init(&t->category, 0);
    buf_init(&t->attributes, 0);
}

void csvrows_deinit(struct csvrows *t)
{
    extsort_free(t->sort);
    t->sort = NULL;
    merge_deinit(&t->merge);
    arena_deinit(&t->strings);
    buf_deinit(&t->run_id);
    buf_deinit(&t->run);
    buf_deinit(&t->order_id);
    buf_deinit(&t->user_id);
    buf_deinit(&t->category);
    buf_deinit(&t->attributes);
}

static int out_of_memory(struct error *err)
{
    return error_set(err, ERR_NOMEM, "csv: out of memory");
}

static struct str text_of(const struct buf *b)
{
    return (struct str){b->ptr, b->len};
}

/* The cell of a column, trimmed; ptr NULL when there is no such column or nothing in it. */
static struct str cell(const struct csvrows *t, const struct csv_row *row, enum csv_column column)
{
    int at = t->map.at[column];
    struct str s = at >= 0 ? str_trim(row->cells[at]) : STR_NONE;
    return s.len > 0 ? s : STR_NONE;
}

static int flush_run(struct csvrows *t, struct error *err)
{
    int rc = 0;
    if (t->run_id.failed || t->run.failed)
        return out_of_memory(err);
    if (t->run.len > 0)
        rc = extsort_add(t->sort, text_of(&t->run_id), text_of(&t->run), err);
    buf_clear(&t->run_id);
    buf_clear(&t->run);
    t->run_user = t->run_time = false;
    return rc;
}

static int open_sort(struct csvrows *t, struct error *err)
{
    const struct reader_options *o = t->options;
    t->sort = extsort_new(o->spool_directory ? o->spool_directory : "/tmp",
                          o->sort_memory ? o->sort_memory : SORT_MEMORY, err);
    return t->sort ? 0 : err && err->code ? (int)err->code : ERR_NOMEM;
}

static int keep_row(struct csvrows *t, struct str order_id, struct packrow *row, struct error *err)
{
    int rc = t->sort ? 0 : open_sort(t, err);
    if (rc == 0 && (t->run.len >= RUN_BYTES || !str_eq(text_of(&t->run_id), order_id))) {
        rc = flush_run(t, err);
        buf_str(&t->run_id, order_id);
    }
    if (rc < 0)
        return rc;
    if (row->class == LINE_GOOD) {
        if (t->run_user)
            row->user_id = STR_NONE;
        if (t->run_time)
            row->time_ms = RECORD_NO_TIME;
        t->run_user |= row->user_id.ptr != NULL;
        t->run_time |= row->time_ms != RECORD_NO_TIME;
    }
    packrow_put(row, &t->run);
    return t->run.failed || t->run_id.failed ? out_of_memory(err) : 0;
}

/* Judges the row's user and time; false: a problem was reported. */
static bool clean_who_and_when(struct csvrows *t, const struct csv_row *row, struct place at,
                               struct packrow *packed)
{
    packed->user_id = cell(t, row, COLUMN_USER);
    packed->time_ms = RECORD_NO_TIME;
    return (!packed->user_id.ptr || clean_id(t->clean, at, "user_id", packed->user_id)) &&
           clean_time(t->clean, at, cell(t, row, COLUMN_TIME), &packed->time_ms);
}

/* The order id, or one made of user and time in room[LIMIT_ID_BYTES + 32]; NULL ptr when it cannot
 * be made. */
static struct str order_id_of(const struct csvrows *t, const struct csv_row *row,
                              const struct packrow *packed, char *room)
{
    if (t->map.at[COLUMN_ORDER] >= 0)
        return cell(t, row, COLUMN_ORDER);
    if (!packed->user_id.ptr || packed->time_ms == RECORD_NO_TIME)
        return STR_NONE;
    char time[25];
    time_ms_format(packed->time_ms, time);
    int len = snprintf(room, LIMIT_ID_BYTES + 32, "%.*s@%s", STR_ARG(packed->user_id), time);
    return (struct str){room, (size_t)len};
}

static int take_order_row(struct csvrows *t, const struct csv_row *row, struct error *err)
{
    char room[LIMIT_ID_BYTES + 32];
    struct place at = {row->line, -1};
    struct tally *lines = &t->clean->counts.lines;
    struct packrow packed = {.class = LINE_REJECTED, .line = row->line};
    struct raw_line raw = {.item_id = cell(t, row, COLUMN_ITEM),
                           .title = cell(t, row, COLUMN_TITLE),
                           .quantity = cell(t, row, COLUMN_QUANTITY),
                           .price = cell(t, row, COLUMN_PRICE)};
    bool good = clean_who_and_when(t, row, at, &packed);
    struct str order_id = order_id_of(t, row, &packed, room);
    const char *why = order_id.ptr                   ? id_problem(order_id)
                      : t->map.at[COLUMN_ORDER] >= 0 ? "is missing"
                                                     : "needs user_id and timestamp to be made";
    if (good && why)
        clean_problem(t->clean, at, "order_id", "%s", why);
    if (!good || why) {
        lines->read++;
        lines->rejected++;
    } else {
        packed.class = clean_line(t->clean, at, &raw, &packed.item);
    }
    return why ? 0 : keep_row(t, order_id, &packed, err);
}

static int take_event_row(struct csvrows *t, const struct csv_row *row, struct error *err)
{
    struct raw_event raw = {
        .event_id = cell(t, row, COLUMN_EVENT_ID),
        .event = cell(t, row, COLUMN_EVENT),
        .user_id = cell(t, row, COLUMN_USER),
        .session_id = cell(t, row, COLUMN_SESSION),
        .item_id = cell(t, row, COLUMN_ITEM),
        .time = cell(t, row, COLUMN_TIME),
    };
    return clean_event(t->clean, (struct place){row->line, -1}, &raw, err);
}

static const char *parse_available(struct str text, bool *out)
{
    static const char *const yes[] = {"true", "yes", "1"}, *const no[] = {"false", "no", "0"};
    for (unsigned i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        *out = str_eq_nocase(text, str_of(yes[i]));
        if (*out || str_eq_nocase(text, str_of(no[i])))
            return NULL;
    }
    return "expected true or false, yes or no, 1 or 0";
}

static const char *parse_attributes(struct csvrows *t, struct jscan *s, struct str text)
{
    if (!utf8_valid(text))
        return "not valid UTF-8";
    arena_clear(&t->strings);
    jscan_init(s, text, &t->strings);
    return attributes_scan(s, &t->attributes) && jscan_end(s) ? NULL : s->reason;
}

static int take_item_row(struct csvrows *t, const struct csv_row *row, struct error *err)
{
    struct jscan scan = {0};
    struct place at = {row->line, -1};
    struct str category = cell(t, row, COLUMN_CATEGORY);
    struct str attributes = cell(t, row, COLUMN_ATTRIBUTES);
    struct str available = cell(t, row, COLUMN_AVAILABLE);
    struct raw_item raw = {.item_id = cell(t, row, COLUMN_ITEM),
                           .title = cell(t, row, COLUMN_TITLE),
                           .price = cell(t, row, COLUMN_PRICE),
                           .stock = cell(t, row, COLUMN_STOCK),
                           .available = true};
    const char *field = "category", *why = NULL;
    buf_clear(&t->category);
    buf_clear(&t->attributes);
    if (category.ptr)
        why = utf8_valid(category) ? category_from_path(category, &t->category) : "not valid UTF-8";
    if (!why && attributes.ptr) {
        field = "attributes";
        why = parse_attributes(t, &scan, attributes);
    }
    if (!why && available.ptr) {
        field = "available";
        why = parse_available(available, &raw.available);
    }
    if (scan.no_memory || t->category.failed || t->attributes.failed)
        return out_of_memory(err);
    if (why) {
        clean_reject(t->clean, &t->clean->counts.items, at, field, "%s", why);
        return 0;
    }
    raw.category = text_of(&t->category);
    raw.attributes = text_of(&t->attributes);
    raw.fields = (raw.title.ptr ? ITEM_TITLE : 0u) | (category.ptr ? ITEM_CATEGORY : 0u) |
                 (raw.price.ptr ? ITEM_PRICE : 0u) | (raw.stock.ptr ? ITEM_STOCK : 0u) |
                 (attributes.ptr ? ITEM_ATTRIBUTES : 0u) | (available.ptr ? ITEM_AVAILABLE : 0u);
    return clean_item(t->clean, at, &raw, err);
}

/* In a table with events and orders: the row has an order id and is a purchase. */
static bool is_order_row(const struct csvrows *t, const struct csv_row *row)
{
    if (t->map.table == TABLE_ORDERS)
        return true;
    if (t->map.table != TABLE_EVENTS || !cell(t, row, COLUMN_ORDER).ptr)
        return false;
    struct str event = cell(t, row, COLUMN_EVENT);
    return !event.ptr || event_kind_parse(event) == EVENT_PURCHASE;
}

static int take_header(struct csvrows *t, const struct csv_row *row, struct error *err)
{
    if (row->problem)
        return error_set(err, ERR_INVALID, "csv: header: %s", csv_problem_text(row->problem));
    t->has_header = true;
    return csvmap_build(&t->map, row->cells, row->count, t->options->maps, err);
}

int csvrows_take(void *context, const struct csv_row *row, struct error *err)
{
    struct csvrows *t = context;
    struct ingest_counts *counts = &t->clean->counts;
    struct tally *const tallies[] = {[TABLE_ORDERS] = &counts->lines,
                                     [TABLE_ITEMS] = &counts->items,
                                     [TABLE_EVENTS] = &counts->events};
    struct place at = {row->line, -1};
    if (!t->has_header)
        return take_header(t, row, err);
    if (row->problem) {
        clean_reject(t->clean, tallies[t->map.table], at, "", "%s", csv_problem_text(row->problem));
        return 0;
    }
    if (row->count != t->map.width) {
        clean_reject(t->clean, tallies[t->map.table], at, "", "expected %u columns, got %u",
                     t->map.width, row->count);
        return 0;
    }
    if (is_order_row(t, row))
        return take_order_row(t, row, err);
    return t->map.table == TABLE_ITEMS ? take_item_row(t, row, err) : take_event_row(t, row, err);
}

static int begin_order(struct csvrows *t, struct str order_id, struct error *err)
{
    buf_clear(&t->order_id);
    buf_clear(&t->user_id);
    buf_str(&t->order_id, order_id);
    if (t->order_id.failed)
        return out_of_memory(err);
    t->head = (struct record){
        .kind = RECORD_ORDER, .time_ms = RECORD_NO_TIME, .order_id = text_of(&t->order_id)};
    return 0;
}

static int add_row(struct csvrows *t, const struct packrow *row, struct error *err)
{
    struct record *head = &t->head;
    if (head->line == 0)
        head->line = row->line;
    if (head->time_ms == RECORD_NO_TIME)
        head->time_ms = row->time_ms;
    if (!head->user_id.ptr && row->user_id.ptr) {
        buf_str(&t->user_id, row->user_id);
        head->user_id = text_of(&t->user_id);
        if (t->user_id.failed)
            return out_of_memory(err);
    }
    return merge_add(&t->merge, row->class, &row->item, err);
}

static int add_rows(struct csvrows *t, struct str packed, struct error *err)
{
    int rc = 0;
    while (rc == 0 && packed.len > 0) {
        struct packrow row;
        if (!packrow_get(&packed, &row))
            return error_set(err, ERR_CORRUPT, "csv: the temporary file is damaged");
        rc = add_row(t, &row, err);
    }
    return rc;
}

static int group(struct csvrows *t, struct error *err)
{
    struct str order_id, packed;
    int rc;
    while ((rc = extsort_next(t->sort, &order_id, &packed, err)) > 0) {
        if (t->head.line > 0 && !str_eq(order_id, t->head.order_id)) {
            rc = merge_finish(&t->merge, t->clean, &t->head, err);
            t->head.line = 0;
        } else {
            rc = 0;
        }
        if (rc == 0 && t->head.line == 0)
            rc = begin_order(t, order_id, err);
        if (rc == 0)
            rc = add_rows(t, packed, err);
        if (rc != 0)
            return rc;
    }
    return rc == 0 && t->head.line > 0 ? merge_finish(&t->merge, t->clean, &t->head, err) : rc;
}

int csvrows_finish(struct csvrows *t, struct error *err)
{
    if (!t->sort)
        return 0;
    int rc = flush_run(t, err);
    if (rc == 0)
        rc = extsort_sort(t->sort, err);
    return rc == 0 ? group(t, err) : rc;
}

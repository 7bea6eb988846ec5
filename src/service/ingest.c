/* What each kind of record does to the store, on the writer thread, inside the op's savepoint.
 *
 * Items first: an order's lines need the slots of their items, so unknown ones get theirs here
 * (service/staging). Whether an order changes the catalogue is known only after the store compared
 * it with the one it has: a repeated order must change nothing, also not a title.
 *
 * An event without an id gets one made from its contents as sent (BLAKE2b, 128 bits), so that
 * sending it again counts once; who wants to count two equal views sends timestamps or ids. */
#include "service/ingest.h"

#include "base/clock.h"
#include "base/mem.h"
#include "service/jobs.h"
#include "service/metrics.h"
#include "service/staging.h"
#include "service/writer.h"
#include "store/events.h"
#include "store/orders.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

_Static_assert(RECORD_NO_TIME == ORDER_NO_TIME && RECORD_NO_PRICE == ORDER_NO_PRICE &&
                   RECORD_NO_PRICE == PRICE_NONE && RECORD_NO_STOCK == STOCK_NONE,
               "no value is the same on every floor");

#define EVENT_ID_BYTES 16

/* One run of an op. */
struct intake {
    struct staging *staging;
    struct db *db;
    struct ingest_op *op;
    int64_t now_ms;
    VEC(struct order_line) lines;
};

static uint64_t *outcome_of(struct tally *tally, enum put_outcome outcome)
{
    switch (outcome) {
    case PUT_ACCEPTED:
        return &tally->accepted;
    case PUT_REPLACED:
        return &tally->replaced;
    case PUT_DUPLICATE:
        return &tally->duplicate;
    case PUT_CANCELLED:
        return &tally->cancelled;
    }
    assert(!"outcome");
    return &tally->rejected;
}

static int user_of(struct intake *in, const struct record *record, uint64_t *user,
                   struct error *err)
{
    *user = 0;
    if (!record->user_id.len)
        return 0;
    return staging_user(in->staging, in->db, record->user_id, true, user, err);
}

static int slots_of_lines(struct intake *in, const struct record *record, struct error *err)
{
    in->lines.count = 0;
    if (!VEC_RESERVE(&in->lines, record->line_count))
        return error_set(err, ERR_NOMEM, "order: out of memory");
    for (uint32_t i = 0; i < record->line_count; i++) {
        const struct record_line *line = &record->lines[i];
        struct order_line *row = &in->lines.at[in->lines.count++];
        int rc = staging_slot(in->staging, line->item_id, &row->item, err);
        if (rc != 0)
            return rc;
        row->quantity = line->quantity;
        row->price_minor = line->price_minor;
    }
    return 0;
}

/* Title and price of an order row, unless an item record owns the field or a newer order spoke. */
static int describe_from_line(struct intake *in, const struct record_line *line, int64_t time_ms,
                              struct error *err)
{
    uint32_t slot;
    const struct catalog_item *now = staging_find(in->staging, line->item_id, &slot);
    if (!now)
        return 0; /* deleted */
    bool newer = time_ms >= now->order_ms;
    bool titled = line->title.len && !(now->described & ITEM_TITLE);
    bool priced = line->price_minor != RECORD_NO_PRICE && !(now->described & ITEM_PRICE);
    bool title = titled && (newer || !now->title.len) && !str_eq(line->title, now->title);
    bool price = priced && (newer || now->price_minor == PRICE_NONE) &&
                 line->price_minor != now->price_minor;
    int64_t order_ms = (titled || priced) && newer ? time_ms : now->order_ms;
    if (!title && !price)
        return order_ms == now->order_ms ? 0 : staging_touch(in->staging, slot, order_ms, err);
    struct catalog_item changed = *now;
    if (title)
        changed.title = line->title;
    if (price)
        changed.price_minor = line->price_minor;
    changed.order_ms = order_ms;
    changed.updated_ms = in->now_ms;
    return staging_put(in->staging, slot, &changed, err);
}

static int put_order(struct intake *in, const struct record *record, struct error *err)
{
    struct order_row row = {
        .order_id = record->order_id, .time_ms = record->time_ms, .arrival_ms = in->now_ms};
    int rc = user_of(in, record, &row.user, err);
    if (rc == 0)
        rc = slots_of_lines(in, record, err);
    row.lines = in->lines.at;
    row.line_count = record->line_count;
    enum put_outcome outcome;
    if (rc == 0)
        rc = orders_put(in->db, &row, &outcome, err);
    if (rc != 0)
        return rc;
    *outcome_of(&in->op->counts.orders, outcome) += 1;
    *outcome_of(&in->op->counts.lines, outcome) += record->line_count;
    if (outcome != PUT_ACCEPTED && outcome != PUT_REPLACED)
        return 0;
    struct order_change change = orders_last_change(in->db);
    rc = memory_note_order(&in->op->changes, &change, &row, record->user_id, err);
    int64_t time_ms = record->time_ms == RECORD_NO_TIME ? in->now_ms : record->time_ms;
    for (uint32_t i = 0; i < record->line_count && rc == 0; i++)
        rc = describe_from_line(in, &record->lines[i], time_ms, err);
    return rc;
}

/* Takes a field from the record; null gives it back to the orders. */
static void describe(struct catalog_item *item, const struct record *r)
{
    unsigned given = 0;
    if (r->fields & ITEM_TITLE) {
        item->title = r->title;
        given |= r->title.len ? ITEM_TITLE : 0;
    }
    if (r->fields & ITEM_CATEGORY) {
        item->category = r->category;
        given |= r->category.len ? ITEM_CATEGORY : 0;
    }
    if (r->fields & ITEM_PRICE) {
        item->price_minor = r->price_minor;
        given |= r->price_minor != RECORD_NO_PRICE ? ITEM_PRICE : 0;
    }
    if (r->fields & ITEM_STOCK) {
        item->stock = r->stock;
        given |= r->stock != RECORD_NO_STOCK ? ITEM_STOCK : 0;
    }
    if (r->fields & ITEM_ATTRIBUTES) {
        item->attributes = r->attributes;
        given |= r->attributes.len ? ITEM_ATTRIBUTES : 0;
    }
    if (r->fields & ITEM_AVAILABLE) {
        item->available = r->available;
        given |= ITEM_AVAILABLE;
    }
    item->described = (item->described & ~r->fields) | given;
}

static bool same_item(const struct catalog_item *a, const struct catalog_item *b)
{
    return str_eq(a->title, b->title) && str_eq(a->category, b->category) &&
           str_eq(a->attributes, b->attributes) && a->price_minor == b->price_minor &&
           a->stock == b->stock && a->available == b->available && a->described == b->described;
}

static int put_item(struct intake *in, const struct record *record, struct error *err)
{
    uint32_t slot;
    bool known = staging_find(in->staging, record->item_id, &slot) != NULL;
    int rc = staging_slot(in->staging, record->item_id, &slot, err);
    if (rc != 0)
        return rc;
    const struct catalog_item *now = staging_find(in->staging, record->item_id, &slot);
    struct catalog_item item = {.price_minor = PRICE_NONE,
                                .stock = STOCK_NONE,
                                .order_ms = now ? now->order_ms : INT64_MIN,
                                .available = true,
                                .known = true};
    if (now && !in->op->replace_items)
        item = *now;
    describe(&item, record);
    assert(now || !known);
    if (known && same_item(now, &item)) {
        in->op->counts.items.duplicate++;
        return 0;
    }
    item.updated_ms = in->now_ms;
    rc = staging_put(in->staging, slot, &item, err);
    if (rc == 0)
        *(known ? &in->op->counts.items.replaced : &in->op->counts.items.accepted) += 1;
    return rc;
}

static void hash_text(crypto_generichash_state *state, struct str s)
{
    uint64_t length = s.len; /* so that "ab","c" and "a","bc" differ */
    crypto_generichash_update(state, (const unsigned char *)&length, sizeof length);
    crypto_generichash_update(state, (const unsigned char *)s.ptr, s.len);
}

static void make_event_id(const struct record *record, char id[2 * EVENT_ID_BYTES + 1])
{
    crypto_generichash_state state;
    int64_t numbers[2] = {record->event, record->time_ms};
    unsigned char hash[EVENT_ID_BYTES];
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    crypto_generichash_update(&state, (const unsigned char *)numbers, sizeof numbers);
    hash_text(&state, record->user_id);
    hash_text(&state, record->session_id);
    hash_text(&state, record->item_id);
    crypto_generichash_final(&state, hash, sizeof hash);
    sodium_bin2hex(id, 2 * sizeof hash + 1, hash, sizeof hash);
}

static int put_event(struct intake *in, const struct record *record, struct error *err)
{
    char made[2 * EVENT_ID_BYTES + 1];
    struct event_row row = {.event_id = record->event_id,
                            .session_id = record->session_id,
                            .kind = record->event,
                            .time_ms =
                                record->time_ms == RECORD_NO_TIME ? in->now_ms : record->time_ms};
    if (!row.event_id.len) {
        make_event_id(record, made);
        row.event_id = str_of(made);
    }
    enum put_outcome outcome;
    int rc = user_of(in, record, &row.user, err);
    if (rc == 0)
        rc = staging_slot(in->staging, record->item_id, &row.item, err);
    if (rc == 0)
        rc = events_put(in->db, &row, &outcome, err);
    if (rc != 0)
        return rc;
    *outcome_of(&in->op->counts.events, outcome) += 1;
    if (outcome != PUT_ACCEPTED)
        return 0;
    row.key = events_newest(in->db);
    return memory_note_event(&in->op->changes, &row, record->user_id, err);
}

static int put_cancel(struct intake *in, const struct record *record, struct error *err)
{
    enum put_outcome outcome;
    int rc = orders_cancel(in->db, record->order_id, in->now_ms, &outcome, err);
    if (rc != 0)
        return rc;
    *outcome_of(&in->op->counts.cancels, outcome) += 1;
    if (outcome != PUT_ACCEPTED)
        return 0;
    struct order_change change = orders_last_change(in->db);
    return memory_note_gone(&in->op->changes, &change, err);
}

static int put_record(struct intake *in, const struct record *record, struct error *err)
{
    switch (record->kind) {
    case RECORD_ORDER:
        return put_order(in, record, err);
    case RECORD_ITEM:
        return put_item(in, record, err);
    case RECORD_EVENT:
        return put_event(in, record, err);
    case RECORD_CANCEL:
        return put_cancel(in, record, err);
    }
    return error_set(err, ERR_INTERNAL, "record of unknown kind %d", (int)record->kind);
}

static int ingest_run(struct shop *shop, struct op *op, struct error *err)
{
    struct ingest_op *self = (struct ingest_op *)op;
    struct intake in = {.staging = writer_staging(shop->writer),
                        .db = writer_db(shop->writer),
                        .op = self,
                        .now_ms = clock_wall_ms()};
    memset(&self->counts, 0, sizeof self->counts);
    memory_changes_clear(&self->changes);
    int rc = 0;
    for (size_t i = 0; i < self->batch.records.count && rc == 0; i++)
        rc = put_record(&in, &self->batch.records.at[i], err);
    VEC_FREE(&in.lines);
    return rc;
}

static void ingest_apply(struct shop *shop, struct op *op)
{
    struct ingest_op *self = (struct ingest_op *)op;
    const struct ingest_counts *c = &self->counts;
    ingest_counts_add(&self->report.counts, c);
    memory_apply(shop, &self->changes);
    const struct tally *kinds[] = {&c->orders, &c->items, &c->events, &c->cancels};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        metrics_ingested(shop, METRIC_ACCEPTED, kinds[i]->accepted);
        metrics_ingested(shop, METRIC_REPLACED, kinds[i]->replaced);
        metrics_ingested(shop, METRIC_DUPLICATE, kinds[i]->duplicate);
        metrics_ingested(shop, METRIC_CANCELLED, kinds[i]->cancelled);
    }
    metrics_ingested(shop, METRIC_REJECTED, self->report.problem_total);
    jobs_orders_changed(shop->jobs, c->orders.accepted + c->orders.replaced + c->cancels.accepted);
}

struct ingest_op *ingest_op_new(void (*done)(struct op *op), struct error *err)
{
    struct ingest_op *op;
    if (!MEM_ZNEW(op, 1)) {
        error_set(err, ERR_NOMEM, "ingest: out of memory");
        return NULL;
    }
    op->op = (struct op){.run = ingest_run, .apply = ingest_apply, .done = done, .cost = 1};
    batch_init(&op->batch);
    ingest_report_init(&op->report);
    return op;
}

void ingest_op_free(struct ingest_op *op)
{
    if (!op)
        return;
    reader_free(op->reader);
    batch_deinit(&op->batch);
    memory_changes_free(&op->changes);
    ingest_report_deinit(&op->report);
    free(op);
}

void ingest_op_clear(struct ingest_op *op)
{
    batch_clear(&op->batch);
    ingest_report_deinit(&op->report);
    op->op.cost = 1;
}

int ingest_op_add(struct ingest_op *op, const struct record *record, struct error *err)
{
    int rc = batch_add(&op->batch, record, err);
    op->op.cost = (uint32_t)op->batch.records.count;
    return rc;
}

uint32_t ingest_op_records(const struct ingest_op *op)
{
    return (uint32_t)op->batch.records.count;
}

size_t ingest_op_bytes(const struct ingest_op *op)
{
    return batch_bytes(&op->batch);
}

struct reader *ingest_reader_new(struct shop *shop, const struct import_request *how,
                                 const struct reader_sink *sink, struct error *err)
{
    static const struct import_request automatic;
    const char *maps[17] = {NULL};
    char directory[SPOOL_PATH_BYTES];
    if (!how)
        how = &automatic;
    assert(how->map_count <= 16);
    for (uint32_t i = 0; i < how->map_count; i++)
        maps[i] = how->maps[i];
    spool_path(shop, "", directory);
    struct reader_options options = {
        .format = how->format,
        .coding = how->coding,
        .spool_directory = directory,
        .sort_memory = shop->settings->sort_memory_bytes,
        .max_decompressed = shop->settings->max_decompressed_bytes,
        .maps = how->map_count ? maps : NULL,
        .include_items = *how->include_items ? how->include_items : NULL,
        .exclude_items = *how->exclude_items ? how->exclude_items : NULL,
        .source = *how->source ? how->source : NULL};
    return reader_new(&options, sink, err);
}

static int take_record(void *context, const struct record *record, struct error *err)
{
    return ingest_op_add(context, record, err);
}

static void take_problem(void *context, const struct record_problem *problem)
{
    struct ingest_op *op = context;
    ingest_report_add(&op->report, problem);
}

int ingest_op_open(struct ingest_op *op, struct shop *shop, const struct import_request *how,
                   struct error *err)
{
    assert(!op->reader);
    struct reader_sink sink = {.context = op, .record = take_record, .problem = take_problem};
    op->reader = ingest_reader_new(shop, how, &sink, err);
    return op->reader ? 0 : err ? (int)err->code : ERR_INVALID;
}

int ingest_op_feed(struct ingest_op *op, struct str bytes, struct error *err)
{
    assert(op->reader);
    return reader_feed(op->reader, bytes, err);
}

int ingest_op_finish(struct ingest_op *op, struct error *err)
{
    assert(op->reader);
    int rc = reader_finish(op->reader, err);
    if (rc == 0)
        ingest_counts_add(&op->report.counts, reader_counts(op->reader));
    reader_free(op->reader);
    op->reader = NULL;
    return rc;
}

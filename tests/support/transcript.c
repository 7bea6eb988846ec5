/* One line per thing, fields that are absent left out, so that expected files read well. */
#include "support/transcript.h"

static void text_field(struct buf *out, const char *name, struct str value)
{
    if (!value.ptr)
        return;
    buf_printf(out, " %s=", name);
    buf_json_str(out, value);
}

static void number_field(struct buf *out, const char *name, int64_t value, int64_t none)
{
    if (value != none)
        buf_printf(out, " %s=%lld", name, (long long)value);
}

static void time_field(struct buf *out, int64_t time_ms)
{
    char text[25];
    if (time_ms == RECORD_NO_TIME)
        return;
    time_ms_format(time_ms, text);
    buf_printf(out, " time=%s", text);
}

static void order(struct buf *out, const struct record *r)
{
    text_field(out, "id", r->order_id);
    text_field(out, "user", r->user_id);
    time_field(out, r->time_ms);
    buf_printf(out, " rows=%u", r->input_lines);
    for (uint32_t i = 0; i < r->line_count; i++) {
        const struct record_line *line = &r->lines[i];
        buf_text(out, "\n   ");
        text_field(out, "item", line->item_id);
        buf_printf(out, " quantity=%lld", (long long)line->quantity);
        number_field(out, "price", line->price_minor, RECORD_NO_PRICE);
        if (line->title.len > 0)
            text_field(out, "title", line->title);
    }
}

static void item(struct buf *out, const struct record *r)
{
    text_field(out, "id", r->item_id);
    buf_printf(out, " fields=%u", r->fields);
    if (r->fields & ITEM_TITLE)
        text_field(out, "title", r->title);
    if (r->fields & ITEM_CATEGORY)
        buf_printf(out, " category=%.*s", STR_ARG(r->category));
    number_field(out, "price", r->price_minor, RECORD_NO_PRICE);
    number_field(out, "stock", r->stock, RECORD_NO_STOCK);
    if (r->fields & ITEM_ATTRIBUTES)
        buf_printf(out, " attributes=%.*s", STR_ARG(r->attributes));
    if (r->fields & ITEM_AVAILABLE)
        buf_printf(out, " available=%d", r->available);
}

static int on_record(void *context, const struct record *r, struct error *err)
{
    static const char *const kinds[] = {"order", "item", "event", "cancel"};
    struct buf *out = context;
    (void)err;
    buf_printf(out, "%s %llu", kinds[r->kind], (unsigned long long)r->line);
    if (r->kind == RECORD_ORDER) {
        order(out, r);
    } else if (r->kind == RECORD_ITEM) {
        item(out, r);
    } else if (r->kind == RECORD_CANCEL) {
        text_field(out, "id", r->order_id);
    } else {
        text_field(out, "id", r->event_id);
        buf_printf(out, " event=%s", event_kind_name(r->event));
        text_field(out, "user", r->user_id);
        text_field(out, "session", r->session_id);
        text_field(out, "item", r->item_id);
        time_field(out, r->time_ms);
    }
    buf_char(out, '\n');
    return 0;
}

static void on_problem(void *context, const struct record_problem *p)
{
    buf_printf(context, "problem %llu %s: %s\n", (unsigned long long)p->line, p->field, p->reason);
}

struct reader_sink transcript_sink(struct buf *out)
{
    return (struct reader_sink){.context = out, .record = on_record, .problem = on_problem};
}

void transcript_tally(struct buf *out, const char *name, const struct tally *t)
{
    const struct {
        const char *name;
        uint64_t count;
    } classes[] = {{"accepted", t->accepted},   {"replaced", t->replaced},
                   {"duplicate", t->duplicate}, {"cancelled", t->cancelled},
                   {"returned", t->returned},   {"merged", t->merged},
                   {"excluded", t->excluded},   {"rejected", t->rejected}};
    if (t->read == 0)
        return;
    buf_printf(out, "%s read=%llu", name, (unsigned long long)t->read);
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (classes[i].count > 0)
            buf_printf(out, " %s=%llu", classes[i].name, (unsigned long long)classes[i].count);
    buf_char(out, '\n');
}

void transcript_counts(struct buf *out, const struct ingest_counts *counts)
{
    transcript_tally(out, "orders", &counts->orders);
    transcript_tally(out, "lines", &counts->lines);
    transcript_tally(out, "items", &counts->items);
    transcript_tally(out, "events", &counts->events);
    transcript_tally(out, "cancels", &counts->cancels);
}

static int feed_all(struct reader *r, struct str input, size_t piece, struct error *err)
{
    if (piece == 0)
        piece = input.len;
    while (input.len > 0) {
        size_t len = piece < input.len ? piece : input.len;
        int rc = reader_feed(r, (struct str){input.ptr, len}, err);
        if (rc != 0)
            return rc;
        input.ptr += len;
        input.len -= len;
    }
    return reader_finish(r, err);
}

int transcript_run(struct buf *out, const struct reader_options *options, struct str input,
                   size_t piece)
{
    struct error err = ERROR_INIT;
    struct reader_sink sink = transcript_sink(out);
    struct reader *r = reader_new(options, &sink, &err);
    int rc = r ? feed_all(r, input, piece, &err) : (int)err.code;
    if (rc == 0)
        transcript_counts(out, reader_counts(r));
    else
        buf_printf(out, "error %s: %s\n", err_name((enum err)rc), err.text);
    reader_free(r);
    return rc;
}

/* Values are judged as text, so that CSV cells and JSON tokens meet the same rules and a message
 * can quote what was there. Nothing is allocated per record. */
#include "ingest/clean.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static int compile(regex_t *regex, bool *has, const char *pattern, const char *name,
                   struct error *err)
{
    if (!pattern)
        return 0;
    int code = regcomp(regex, pattern, REG_EXTENDED | REG_NOSUB);
    if (code == REG_ESPACE)
        return error_set(err, ERR_NOMEM, "%s: out of memory", name);
    if (code != 0) {
        char why[128];
        regerror(code, regex, why, sizeof why);
        return error_set(err, ERR_INVALID, "%s: '%s' is not a regular expression: %s", name,
                         pattern, why);
    }
    *has = true;
    return 0;
}

int clean_init(struct cleaner *c, const struct reader_options *options,
               const struct reader_sink *sink, struct error *err)
{
    *c = (struct cleaner){.sink = *sink};
    c->now_ms = options->now_ms ? options->now_ms : clock_wall_ms();
    int rc = compile(&c->include, &c->has_include, options->include_items, "include_items", err);
    if (rc == 0)
        rc = compile(&c->exclude, &c->has_exclude, options->exclude_items, "exclude_items", err);
    if (rc < 0)
        clean_deinit(c);
    return rc;
}

void clean_deinit(struct cleaner *c)
{
    if (c->has_include)
        regfree(&c->include);
    if (c->has_exclude)
        regfree(&c->exclude);
    c->has_include = c->has_exclude = false;
}

const char *excerpt(struct str value, struct excerpt *room)
{
    size_t len = value.len;
    if (len > 40) {
        len = 40;
        while (len > 37 && (value.ptr[len] & 0xc0) == 0x80)
            len--;
    }
    bool valid = utf8_valid((struct str){value.ptr, len});
    for (size_t i = 0; i < len; i++)
        room->text[i] =
            (char)(value.ptr[i] == '\0' || (!valid && value.ptr[i] & 0x80) ? '?' : value.ptr[i]);
    snprintf(room->text + len, sizeof room->text - len, "%s", len < value.len ? "…" : "");
    return room->text;
}

static void report(struct cleaner *c, struct place at, const char *field, const char *format,
                   va_list arguments)
{
    if (!c->sink.problem)
        return;
    char reason[256], name[128];
    vsnprintf(reason, sizeof reason, format, arguments);
    if (at.element >= 0)
        snprintf(name, sizeof name, "items[%lld]%s%.100s", (long long)at.element, *field ? "." : "",
                 field);
    else
        snprintf(name, sizeof name, "%.100s", field);
    struct record_problem problem = {.line = at.line, .field = name, .reason = reason};
    c->sink.problem(c->sink.context, &problem);
}

void clean_problem(struct cleaner *c, struct place at, const char *field, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report(c, at, field, format, arguments);
    va_end(arguments);
}

void clean_reject(struct cleaner *c, struct tally *tally, struct place at, const char *field,
                  const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report(c, at, field, format, arguments);
    va_end(arguments);
    tally->read++;
    tally->rejected++;
}

static bool matches(const regex_t *regex, struct str id)
{
    char text[LIMIT_ID_BYTES + 1];
    assert(id.len < sizeof text);
    memcpy(text, id.ptr, id.len);
    text[id.len] = '\0';
    return regexec(regex, text, 0, NULL, 0) == 0;
}

static bool item_wanted(const struct cleaner *c, struct str id)
{
    if (c->has_include && !matches(&c->include, id))
        return false;
    return !c->has_exclude || !matches(&c->exclude, id);
}

bool clean_id(struct cleaner *c, struct place at, const char *field, struct str id)
{
    const char *why = id.ptr ? id_problem(id) : "is missing";
    if (why)
        clean_problem(c, at, field, "%s", why);
    return !why;
}

static bool optional_id(struct cleaner *c, struct place at, const char *field, struct str id)
{
    return !id.ptr || clean_id(c, at, field, id);
}

bool clean_time(struct cleaner *c, struct place at, struct str text, int64_t *out)
{
    *out = RECORD_NO_TIME;
    if (!text.ptr)
        return true;
    struct excerpt room;
    if (!str_to_time_ms(text, out)) {
        clean_problem(c, at, "timestamp", "expected a time such as 2026-01-02T03:04:05Z, got '%s'",
                      excerpt(text, &room));
        return false;
    }
    if (*out > c->now_ms + LIMIT_FUTURE_MS) {
        clean_problem(c, at, "timestamp", "'%s' lies in the future", excerpt(text, &room));
        return false;
    }
    return true;
}

static bool clean_price(struct cleaner *c, struct place at, struct str text, int64_t *out)
{
    *out = RECORD_NO_PRICE;
    if (!text.ptr)
        return true;
    struct excerpt room;
    if (!str_to_minor(text, out)) {
        clean_problem(c, at, "price", "expected an amount such as 12.50, got '%s'",
                      excerpt(text, &room));
        return false;
    }
    if (*out < 0) {
        clean_problem(c, at, "price", "is negative: '%s'", excerpt(text, &room));
        return false;
    }
    return true;
}

/* "12", and "12.000" as some shops write it. */
static bool whole_number(struct str text, int64_t *out)
{
    struct str whole = str_cut(&text, '.');
    if (text.ptr && text.len == 0)
        return false;
    for (size_t i = 0; text.ptr && i < text.len; i++)
        if (text.ptr[i] != '0')
            return false;
    return str_to_i64(whole, out);
}

static bool clean_quantity(struct cleaner *c, struct place at, struct str text, int64_t *out)
{
    *out = 1;
    if (!text.ptr)
        return true;
    struct excerpt room;
    if (!whole_number(text, out)) {
        clean_problem(c, at, "quantity", "expected a whole number, got '%s'", excerpt(text, &room));
        return false;
    }
    if (*out == 0) {
        clean_problem(c, at, "quantity", "is zero");
        return false;
    }
    if (*out > LIMIT_QUANTITY || *out < -LIMIT_QUANTITY) {
        clean_problem(c, at, "quantity", "'%s' is beyond %lld", excerpt(text, &room),
                      LIMIT_QUANTITY);
        return false;
    }
    return true;
}

static bool clean_title(struct cleaner *c, struct place at, struct str title)
{
    if (title.len > LIMIT_TITLE_BYTES)
        clean_problem(c, at, "title", "longer than %d bytes", LIMIT_TITLE_BYTES);
    else if (!utf8_valid(title))
        clean_problem(c, at, "title",
                      "not valid UTF-8; is the file Latin-1? iconv -t utf-8 converts it");
    else
        return true;
    return false;
}

enum line_class clean_line(struct cleaner *c, struct place at, const struct raw_line *raw,
                           struct record_line *out)
{
    c->counts.lines.read++;
    if (!clean_id(c, at, "item_id", raw->item_id))
        goto rejected;
    if (!item_wanted(c, raw->item_id)) {
        c->counts.lines.excluded++;
        return LINE_EXCLUDED;
    }
    *out = (struct record_line){.item_id = raw->item_id, .title = raw->title};
    if (clean_quantity(c, at, raw->quantity, &out->quantity) &&
        clean_price(c, at, raw->price, &out->price_minor) && clean_title(c, at, raw->title))
        return LINE_GOOD;
rejected:
    c->counts.lines.rejected++;
    return LINE_REJECTED;
}

static int give(struct cleaner *c, const struct record *record, uint64_t *given, struct error *err)
{
    ++*given;
    return c->sink.record(c->sink.context, record, err);
}

static bool clean_event_kind(struct cleaner *c, struct place at, struct str name,
                             enum event_kind *out)
{
    int kind = name.ptr ? event_kind_parse(name) : -1;
    struct excerpt room;
    if (kind < 0) {
        clean_problem(c, at, "event", "expected view, cart, uncart, wish or purchase, got '%s'",
                      excerpt(name, &room));
        return false;
    }
    *out = (enum event_kind)kind;
    return true;
}

int clean_event(struct cleaner *c, struct place at, const struct raw_event *raw, struct error *err)
{
    struct tally *tally = &c->counts.events;
    struct record r = {.kind = RECORD_EVENT,
                       .line = at.line,
                       .event_id = raw->event_id,
                       .user_id = raw->user_id,
                       .session_id = raw->session_id,
                       .item_id = raw->item_id};
    tally->read++;
    if (!clean_event_kind(c, at, raw->event, &r.event) ||
        !clean_id(c, at, "item_id", raw->item_id) ||
        !optional_id(c, at, "event_id", raw->event_id) ||
        !optional_id(c, at, "user_id", raw->user_id) ||
        !optional_id(c, at, "session_id", raw->session_id) ||
        !clean_time(c, at, raw->time, &r.time_ms)) {
        tally->rejected++;
        return 0;
    }
    if (!item_wanted(c, raw->item_id)) {
        tally->excluded++;
        return 0;
    }
    return give(c, &r, &c->given_events, err);
}

static bool clean_stock(struct cleaner *c, struct place at, struct str text, int64_t *out)
{
    *out = RECORD_NO_STOCK;
    if (!text.ptr)
        return true;
    if (whole_number(text, out) && *out >= 0)
        return true;
    struct excerpt room;
    clean_problem(c, at, "stock", "expected a whole number from 0, got '%s'", excerpt(text, &room));
    return false;
}

int clean_item(struct cleaner *c, struct place at, const struct raw_item *raw, struct error *err)
{
    struct tally *tally = &c->counts.items;
    struct record r = {.kind = RECORD_ITEM,
                       .line = at.line,
                       .time_ms = RECORD_NO_TIME,
                       .item_id = raw->item_id,
                       .fields = raw->fields,
                       .title = raw->title,
                       .category = raw->category,
                       .attributes = raw->attributes,
                       .available = raw->available};
    tally->read++;
    if (!clean_id(c, at, "item_id", raw->item_id) || !clean_title(c, at, raw->title) ||
        !clean_price(c, at, raw->price, &r.price_minor) ||
        !clean_stock(c, at, raw->stock, &r.stock)) {
        tally->rejected++;
        return 0;
    }
    if (!item_wanted(c, raw->item_id)) {
        tally->excluded++;
        return 0;
    }
    return give(c, &r, &c->given_items, err);
}

int clean_cancel(struct cleaner *c, struct place at, struct str order_id, struct error *err)
{
    struct record r = {
        .kind = RECORD_CANCEL, .line = at.line, .time_ms = RECORD_NO_TIME, .order_id = order_id};
    c->counts.cancels.read++;
    if (!clean_id(c, at, "order_id", order_id)) {
        c->counts.cancels.rejected++;
        return 0;
    }
    return give(c, &r, &c->given_cancels, err);
}

static void check(const struct tally *t, uint64_t given)
{
    uint64_t classes = t->accepted + t->replaced + t->duplicate + t->cancelled + t->returned +
                       t->merged + t->excluded + t->rejected;
    assert(t->read == classes + given);
}

void clean_check_counts(const struct cleaner *c)
{
    check(&c->counts.orders, c->given_orders);
    check(&c->counts.lines, c->given_lines);
    check(&c->counts.items, c->given_items);
    check(&c->counts.events, c->given_events);
    check(&c->counts.cancels, c->given_cancels);
}

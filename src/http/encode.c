/* An answer is written with a pen: room for the worst case of a suggestion is reserved once, then
 * fixed texts are copied with their constant size, which the compiler turns into stores. Escaping a
 * text takes six bytes for one at most. Measures that mean nothing for a kind of reason are left
 * out. Everything else, being rarer, goes through the buffer's own functions. */
#include "http/encode.h"

#include <math.h>
#include <string.h>

/* Texts of fixed size: PUT(out, "abc"), with room reserved by the caller. */
#define PUT(out, literal)                                                                          \
    (memcpy((out)->ptr + (out)->len, "" literal, sizeof(literal) - 1),                             \
     (out)->len += sizeof(literal) - 1)

/* Fixed texts, four numbers and what is left of them. */
#define SUGGESTION_BYTES 384

static size_t worst_text(struct str s)
{
    return 6 * s.len + 3;
}

/* Where an answer's texts are. */
struct answer_texts {
    const struct model *m;
    const struct catalog *c;
    const struct query *q;
};

/* Room for one suggestion: afterwards nothing that PUT writes can be out of it. */
static bool reserve_suggestion(const struct answer_texts *t, const struct suggestion *s,
                               struct str id, struct str title, struct buf *out)
{
    size_t need = SUGGESTION_BYTES + worst_text(id) + worst_text(title);
    for (uint32_t i = 0; i < s->because.item_count; i++)
        need += worst_text(answer_item_id(t->m, t->c, t->q, s->because.items[i]));
    return buf_reserve(out, need) != NULL;
}

static void add_because(const struct answer_texts *t, const struct because *b, struct buf *out)
{
    PUT(out, ",\"because\":{\"kind\":\"");
    buf_text(out, because_kind_name(b->kind));
    PUT(out, "\",\"source\":\"");
    buf_text(out, b->source ? b->source : "none");
    PUT(out, "\",\"items\":[");
    for (uint32_t i = 0; i < b->item_count; i++) {
        if (i)
            PUT(out, ",");
        buf_json_str(out, answer_item_id(t->m, t->c, t->q, b->items[i]));
    }
    PUT(out, "],\"count\":");
    buf_u64(out, b->count);
    if (!isnan(b->support)) {
        PUT(out, ",\"support\":");
        buf_f64(out, b->support);
    }
    if (!isnan(b->confidence)) {
        PUT(out, ",\"confidence\":");
        buf_f64(out, b->confidence);
    }
    if (!isnan(b->lift)) {
        PUT(out, ",\"lift\":");
        buf_f64(out, b->lift);
    }
    if (!isnan(b->trend)) {
        PUT(out, ",\"trend\":");
        buf_f64(out, b->trend);
    }
    if (b->kind == BECAUSE_HABIT) {
        PUT(out, ",\"last\":");
        encode_time(b->last_ms, out);
        PUT(out, ",\"gap_days\":");
        buf_f64(out, b->gap_days);
    }
    PUT(out, "}");
}

static void add_suggestion(const struct answer_texts *t, const struct suggestion *s,
                           struct buf *out)
{
    const struct catalog_item *item = catalog_at(t->c, s->slot);
    struct str id = catalog_id(t->c, s->slot);
    struct str title = item ? item->title : STR_NONE;
    if (!reserve_suggestion(t, s, id, title, out))
        return;
    PUT(out, "{\"item_id\":");
    buf_json_str(out, id);
    PUT(out, ",\"score\":");
    buf_f64(out, (double)s->score);
    PUT(out, ",\"title\":");
    if (title.len)
        buf_json_str(out, title);
    else
        PUT(out, "null");
    if (t->q->explain)
        add_because(t, &s->because, out);
    PUT(out, "}");
}

void encode_answer(const struct model *m, const struct catalog *c, const struct query *q,
                   const struct answer *a, struct buf *out)
{
    const struct answer_texts texts = {m, c, q};
    const char *comma = "";
    buf_text(out, "\"items\":[");
    for (uint32_t i = 0; i < a->count; i++) {
        if (i)
            buf_char(out, ',');
        add_suggestion(&texts, &a->items[i], out);
    }
    buf_text(out, "],\"unknown_items\":[");
    for (uint32_t i = 0; i < a->unknown_count; i++) {
        if (i)
            buf_char(out, ',');
        buf_json_str(out, q->items[a->unknown[i]]);
    }
    buf_text(out, "],\"diagnostics\":{\"candidates\":");
    buf_u64(out, a->candidates);
    buf_text(out, ",\"filtered\":{");
    for (int d = 0; d < DROP_COUNT; d++) {
        if (!a->dropped[d])
            continue;
        buf_text(out, comma);
        buf_char(out, '"');
        buf_text(out, drop_name((enum drop)d));
        buf_text(out, "\":");
        buf_u64(out, a->dropped[d]);
        comma = ",";
    }
    buf_char(out, '}');
}

/* ,"name":number, or null when it is undefined. */
static void add_number(const char *name, double value, struct buf *out)
{
    buf_text(out, ",\"");
    buf_text(out, name);
    buf_text(out, "\":");
    buf_f64(out, value);
}

void encode_rule(const struct model *m, uint32_t rule, struct buf *out)
{
    static const enum measure shown[] = {
        MEASURE_SUPPORT,  MEASURE_CONFIDENCE, MEASURE_CONFIDENCE_LOW, MEASURE_LIFT,
        MEASURE_LEVERAGE, MEASURE_CONVICTION, MEASURE_FISHER_P};
    const struct rules *rules = &m->rules;
    struct counts counts = rules_counts(rules, rule);
    buf_text(out, "{\"antecedent\":[");
    for (uint64_t i = rules->start[rule]; i < rules->start[rule + 1]; i++) {
        if (i > rules->start[rule])
            buf_char(out, ',');
        buf_json_str(out, dict_name(&m->items, rules->antecedent[i]));
    }
    buf_text(out, "],\"consequent\":");
    buf_json_str(out, dict_name(&m->items, rules->consequent[rule]));
    buf_text(out, ",\"count\":");
    buf_u64(out, counts.c);
    for (size_t x = 0; x < sizeof shown / sizeof *shown; x++)
        add_number(measure_name(shown[x]), measure_of(shown[x], &counts), out);
    add_number("improvement", (double)rules->improvement[rule], out);
    add_number("q", (double)rules->q[rule], out);
    buf_char(out, '}');
}

static void encode_money(int64_t minor, struct buf *out)
{
    if (minor == PRICE_NONE) {
        buf_text(out, "null");
        return;
    }
    if (minor < 0)
        buf_char(out, '-');
    uint64_t size = minor < 0 ? 0 - (uint64_t)minor : (uint64_t)minor;
    buf_u64(out, size / 100);
    buf_char(out, '.');
    buf_char(out, (char)('0' + size % 100 / 10));
    buf_char(out, (char)('0' + size % 10));
}

void encode_time(int64_t time_ms, struct buf *out)
{
    char text[25];
    time_ms_format(time_ms, text);
    buf_char(out, '"');
    buf_text(out, text);
    buf_char(out, '"');
}

void encode_item(const struct catalog_item *item, struct buf *out)
{
    buf_text(out, "{\"item_id\":");
    buf_json_str(out, item->item_id);
    buf_text(out, ",\"title\":");
    if (item->title.len)
        buf_json_str(out, item->title);
    else
        buf_text(out, "null");
    buf_text(out, ",\"category\":");
    buf_str(out, item->category.len ? item->category : STR("[]"));
    buf_text(out, ",\"price\":");
    encode_money(item->price_minor, out);
    buf_text(out, ",\"stock\":");
    if (item->stock == STOCK_NONE)
        buf_text(out, "null");
    else
        buf_i64(out, item->stock);
    buf_text(out, item->available ? ",\"available\":true" : ",\"available\":false");
    buf_text(out, ",\"attributes\":");
    buf_str(out, item->attributes.len ? item->attributes : STR("{}"));
    buf_text(out, ",\"updated\":");
    encode_time(item->updated_ms, out);
    buf_char(out, '}');
}

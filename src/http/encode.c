/* Members with a fixed text are added as one piece with the comma before them. Measures that mean
 * nothing for a kind of reason are left out. */
#include "http/encode.h"

#include <math.h>
#include <stdlib.h>

static void add_member(struct buf *out, const char *name, double value)
{
    if (isnan(value))
        return;
    buf_text(out, name);
    buf_f64(out, value);
}

static void add_because(const struct model *m, const struct because *b, struct buf *out)
{
    buf_text(out, ",\"because\":{\"kind\":\"");
    buf_text(out, because_kind_name(b->kind));
    buf_text(out, "\",\"source\":\"");
    buf_text(out, b->source ? b->source : "none");
    buf_text(out, "\",\"items\":[");
    for (uint32_t i = 0; i < b->item_count; i++) {
        if (i)
            buf_char(out, ',');
        buf_json_str(out, dict_name(&m->items, b->items[i]));
    }
    buf_text(out, "],\"count\":");
    buf_u64(out, b->count);
    add_member(out, ",\"support\":", b->support);
    add_member(out, ",\"confidence\":", b->confidence);
    add_member(out, ",\"lift\":", b->lift);
    add_member(out, ",\"trend\":", b->trend);
    buf_char(out, '}');
}

static void add_suggestion(const struct model *m, const struct catalog *c, bool explain,
                           const struct suggestion *s, struct buf *out)
{
    const struct catalog_item *item = catalog_at(c, s->slot);
    buf_text(out, "{\"item_id\":");
    buf_json_str(out, dict_name(&m->items, s->item));
    buf_text(out, ",\"score\":");
    buf_f64(out, (double)s->score);
    buf_text(out, ",\"title\":");
    if (item && item->title.len)
        buf_json_str(out, item->title);
    else
        buf_text(out, "null");
    if (explain)
        add_because(m, &s->because, out);
    buf_char(out, '}');
}

void encode_answer(const struct model *m, const struct catalog *c, const struct query *q,
                   const struct answer *a, struct buf *out)
{
    const char *comma = "";
    buf_text(out, "\"items\":[");
    for (uint32_t i = 0; i < a->count; i++) {
        if (i)
            buf_char(out, ',');
        add_suggestion(m, c, q->explain, &a->items[i], out);
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

void encode_rule(const struct model *m, uint32_t rule, struct buf *out)
{
    const struct rules *rules = &m->rules;
    struct measures x;
    rules_measures(rules, rule, 1, &x);
    buf_text(out, "{\"antecedent\":[");
    for (uint64_t i = rules->start[rule]; i < rules->start[rule + 1]; i++) {
        if (i > rules->start[rule])
            buf_char(out, ',');
        buf_json_str(out, dict_name(&m->items, rules->antecedent[i]));
    }
    buf_text(out, "],\"consequent\":");
    buf_json_str(out, dict_name(&m->items, rules->consequent[rule]));
    buf_text(out, ",\"count\":");
    buf_u64(out, rules->both[rule]);
    buf_text(out, ",\"support\":");
    buf_f64(out, x.support);
    buf_text(out, ",\"confidence\":");
    buf_f64(out, x.confidence);
    buf_text(out, ",\"lift\":");
    buf_f64(out, x.lift);
    buf_text(out, ",\"leverage\":");
    buf_f64(out, x.leverage);
    buf_text(out, ",\"conviction\":");
    buf_f64(out, x.conviction);
    buf_text(out, ",\"fisher_p\":");
    buf_f64(out, x.fisher_p);
    buf_char(out, '}');
}

void encode_money(int64_t minor, struct buf *out)
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

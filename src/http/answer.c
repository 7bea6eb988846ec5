/* The JSON of an answer, written straight into one buffer. What changes without the answer changing
 * (request id, age) stands outside the tagged range, so that an ETag holds. */
#include "http_internal.h"

#include "base/clock.h"

static void write_price(struct buf *out, int64_t minor)
{
    buf_i64(out, minor / 100);
    buf_char(out, '.');
    buf_char(out, (char)('0' + minor / 10 % 10));
    buf_char(out, (char)('0' + minor % 10));
}

static void write_because(const struct model *m, const struct because *b, struct buf *out)
{
    buf_text(out, ",\"because\":{\"kind\":\"");
    buf_text(out, because_kind_name(b->kind));
    buf_text(out, "\",\"source\":\"");
    buf_text(out, b->source ? b->source : "");
    buf_text(out, "\",\"items\":[");
    for (uint32_t i = 0; i < b->item_count; i++) {
        if (i)
            buf_char(out, ',');
        buf_json_str(out, dict_name(&m->items, b->items[i]));
    }
    buf_text(out, "],\"count\":");
    buf_u64(out, b->count);
    buf_text(out, ",\"support\":");
    buf_f64(out, b->support);
    buf_text(out, ",\"confidence\":");
    buf_f64(out, b->confidence);
    buf_text(out, ",\"lift\":");
    buf_f64(out, b->lift);
    if (b->kind == BECAUSE_TREND) {
        buf_text(out, ",\"trend\":");
        buf_f64(out, b->trend);
    }
    buf_char(out, '}');
}

static void write_suggestion(const struct request *r, const struct model *m,
                             const struct suggestion *s, bool explain, struct buf *out)
{
    const struct catalog_item *item = catalog_at(&r->loop->shop->catalog, s->slot);
    buf_text(out, "{\"item_id\":");
    buf_json_str(out, dict_name(&m->items, s->item));
    buf_text(out, ",\"score\":");
    buf_f64(out, (double)s->score);
    if (item && item->title.len) {
        buf_text(out, ",\"title\":");
        buf_json_str(out, item->title);
    }
    if (item && item->price_minor != PRICE_NONE) {
        buf_text(out, ",\"price\":");
        write_price(out, item->price_minor);
    }
    if (explain && s->because.kind != BECAUSE_NONE)
        write_because(m, &s->because, out);
    buf_char(out, '}');
}

static void write_diagnostics(const struct answer *a, struct buf *out)
{
    const char *comma = "";
    buf_text(out, "],\"diagnostics\":{\"candidates\":");
    buf_u64(out, a->candidates);
    buf_text(out, ",\"filtered\":{");
    for (int d = 0; d < DROP_COUNT; d++) {
        if (a->dropped[d] == 0)
            continue;
        buf_printf(out, "%s\"%s\":%u", comma, drop_name((enum drop)d), a->dropped[d]);
        comma = ",";
    }
    buf_char(out, '}');
}

void answer_write(const struct request *r, const struct model *m, const struct query *q,
                  const struct answer *a, struct buf *out, size_t *tag_from, size_t *tag_to)
{
    int64_t age_ms = q->now_ms - m->created_ms;
    buf_text(out, "{\"request_id\":");
    buf_json_str(out, str_of(r->request_id));
    *tag_from = out->len;
    buf_text(out, ",\"model\":");
    buf_i64(out, m->id);
    buf_text(out, ",\"surface\":\"");
    buf_text(out, surface_name(a->surface));
    buf_text(out, "\",\"fallback\":");
    if (fallback_name(a->fallback))
        buf_json_str(out, str_of(fallback_name(a->fallback)));
    else
        buf_text(out, "null");
    buf_text(out, ",\"items\":[");
    for (uint32_t i = 0; i < a->count; i++) {
        if (i)
            buf_char(out, ',');
        write_suggestion(r, m, &a->items[i], q->explain, out);
    }
    buf_text(out, "],\"unknown_items\":[");
    for (uint32_t i = 0; i < a->unknown_count; i++) {
        if (i)
            buf_char(out, ',');
        buf_json_str(out, q->items[a->unknown[i]]);
    }
    write_diagnostics(a, out);
    *tag_to = out->len;
    buf_text(out, ",\"model_age_s\":");
    buf_i64(out, age_ms > 0 ? age_ms / 1000 : 0);
    buf_text(out, "}}");
}

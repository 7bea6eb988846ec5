/* GET /rules: browse the rule index. */
#include "http_internal.h"

#include "engine/browse.h"

#include <stdlib.h>

enum {
    ANTECEDENT,
    CONSEQUENT,
    CONTAINS,
    MIN_SUPPORT,
    MIN_CONFIDENCE,
    MIN_LIFT,
    SORT,
    LIMIT,
    CURSOR,
    PARAM_COUNT
};

static bool take_sort(struct request *r, const struct param *p, struct rule_query *q)
{
    struct str name = p->value;
    q->sort = SORT_LIFT;
    if (!name.ptr)
        return true;
    q->ascending = !(name.len > 0 && name.ptr[0] == '-');
    if (!q->ascending)
        name = (struct str){name.ptr + 1, name.len - 1};
    int key = rule_sort_parse(name);
    if (key < 0) {
        reply_invalid(
            r, "sort",
            "sort: expected lift, confidence, support, count, leverage or conviction, with - for "
            "descending");
        return false;
    }
    q->sort = (enum rule_sort)key;
    return true;
}

/* Everything but the cursor and the limit belongs to the question a cursor is bound to. */
static uint64_t question_hash(const struct param *p)
{
    uint64_t hash = 7;
    for (int i = 0; i < LIMIT; i++) {
        hash = hash_bytes(hash + (p[i].value.ptr != NULL), p[i].value.ptr ? p[i].value.ptr : "",
                          p[i].value.len);
    }
    return hash;
}

static bool read_query(struct request *r, struct param *p, const struct model *m,
                       struct rule_query *q)
{
    uint64_t after = 0;
    q->limit = 50;
    if (!params_read(r, p, PARAM_COUNT) ||
        !param_ids(r, &p[ANTECEDENT], LIMIT_QUERY_ITEMS, &q->antecedent, &q->antecedent_count) ||
        !param_ids(r, &p[CONTAINS], 16, &q->contains, &q->contains_count) ||
        !param_real(r, &p[MIN_SUPPORT], 0, 1, &q->min_support) ||
        !param_real(r, &p[MIN_CONFIDENCE], 0, 1, &q->min_confidence) ||
        !param_real(r, &p[MIN_LIFT], 0, 1e12, &q->min_lift) || !take_sort(r, &p[SORT], q) ||
        !param_u32(r, &p[LIMIT], 1, 1000, &q->limit))
        return false;
    q->consequent = p[CONSEQUENT].value;
    if (p[CURSOR].value.ptr &&
        (!cursor_parse(p[CURSOR].value, (uint64_t)m->id, question_hash(p), &after) ||
         after > UINT32_MAX)) {
        reply_invalid(r, "cursor",
                      "cursor: of another model or another question; start again without it");
        return false;
    }
    q->after = (uint32_t)after;
    return true;
}

static void write_rule(const struct model *m, uint32_t rule, struct buf *out)
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
    buf_printf(out, ",\"count\":%u,\"support\":", rules->both[rule]);
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

static void write_page(struct request *r, const struct model *m, const struct rule_page *page,
                       uint64_t hash)
{
    struct buf out;
    buf_init(&out, 0);
    buf_printf(&out, "{\"model\":%lld,\"baskets\":%u,\"total\":%u,\"rules\":[", (long long)m->id,
               m->rules.basket_count, page->total);
    for (uint32_t i = 0; i < page->count; i++) {
        if (i)
            buf_char(&out, ',');
        write_rule(m, page->rules[i], &out);
    }
    buf_text(&out, "],\"next\":");
    if (page->next) {
        buf_char(&out, '"');
        cursor_write(&out, (uint64_t)m->id, hash, page->next);
        buf_char(&out, '"');
    } else {
        buf_text(&out, "null");
    }
    buf_char(&out, '}');
    reply_tagged(r, &out, 0, out.len);
}

void handle_rules(struct request *r)
{
    struct param p[PARAM_COUNT] = {
        {.name = "antecedent"},  {.name = "consequent"},     {.name = "contains"},
        {.name = "min_support"}, {.name = "min_confidence"}, {.name = "min_lift"},
        {.name = "sort"},        {.name = "limit"},          {.name = "cursor"}};
    struct rule_query q = {0};
    struct rule_page page;
    struct error err = ERROR_INIT;
    struct model *m = live_get(r->loop->live);
    if (!m)
        reply_problem(r, 503, "no model yet: post orders to /ingest, then POST /train");
    else if (read_query(r, p, m, &q) && browse_rules(m, &q, &page, &err) == 0) {
        write_page(r, m, &page, question_hash(p));
        free(page.rules);
    } else if (!r->response) {
        reply_error(r, &err);
    }
}

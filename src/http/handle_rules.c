/* GET /rules: a page of the rule index. */
#include "http/handlers.h"

#include "engine/browse.h"
#include "http/cursor.h"
#include "http/encode.h"
#include "http/loop.h"
#include "http/respond.h"

#include <stdlib.h>

#define RULES_LIMIT_MAX 1000

struct rules_input {
    struct str_list antecedent, contains;
    struct str consequent, cursor;
    double min_support, min_confidence, min_lift;
    int sort; /* 2 * enum rule_sort + ascending */
    uint32_t limit;
};

/* "-lift" is the largest first, "lift" the smallest. */
static int parse_sort(struct str text)
{
    bool descending = str_starts(text, STR("-"));
    struct str name = {text.ptr + descending, text.len - descending};
    int sort = rule_sort_parse(name);
    return sort < 0 ? -1 : 2 * sort + !descending;
}

/* clang-format off: a table reads best as one */
#define AT(member) offsetof(struct rules_input, member)
const struct field rules_params[] = {
    {.name = "antecedent", .kind = FIELD_IDS, .offset = AT(antecedent), .max = LIMIT_QUERY_ITEMS},
    {.name = "consequent", .kind = FIELD_ID, .offset = AT(consequent)},
    {.name = "contains", .kind = FIELD_IDS, .offset = AT(contains), .max = LIMIT_QUERY_ITEMS},
    {.name = "min_support", .kind = FIELD_NUMBER, .offset = AT(min_support), .min = 0, .max = 1},
    {.name = "min_confidence",
     .kind = FIELD_NUMBER,
     .offset = AT(min_confidence),
     .min = 0,
     .max = 1},
    {.name = "min_lift", .kind = FIELD_NUMBER, .offset = AT(min_lift), .min = 0, .max = 1e9},
    {.name = "sort",
     .kind = FIELD_CHOICE,
     .offset = AT(sort),
     .choice = parse_sort,
     .note = "-lift, -confidence, -confidence_low, -support, -count, -leverage, -conviction, "
             "-improvement, -q, or without the minus for the smallest first"},
    {.name = "limit", .kind = FIELD_COUNT, .offset = AT(limit), .min = 1, .max = RULES_LIMIT_MAX},
    {.name = "cursor", .kind = FIELD_TEXT, .offset = AT(cursor), .max = 64},
    {.name = NULL},
};
/* clang-format on */

/* One browse, on its way to the pool and back. */
struct browsing {
    struct model *model; /* referenced */
    struct rule_query query;
    struct cursor_word word;
    struct error err;
};

static void write_page(const struct browsing *b, const struct rule_page *page, struct buf *out)
{
    const struct model *m = b->model;
    struct cursor_word next = b->word;
    buf_text(out, "{\"model\":");
    buf_i64(out, m->id);
    buf_text(out, ",\"baskets\":");
    buf_u64(out, m->rules.basket_count);
    buf_text(out, ",\"total\":");
    buf_u64(out, page->total);
    buf_text(out, ",\"rules\":[");
    for (uint32_t i = 0; i < page->count; i++) {
        if (i)
            buf_char(out, ',');
        encode_rule(m, page->rules[i], out);
    }
    buf_text(out, "],\"next\":");
    next.position = page->next;
    if (page->next)
        cursor_write(&next, out);
    else
        buf_text(out, "null");
    buf_char(out, '}');
}

static void browse(struct request *r)
{
    struct browsing *b = r->state;
    struct rule_page page;
    if (browse_rules(b->model, &b->query, &page, &b->err) != 0)
        return;
    write_page(b, &page, &r->out);
    free(page.rules);
}

static int browsed(struct request *r)
{
    struct browsing *b = r->state;
    model_unref(b->model);
    if (b->err.code != OK)
        return respond_error(r, &b->err);
    return respond_tagged(r, (struct str){r->out.ptr, r->out.len}, false);
}

/* A scan of a million rules, or a page of a thousand with Fisher's test for each, takes some ms. */
static int begin(struct request *r, struct model *m, const struct rules_input *in)
{
    struct browsing *b = arena_alloc(&r->arena, 1, sizeof *b);
    if (!b)
        return respond_problem(r, 503, "out of memory");
    *b = (struct browsing){
        .word = {.version = (uint64_t)m->id, .question = cursor_question(&r->params)}};
    if (in->cursor.len) {
        int rc = cursor_read(in->cursor, &b->word, &b->err);
        if (rc != 0)
            return respond_parameter(r, rc == ERR_NOT_FOUND ? 410 : 400, "cursor", &b->err);
    }
    b->query = (struct rule_query){.antecedent = in->antecedent.at,
                                   .antecedent_count = in->antecedent.count,
                                   .consequent = in->consequent,
                                   .contains = in->contains.at,
                                   .contains_count = in->contains.count,
                                   .min_support = in->min_support,
                                   .min_confidence = in->min_confidence,
                                   .min_lift = in->min_lift,
                                   .sort = (enum rule_sort)(in->sort / 2),
                                   .ascending = in->sort % 2,
                                   .limit = in->limit,
                                   .after = (uint32_t)b->word.position};
    b->model = model_ref(m);
    r->state = b;
    int status = request_offload(r, browse, browsed);
    if (status != LATER)
        model_unref(m);
    return status;
}

int handle_rules(struct request *r)
{
    struct rules_input in = {.sort = 2 * SORT_LIFT, .limit = 50};
    int status = request_params(r, &in);
    if (status)
        return status;
    struct model *m = live_get(r->loop->live);
    if (!m)
        return respond_problem(r, 503,
                               "there is no model yet: post orders to /ingest, then POST /train");
    return begin(r, m, &in);
}

/* What one answer costs: recommend() on a made-up model of 1e5 items, 200 neighbours of each, 3e5
 * rules, Zipf popularity, visits of 1e6 events and a full catalogue, for baskets of 1 to 50 items,
 * histories of 50 and sessions of 1 to 50, by the default recipe.
 * Half of a basket's items lie near each other, half are drawn by popularity. Also /rules on the
 * same model: pages with and without conditions.
 *
 * bench_recommend [items] [questions] [neighbours]. Prints "result" lines for tests/bench/run.sh.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/rng.h"
#include "engine/browse.h"
#include "engine/recommend.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASKETS 2000000u
#define EVENTS  1000000u
#define LONGEST 40  /* events of a visit; 5 on average */
#define NEAR    400 /* items of one corner of the shop */

struct world {
    uint32_t items, neighbours;
    uint32_t *by_rank; /* popular first */
    struct model *m;
    struct catalog c;
    struct rng r;
};

static void fail(const char *what)
{
    fprintf(stderr, "bench_recommend: %s\n", what);
    exit(1);
}

static void must(int rc, const struct error *err)
{
    if (rc)
        fail(err->text);
}

/* Zipf with exponent about 1: the rank is exp of a uniform number. */
static uint32_t popular_item(struct world *w)
{
    double rank = exp(rng_unit(&w->r) * log((double)w->items)) - 1;
    return w->by_rank[(uint32_t)rank % w->items];
}

static uint32_t near_item(struct world *w, uint32_t item)
{
    return (item / NEAR * NEAR + rng_below(&w->r, NEAR)) % w->items;
}

static void make_items(struct world *w)
{
    struct model *m = w->m;
    struct error err = ERROR_INIT;
    m->item_count = w->items;
    m->basket_count = BASKETS;
    must(dict_init(&m->items, &err), &err);
    if (!MEM_NEW(m->slot, w->items) || !MEM_NEW(w->by_rank, w->items))
        fail("out of memory");
    for (uint32_t i = 0; i < w->items; i++) {
        char name[24];
        uint32_t index, other = rng_below(&w->r, i + 1);
        snprintf(name, sizeof name, "sku-%06u", i);
        must(dict_add(&m->items, str_of(name), &index, &err), &err);
        m->slot[i] = i + 1;
        w->by_rank[i] = w->by_rank[other];
        w->by_rank[other] = i;
    }
}

static void make_popularity(struct world *w)
{
    struct popularity *p = &w->m->popularity;
    uint32_t n = p->item_count = w->items;
    if (!MEM_ZNEW(p->orders_all, n) || !MEM_ZNEW(p->orders_28d, n) || !MEM_ZNEW(p->orders_7d, n) ||
        !MEM_ZNEW(p->trend, n) || !MEM_NEW(p->rank, n) || !MEM_NEW(p->by_trend, n))
        fail("out of memory");
    p->by_rank = mem_copy(w->by_rank, n * sizeof *w->by_rank);
    if (!p->by_rank)
        fail("out of memory");
    for (uint32_t x = 0; x < n; x++) {
        uint32_t item = w->by_rank[x];
        p->rank[item] = x;
        p->orders_all[item] = 100 + 200000 / (x + 2);
        p->orders_28d[item] = p->orders_all[item] / 12;
        p->orders_7d[item] = x < n / 2;
        p->trend[item] = x < n / 2 ? 1.0f / (float)(x + 1) : -1;
        p->by_trend[x] = item;
    }
}

static int descending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

static void make_rows(struct world *w, struct matrix *s)
{
    struct error err = ERROR_INIT;
    const uint32_t neighbours = w->neighbours;
    const uint32_t *orders = w->m->popularity.orders_all;
    uint64_t entries = (uint64_t)w->items * neighbours;
    uint32_t *seen = mem_zarray(w->items, sizeof *seen);
    must(csr_alloc(&s->rows, w->items, w->items, entries, 1, &err), &err);
    if (!seen || !MEM_NEW(s->both, entries))
        fail("out of memory");
    for (uint32_t i = 0; i < w->items; i++) {
        uint64_t at = (uint64_t)i * neighbours;
        seen[i] = i + 1;
        for (uint32_t x = 0; x < neighbours; x++, at++) {
            uint32_t j = i;
            while (seen[j] == i + 1)
                j = x % 5 < 3 ? near_item(w, i) : popular_item(w);
            seen[j] = i + 1;
            s->rows.column[at] = j;
            s->rows.value[at] = 0.001f + 0.999f * rng_unitf(&w->r) * rng_unitf(&w->r);
            s->both[at] = (orders[i] < orders[j] ? orders[i] : orders[j]) / 10;
        }
        s->rows.start[i + 1] = at;
        qsort(s->rows.value + at - neighbours, neighbours, sizeof(float), descending);
    }
    free(seen);
}

/* Visits are like baskets: half of a corner of the shop, half what is popular. */
static void make_visits(struct world *w)
{
    struct error err = ERROR_INIT;
    struct histories rows = {.item_count = w->items};
    if (!MEM_ZNEW(rows.start, EVENTS + 1) || !MEM_NEW(rows.item, EVENTS + LONGEST))
        fail("out of memory");
    for (uint64_t at = 0; at < EVENTS; rows.start[++rows.count] = at) {
        uint32_t corner = popular_item(w), length = 2;
        while (length < LONGEST && rng_below(&w->r, 4))
            length++;
        for (uint32_t x = 0; x < length; x++)
            rows.item[at++] = x % 2 ? popular_item(w) : near_item(w, corner);
    }
    w->m->visit_count = rows.count;
    w->m->visits = mem_copy(w->m->popularity.orders_all, w->items * sizeof *w->m->visits);
    if (!w->m->visits)
        fail("out of memory");
    must(sessionknn_build(&rows, NULL, &w->m->neighbours, &err), &err);
    histories_deinit(&rows);
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Up to `count` rules with the antecedent {i} or {i, second}; the order of rules holds. */
static void add_rules(struct world *w, uint32_t i, uint32_t second, uint32_t count)
{
    struct rules *r = &w->m->rules;
    const uint32_t *orders = w->m->popularity.orders_all;
    uint32_t consequents[16] = {0};
    for (uint32_t x = 0; x < count; x++)
        consequents[x] = x % 2 ? near_item(w, i) : popular_item(w);
    qsort(consequents, count, sizeof *consequents, ascending);
    for (uint32_t x = 0; x < count; x++) {
        uint32_t c = consequents[x], at = r->count;
        if (c == i || c == second || (x && c == consequents[x - 1]))
            continue;
        uint64_t end = r->start[at];
        r->antecedent[end++] = i;
        if (second != i)
            r->antecedent[end++] = second;
        r->consequent[at] = c;
        r->body[at] = second == i ? orders[i] : orders[i] / 4;
        r->head[at] = orders[c];
        uint32_t most = r->body[at] < r->head[at] ? r->body[at] : r->head[at];
        r->both[at] = 1 + rng_below(&w->r, most);
        r->q[at] = 0.01f;
        r->start[++r->count] = end;
    }
}

static void make_rules(struct world *w)
{
    struct rules *r = &w->m->rules;
    size_t most = (size_t)w->items * 4;
    r->basket_count = BASKETS;
    if (!MEM_ZNEW(r->start, most + 1) || !MEM_NEW(r->antecedent, 2 * most) ||
        !MEM_NEW(r->consequent, most) || !MEM_NEW(r->both, most) || !MEM_NEW(r->body, most) ||
        !MEM_NEW(r->head, most) || !MEM_ZNEW(r->q, most) || !MEM_ZNEW(r->improvement, most))
        fail("out of memory");
    for (uint32_t i = 0; i + 8 < w->items; i++) {
        bool popular = w->m->popularity.rank[i] < w->items / 10;
        if (!popular && i % 2)
            continue;
        add_rules(w, i, i, popular ? 16 : 2);
        for (uint32_t x = 0; x < 4 && popular; x++)
            add_rules(w, i, i + 1 + x * 2, 2);
    }
}

static void make_catalog(struct world *w)
{
    static const char *const paths[] = {"[\"Home\",\"Kitchen\"]", "[\"Home\",\"Garden\"]",
                                        "[\"Toys\"]", "[\"Office\",\"Paper\",\"Cards\"]"};
    struct error err = ERROR_INIT;
    must(catalog_init(&w->c, &err), &err);
    for (uint32_t i = 0; i < w->items; i++) {
        const char *path = i % 1000 ? paths[rng_below(&w->r, 4)] : "[\"Rare\"]";
        struct catalog_item item = {
            .item_id = dict_name(&w->m->items, i),
            .title = STR("A thing of about forty characters in all"),
            .category = str_of(path),
            .attributes = STR("{\"brand\":\"X\",\"colour\":\"red\",\"perishable\":false}"),
            .price_minor = 100 + rng_below(&w->r, 5000),
            .stock = rng_below(&w->r, 20),
            .available = rng_below(&w->r, 50) > 0};
        must(catalog_put(&w->c, i + 1, &item, &err), &err);
    }
}

static void make_world(struct world *w, uint32_t items, uint32_t neighbours)
{
    struct error err = ERROR_INIT;
    rng_seed(&w->r, 7);
    w->items = items;
    w->neighbours = neighbours;
    w->m = model_new(&err);
    must(w->m ? 0 : -1, &err);
    make_items(w);
    make_popularity(w);
    recipe_default(&w->m->recipe);
    w->m->user_count = BASKETS;
    w->m->buyers = mem_copy(w->m->popularity.orders_all, items * sizeof *w->m->buyers);
    if (!w->m->buyers)
        fail("out of memory");
    for (int k = 0; k < MATRIX_COUNT; k++)
        make_rows(w, &w->m->matrices[k]);
    make_visits(w);
    make_rules(w);
    make_catalog(w);
    uint64_t begin = clock_mono_ns();
    must(model_seal(w->m, &err), &err);
    printf("%u items, %u rules (%u strong), model %zu MiB, sealed in %.2f s\n", items,
           w->m->rules.count, w->m->strong.count, model_bytes(w->m) >> 20,
           (double)(clock_mono_ns() - begin) / 1e9);
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void print_times(const char *name, uint64_t *ns, uint32_t count)
{
    qsort(ns, count, sizeof *ns, compare_u64);
    uint32_t half = count / 2, most = count - 1 - count / 100;
    printf("result %s_p50 %.2f us\n", name, (double)ns[half] / 1e3);
    printf("result %s_p99 %.2f us\n", name, (double)ns[most] / 1e3);
}

static void fill_basket(struct world *w, struct str *items, uint32_t size)
{
    uint32_t corner = popular_item(w);
    for (uint32_t x = 0; x < size; x++) {
        uint32_t item = x % 2 ? popular_item(w) : near_item(w, corner);
        items[x] = dict_name(&w->m->items, item);
    }
}

/* A history instead of a basket, an order for each item. */
static void remember(const struct world *w, const struct str *items, struct shopper *who)
{
    for (uint32_t x = 0; x < who->line_count; x++)
        who->lines[x] = (struct purchase){
            .slot = dict_find(&w->m->items, items[x]) + 1, .time_s = 86400 * (x + 1), .order = x};
}

static void time_answers(struct world *w, const char *name, struct query q, uint32_t size,
                         uint32_t questions)
{
    struct error err = ERROR_INIT;
    struct scratch *s = scratch_new(&err);
    uint64_t *ns = mem_array(questions, sizeof *ns), candidates = 0, answered = 0;
    struct str items[64];
    struct purchase lines[64];
    struct shopper who = {.lines = lines, .line_count = (uint16_t)size};
    if (!s || !ns)
        fail("out of memory");
    q.items = items;
    q.item_count = q.surface == SURFACE_PERSONAL ? 0 : size;
    q.shopper = q.surface == SURFACE_PERSONAL ? &who : NULL;
    for (uint32_t x = 0; x < questions + 100; x++) {
        struct answer a;
        fill_basket(w, items, size);
        if (q.shopper)
            remember(w, items, &who);
        uint64_t begin = clock_mono_ns();
        must(recommend(w->m, &w->c, &q, s, &a, &err), &err);
        if (x < 100)
            continue;
        ns[x - 100] = clock_mono_ns() - begin;
        candidates += a.candidates;
        answered += a.count;
    }
    printf("%s: %.0f candidates, %.1f answered on average\n", name, (double)candidates / questions,
           (double)answered / questions);
    print_times(name, ns, questions);
    scratch_free(s);
    free(ns);
}

static void time_pages(const struct world *w, const char *name, struct rule_query q)
{
    uint64_t ns[50];
    for (uint32_t x = 0; x < 50; x++) {
        struct error err = ERROR_INIT;
        struct rule_page page;
        uint64_t begin = clock_mono_ns();
        must(browse_rules(w->m, &q, &page, &err), &err);
        ns[x] = clock_mono_ns() - begin;
        free(page.rules);
    }
    print_times(name, ns, 50);
}

static void recommend_all(struct world *w, uint32_t questions)
{
    static const uint32_t sizes[] = {1, 5, 20, 50};
    struct query plain = {.limit = 10,
                          .filter = {.price_min = PRICE_NONE, .price_max = PRICE_NONE}};
    for (size_t x = 0; x < sizeof sizes / sizeof *sizes; x++) {
        char name[64];
        struct query q = plain;
        snprintf(name, sizeof name, "recommend_%u", sizes[x]);
        time_answers(w, name, q, sizes[x], questions);
        snprintf(name, sizeof name, "recommend_%u_explain", sizes[x]);
        q.explain = true;
        time_answers(w, name, q, sizes[x], questions);
        snprintf(name, sizeof name, "recommend_%u_filter", sizes[x]);
        q = plain;
        q.filter.in_stock = true;
        q.filter.price_min = 1000;
        q.filter.price_max = 3000;
        time_answers(w, name, q, sizes[x], questions);
    }
    struct str rare = STR("Rare");
    struct query q = plain;
    q.filter.categories = &rare;
    q.filter.category_count = 1;
    time_answers(w, "recommend_5_rare_category", q, 5, questions / 20);
    q.surface = SURFACE_POPULAR;
    time_answers(w, "popular_rare_category", q, 0, questions / 20);
    q = plain;
    q.surface = SURFACE_SIMILAR;
    time_answers(w, "similar_1", q, 1, questions);
    q.surface = SURFACE_PERSONAL;
    time_answers(w, "personal_50", q, 50, questions);
    q.surface = SURFACE_SESSION;
    time_answers(w, "session_1", q, 1, questions);
    time_answers(w, "session_5", q, 5, questions);
    time_answers(w, "session_50", q, 50, questions);
    q.explain = true;
    time_answers(w, "session_5_explain", q, 5, questions);
    q.limit = LIMIT_ANSWER_ITEMS;
    time_answers(w, "session_5_explain_500", q, 5, questions);
}

/* Orders since the training, like the baskets asked for, at the limit of the overlay; what putting
 * one costs, and the same questions over it. */
static void recommend_fresh(struct world *w, uint32_t questions)
{
    struct error err = ERROR_INIT;
    struct fresh *f = fresh_new(w->m, NULL, &err);
    must(f ? 0 : -1, &err);
    uint64_t begin = clock_mono_ns();
    for (uint32_t o = 0; o < LIMIT_FRESH_ORDERS; o++) {
        struct str items[8];
        uint32_t slots[8], count = 0, size = 1 + rng_below(&w->r, 8);
        fill_basket(w, items, size);
        for (uint32_t x = 0; x < size; x++) {
            uint32_t slot = dict_find(&w->m->items, items[x]) + 1;
            bool repeated = false;
            for (uint32_t y = 0; y < count; y++)
                repeated |= slots[y] == slot;
            if (!repeated)
                slots[count++] = slot;
        }
        must(fresh_put(f, o + 1, w->m->popularity.now_ms, slots, count, &err), &err);
    }
    double ns = (double)(clock_mono_ns() - begin) / LIMIT_FRESH_ORDERS;
    printf("result fresh_put %.2f us\nresult fresh_bytes %zu bytes\n", ns / 1e3, fresh_bytes(f));
    struct query q = {
        .limit = 10, .fresh = f, .filter = {.price_min = PRICE_NONE, .price_max = PRICE_NONE}};
    time_answers(w, "recommend_5_fresh", q, 5, questions);
    time_answers(w, "recommend_50_fresh", q, 50, questions);
    q.explain = true;
    time_answers(w, "recommend_5_fresh_explain", q, 5, questions);
    q.surface = SURFACE_POPULAR;
    time_answers(w, "popular_fresh", q, 0, questions);
    fresh_free(f);
}

static void browse_all(const struct world *w)
{
    struct str item = dict_name(&w->m->items, w->by_rank[0]), ante[5];
    for (uint32_t x = 0; x < 5; x++)
        ante[x] = dict_name(&w->m->items, w->by_rank[x]);
    time_pages(w, "rules_first_page", (struct rule_query){.limit = 50});
    time_pages(w, "rules_min_lift", (struct rule_query){.limit = 50, .min_lift = 2});
    time_pages(
        w, "rules_two_bounds",
        (struct rule_query){.limit = 50, .min_confidence = 0.5, .min_lift = 2, .sort = SORT_COUNT});
    time_pages(w, "rules_consequent", (struct rule_query){.limit = 50, .consequent = item});
    time_pages(w, "rules_antecedent",
               (struct rule_query){.limit = 50, .antecedent = ante, .antecedent_count = 5});
}

int main(int argc, char **argv)
{
    uint64_t items = 100000, questions = 2000, neighbours = 200;
    struct world w = {0};
    if ((argc > 1 && !str_to_u64(str_of(argv[1]), &items)) ||
        (argc > 2 && !str_to_u64(str_of(argv[2]), &questions)) ||
        (argc > 3 && !str_to_u64(str_of(argv[3]), &neighbours)) || items < 1000 ||
        items > 10000000 || questions < 100 || neighbours > 500)
        fail("usage: bench_recommend [items >= 1000] [questions >= 100] [neighbours <= 500]");
    make_world(&w, (uint32_t)items, (uint32_t)neighbours);
    recommend_all(&w, (uint32_t)questions);
    recommend_fresh(&w, (uint32_t)questions);
    browse_all(&w);
    model_unref(w.m);
    catalog_deinit(&w.c);
    free(w.by_rank);
    return 0;
}

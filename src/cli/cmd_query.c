/* basketd recommend and basketd rules: a look at the live model without a server. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "cli.h"
#include "engine/browse.h"
#include "service/live.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct model *live_model(struct shop *shop, struct error *err)
{
    struct model *m = live_ref(shop->live);
    if (!m)
        error_set(err, ERR_NOT_READY, "no model yet: run `basketd train` first");
    return m;
}

static struct str title_of(const struct shop *shop, uint32_t slot)
{
    const struct catalog_item *item = catalog_at(&shop->catalog, slot);
    return item ? item->title : STR_NONE;
}

static void print_because(const struct shop *shop, const struct model *m, const struct query *q,
                          const struct because *b)
{
    if (b->kind == BECAUSE_NONE)
        return;
    printf("%*s%s", 8, "", because_kind_name(b->kind));
    for (uint32_t i = 0; i < b->item_count; i++) {
        struct str id = answer_item_id(m, &shop->catalog, q, b->items[i]);
        printf("%s%.*s", i ? " + " : " ", STR_ARG(id));
    }
    bool of_shoppers =
        b->source && (!strcmp(b->source, matrix_name(MATRIX_SHOPPERS)) ||
                      !strcmp(b->source, matrix_name(MATRIX_NEXT)) || b->kind == BECAUSE_TASTE);
    bool of_visits = b->source && !strcmp(b->source, matrix_name(MATRIX_VISITS));
    if (b->kind == BECAUSE_VISITS) {
        printf(": %llu of the %.0f most like this one\n", (unsigned long long)b->count,
               (double)b->count / b->support);
        return;
    }
    printf(": %llu %s", (unsigned long long)b->count,
           of_visits     ? "visits"
           : of_shoppers ? "shoppers"
                         : "orders");
    if (b->confidence == b->confidence)
        printf(", confidence %.1f %%, lift %.1f", 100 * b->confidence, b->lift);
    putchar('\n');
}

static void print_answer(const struct shop *shop, const struct model *m, const struct query *q,
                         const struct answer *a)
{
    if (fallback_name(a->fallback))
        printf("fallback: %s\n", fallback_name(a->fallback));
    for (uint32_t i = 0; i < a->unknown_count; i++)
        printf("unknown: %.*s\n", STR_ARG(q->items[a->unknown[i]]));
    for (uint32_t i = 0; i < a->count; i++) {
        const struct suggestion *s = &a->items[i];
        struct str id = catalog_id(&shop->catalog, s->slot), title = title_of(shop, s->slot);
        printf("%.3f  %.*s  %.*s\n", (double)s->score, STR_ARG(id), STR_ARG(title));
        print_because(shop, m, q, &s->because);
    }
}

static int ask(struct shop *shop, struct query *q, struct error *err)
{
    struct answer answer;
    struct model *m = live_model(shop, err);
    struct scratch *scratch = m ? scratch_new(err) : NULL;
    int rc = scratch ? 0 : (int)err->code;
    if (rc == 0) {
        pthread_rwlock_rdlock(&shop->memory_lock);
        rc = recommend(m, &shop->catalog, q, scratch, &answer, err);
        if (rc == 0)
            print_answer(shop, m, q, &answer);
        pthread_rwlock_unlock(&shop->memory_lock);
    }
    scratch_free(scratch);
    model_unref(m);
    return rc ? cli_fail(err) : 0;
}

/* The positional words as slices; NULL and an error printed when there is no memory or too many. */
static struct str *words(int argc, char **argv)
{
    struct str *items = NULL;
    if (argc - 1 > LIMIT_QUERY_ITEMS)
        cli_usage("more than %d items", LIMIT_QUERY_ITEMS);
    else if (!MEM_NEW(items, (size_t)argc))
        cli_usage("out of memory");
    for (int i = 1; items && i < argc; i++)
        items[i - 1] = str_of(argv[i]);
    return items;
}

int cmd_recommend(struct settings *settings, int argc, char **argv)
{
    const char *surface = "basket", *limit_text = NULL;
    const struct cli_option options[] = {{.name = "surface", .text = &surface},
                                         {.name = "limit", .text = &limit_text}};
    struct error err = ERROR_INIT;
    uint64_t limit = 10;
    if (!cli_options(options, 2, &argc, argv) ||
        !cli_number("limit", limit_text, 1, LIMIT_ANSWER_ITEMS, &limit))
        return EXIT_USAGE;
    int kind = surface_parse(str_of(surface));
    if (kind < 0)
        return cli_usage("--surface: expected basket, similar, trending or popular, got '%s'",
                         surface);
    struct str *items = words(argc, argv);
    if (!items)
        return EXIT_USAGE;
    struct query q = {.surface = (enum surface)kind,
                      .novelty = -1,
                      .items = items,
                      .item_count = (uint32_t)argc - 1,
                      .filter = {.price_min = PRICE_NONE, .price_max = PRICE_NONE},
                      .limit = (uint32_t)limit,
                      .explain = true,
                      .now_ms = clock_wall_ms()};
    struct shop *shop = shop_open(settings, SHOP_COMMAND, &err);
    int status = shop ? ask(shop, &q, &err) : cli_fail(&err);
    shop_close(shop);
    free(items);
    return status;
}

static void print_side(const struct shop *shop, const struct model *m, const uint32_t *items,
                       uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct str id = dict_name(&m->items, items[i]), title = title_of(shop, m->slot[items[i]]);
        printf("%s%.*s%s%.*s", i ? " + " : "", STR_ARG(id), title.len ? " " : "", STR_ARG(title));
    }
}

/* ", name VALUE unit"; a dash for an undefined value. */
static void print_value(const char *name, double value, int digits, const char *unit)
{
    if (isnan(value))
        printf(", %s -", name);
    else
        printf(", %s %.*f%s", name, digits, value, unit);
}

static void print_rule(const struct shop *shop, const struct model *m, uint32_t rule)
{
    const struct rules *r = &m->rules;
    print_side(shop, m, r->antecedent + r->start[rule],
               (uint32_t)(r->start[rule + 1] - r->start[rule]));
    printf(" => ");
    print_side(shop, m, &r->consequent[rule], 1);
    printf("\n        %u of %u orders", r->both[rule], r->body[rule]);
    print_value("support", 100 * rules_measure(r, rule, MEASURE_SUPPORT), 3, " %");
    print_value("confidence", 100 * rules_measure(r, rule, MEASURE_CONFIDENCE), 1, " %");
    print_value("at least", 100 * rules_measure(r, rule, MEASURE_CONFIDENCE_LOW), 1, " %");
    print_value("improvement", 100 * (double)r->improvement[rule], 1, " %");
    printf("\n        lift %.2f", rules_measure(r, rule, MEASURE_LIFT));
    print_value("leverage", rules_measure(r, rule, MEASURE_LEVERAGE), 4, "");
    print_value("conviction", rules_measure(r, rule, MEASURE_CONVICTION), 2, "");
    if (isnan(r->q[rule]))
        printf(", q -\n");
    else
        printf(", q %.2g\n", (double)r->q[rule]);
}

static int browse(struct shop *shop, const struct rule_query *q, struct error *err)
{
    struct rule_page page = {0};
    struct model *m = live_model(shop, err);
    int rc = m ? browse_rules(m, q, &page, err) : (int)err->code;
    if (rc == 0) {
        pthread_rwlock_rdlock(&shop->memory_lock);
        for (uint32_t i = 0; i < page.count; i++)
            print_rule(shop, m, page.rules[i]);
        pthread_rwlock_unlock(&shop->memory_lock);
        printf("%u of %u rules\n", page.count, page.total);
        free(page.rules);
    }
    model_unref(m);
    return rc ? cli_fail(err) : 0;
}

int cmd_rules(struct settings *settings, int argc, char **argv)
{
    const char *sort = "lift", *limit_text = NULL;
    const struct cli_option options[] = {{.name = "sort", .text = &sort},
                                         {.name = "limit", .text = &limit_text}};
    struct error err = ERROR_INIT;
    uint64_t limit = 20;
    if (!cli_options(options, 2, &argc, argv) ||
        !cli_number("limit", limit_text, 1, 1000000, &limit))
        return EXIT_USAGE;
    int key = rule_sort_parse(str_of(sort));
    if (key < 0)
        return cli_usage("--sort: expected lift, confidence, confidence_low, support, count, "
                         "leverage, conviction, "
                         "improvement or q, got '%s'",
                         sort);
    struct str *items = words(argc, argv);
    if (!items)
        return EXIT_USAGE;
    struct rule_query q = {.contains = items,
                           .contains_count = (uint32_t)argc - 1,
                           .sort = (enum rule_sort)key,
                           .ascending = key == SORT_Q, /* the surest first */
                           .limit = (uint32_t)limit};
    struct shop *shop = shop_open(settings, SHOP_COMMAND, &err);
    int status = shop ? browse(shop, &q, &err) : cli_fail(&err);
    shop_close(shop);
    free(items);
    return status;
}

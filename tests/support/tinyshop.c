#include "support/tinyshop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS (24 * 3600 * 1000LL)
#define T0_MS  (1700000000000LL)

static void must(int rc, const struct error *err)
{
    if (rc == 0)
        return;
    fprintf(stderr, "tinyshop: %s\n", err->text);
    abort();
}

static uint32_t key_of(uint32_t x)
{
    return 10 + 3 * x;
}

static void begin(struct tinyshop *t, uint32_t items)
{
    struct error err = ERROR_INIT;
    *t = (struct tinyshop){.item_count = items};
    t->names = calloc(items, sizeof *t->names);
    must(t->names ? 0 : -1, &err);
    must(dataset_init(&t->d, NULL, &err), &err);
    must(catalog_init(&t->c, &err), &err);
}

static void put_random_item(struct tinyshop *t, struct rng *r, uint32_t x)
{
    static const char *const paths[] = {"[\"Home\",\"Kitchen\"]", "[\"Home\",\"Kitchen\",\"Tea\"]",
                                        "[\"Home\",\"Garden\"]", "[\"Toys\"]",
                                        "[\"To\\\"ys\",\"Wood\"]"};
    static const char *const attributes[] = {"{\"brand\":\"X\"}", "{\"brand\":\"Y\",\"size\":3}",
                                             "{\"brand\":[\"X\",\"Z\"]}"};
    struct error err = ERROR_INIT;
    if (rng_below(r, 20) == 0)
        return;
    struct catalog_item item = {.item_id = str_of(t->names[x]),
                                .title = STR("title"),
                                .price_minor = PRICE_NONE,
                                .stock = STOCK_NONE,
                                .available = rng_below(r, 10) > 0,
                                .known = true};
    if (rng_below(r, 4))
        item.category = str_of(paths[rng_below(r, 5)]);
    if (rng_below(r, 3))
        item.attributes = str_of(attributes[rng_below(r, 3)]);
    if (rng_below(r, 5))
        item.price_minor = 100 + rng_below(r, 900);
    if (rng_below(r, 2))
        item.stock = rng_below(r, 3);
    must(catalog_put(&t->c, key_of(x), &item, &err), &err);
    if (rng_below(r, 30) == 0)
        catalog_remove(&t->c, key_of(x));
}

/* Most lines of an order come from one group of four items, the others from anywhere, popular
 * items more often. */
static uint32_t random_line(struct tinyshop *t, struct rng *r, uint32_t group)
{
    if (rng_below(r, 10) < 6)
        return (group * 4 + rng_below(r, 4)) % t->item_count;
    double u = rng_unit(r);
    return (uint32_t)(u * u * t->item_count);
}

static void add_visit(struct tinyshop *t, struct rng *r, uint64_t number, uint32_t group,
                      int64_t time_ms)
{
    struct error err = ERROR_INIT;
    uint32_t looks = rng_below(r, 8);
    for (uint32_t x = 0; x < looks; x++) {
        struct event e = {.time_ms = time_ms - 1000 * (looks - x),
                          .session = number,
                          .item = key_of(random_line(t, r, group)),
                          .action = rng_below(r, 4) ? ACTION_VIEW : ACTION_CART};
        must(dataset_add_event(&t->d, &e, &err), &err);
    }
}

void tinyshop_random(struct tinyshop *t, uint32_t items, uint32_t baskets, uint64_t seed)
{
    struct error err = ERROR_INIT;
    struct rng r, looks;
    rng_seed(&r, seed);
    rng_seed(&looks, seed + 1000);
    begin(t, items);
    for (uint32_t x = 0; x < items; x++) {
        snprintf(t->names[x], sizeof t->names[x], "p%05u", (x * 7919u + 13) % 99991u);
        put_random_item(t, &r, x);
    }
    for (uint32_t b = 0; b < baskets; b++) {
        uint32_t keys[8], count = 1 + rng_below(&r, 7);
        uint32_t group = rng_below(&r, items / 4 + 1);
        for (uint32_t x = 0; x < count; x++)
            keys[x] = key_of(random_line(t, &r, group));
        int64_t time = T0_MS + (int64_t)(rng_unit(&r) * 60 * DAY_MS);
        must(dataset_add(&t->d, time, 1 + rng_below(&r, 9), keys, count, &err), &err);
        add_visit(t, &looks, b + 1, group, time);
    }
    must(dataset_finish(&t->d, &err), &err);
}

void tinyshop_orders(struct tinyshop *t, const char *const *orders, uint32_t count)
{
    struct error err = ERROR_INIT;
    begin(t, 26);
    for (uint32_t x = 0; x < 26; x++) {
        t->names[x][0] = (char)('a' + x);
        struct catalog_item item = {.item_id = str_of(t->names[x]),
                                    .price_minor = PRICE_NONE,
                                    .stock = STOCK_NONE,
                                    .available = true,
                                    .known = true};
        must(catalog_put(&t->c, key_of(x), &item, &err), &err);
    }
    for (uint32_t b = 0; b < count; b++) {
        uint32_t keys[26], lines = (uint32_t)strlen(orders[b]);
        for (uint32_t x = 0; x < lines; x++)
            keys[x] = key_of((uint32_t)(orders[b][x] - 'a'));
        must(dataset_add(&t->d, T0_MS + b * DAY_MS, 0, keys, lines, &err), &err);
    }
    must(dataset_finish(&t->d, &err), &err);
}

struct str tinyshop_name(void *shop, uint32_t item_key)
{
    struct tinyshop *t = shop;
    return str_of(t->names[(item_key - 10) / 3]);
}

void tinyshop_train(struct tinyshop *t, const struct build_params *params)
{
    struct error err = ERROR_INIT;
    struct build_params defaults = {.min_support = 2,
                                    .max_fisher_p = 1,
                                    .max_q = 1,
                                    .redundant_rules = true,
                                    .sgns = {.epochs = 2}};
    model_unref(t->m);
    t->m = model_build(&t->d, tinyshop_name, t, params ? params : &defaults, NULL, &err);
    must(t->m ? 0 : -1, &err);
}

void tinyshop_free(struct tinyshop *t)
{
    model_unref(t->m);
    catalog_deinit(&t->c);
    dataset_deinit(&t->d);
    free(t->names);
    *t = (struct tinyshop){0};
}

static bool basket_has(const struct csr *baskets, uint32_t basket, uint32_t item)
{
    for (uint64_t e = baskets->start[basket]; e < baskets->start[basket + 1]; e++)
        if (baskets->column[e] == item)
            return true;
    return false;
}

uint32_t tinyshop_count(const struct tinyshop *t, const uint32_t *items, uint32_t count)
{
    uint32_t hits = 0;
    for (uint32_t b = 0; b < t->d.basket_count; b++) {
        uint32_t held = 0;
        while (held < count && basket_has(&t->d.baskets, b, items[held]))
            held++;
        hits += held == count;
    }
    return hits;
}

static bool shopper_has(const struct tinyshop *t, uint32_t user, uint32_t item)
{
    for (uint32_t b = 0; b < t->d.basket_count; b++)
        if (t->d.user[b] == user && basket_has(&t->d.baskets, b, item))
            return true;
    return false;
}

uint32_t tinyshop_shoppers(const struct tinyshop *t, const uint32_t *items, uint32_t count)
{
    uint32_t hits = 0;
    for (uint32_t u = 0; u < t->d.user_count; u++) {
        uint32_t held = 0;
        while (held < count && shopper_has(t, u, items[held]))
            held++;
        hits += held == count;
    }
    return hits;
}

static bool buys_after(const struct tinyshop *t, uint32_t user, uint32_t i, uint32_t j)
{
    const struct csr *baskets = &t->d.baskets;
    for (uint32_t a = 0; a < t->d.basket_count; a++)
        for (uint32_t b = 0; b < t->d.basket_count; b++)
            if (t->d.user[a] == user && t->d.user[b] == user && t->d.time_ms[b] > t->d.time_ms[a] &&
                basket_has(baskets, a, i) && basket_has(baskets, b, j))
                return true;
    return false;
}

uint32_t tinyshop_after(const struct tinyshop *t, uint32_t i, uint32_t j)
{
    uint32_t hits = 0;
    for (uint32_t u = 0; u < t->d.user_count; u++)
        hits += buys_after(t, u, i, j);
    return hits;
}

uint32_t tinyshop_looked_after(const struct tinyshop *t, uint32_t i, uint32_t j)
{
    const struct histories *visits = &t->d.sessions.rows;
    uint32_t count = 0;
    for (uint32_t v = 0; v < visits->count; v++) {
        bool before = false, after = false;
        for (uint64_t e = visits->start[v]; e < visits->start[v + 1]; e++) {
            after = after || (before && visits->item[e] == j);
            before = before || visits->item[e] == i;
        }
        count += after;
    }
    return count;
}

uint32_t tinyshop_visits(const struct tinyshop *t, uint32_t i)
{
    const struct histories *visits = &t->d.sessions.rows;
    uint32_t count = 0;
    for (uint32_t v = 0; v < visits->count; v++) {
        bool has = false;
        for (uint64_t e = visits->start[v]; e < visits->start[v + 1]; e++)
            has = has || visits->item[e] == i;
        count += has;
    }
    return count;
}

uint32_t tinyshop_item(const struct tinyshop *t, const char *name)
{
    for (uint32_t i = 0; i < t->d.item_count; i++)
        if (strcmp(t->names[(t->d.item_key[i] - 10) / 3], name) == 0)
            return i;
    fprintf(stderr, "tinyshop: no order has %s\n", name);
    abort();
}

struct catalog_item tinyshop_get(const struct tinyshop *t, const char *name)
{
    const struct catalog_item *item = catalog_at(&t->c, catalog_find(&t->c, str_of(name)));
    if (item)
        return *item;
    fprintf(stderr, "tinyshop: the catalogue has no %s\n", name);
    abort();
}

void tinyshop_put(struct tinyshop *t, const struct catalog_item *item)
{
    struct error err = ERROR_INIT;
    must(catalog_put(&t->c, catalog_find(&t->c, item->item_id), item, &err), &err);
}

static struct part *find_part(struct parts *p, const char *name)
{
    for (uint32_t x = 0; x < p->count; x++)
        if (strcmp(p->at[x].name, name) == 0)
            return &p->at[x];
    return NULL;
}

static int put_part(void *context, const char *name, const void *bytes, uint64_t count,
                    struct error *err)
{
    struct parts *p = context;
    if (count == 0 || find_part(p, name) || p->count == 64)
        return error_set(err, ERR_INTERNAL, "part %s: empty or put twice", name);
    struct part *to = &p->at[p->count++];
    snprintf(to->name, sizeof to->name, "%s", name);
    to->bytes = malloc(count);
    to->count = count;
    if (!to->bytes)
        return error_set(err, ERR_NOMEM, "part %s", name);
    memcpy(to->bytes, bytes, count);
    return 0;
}

static int part_size(void *context, const char *name, uint64_t *bytes, struct error *err)
{
    struct part *part = find_part(context, name);
    if (!part)
        return error_set(err, ERR_NOT_FOUND, "part %s: not found", name);
    *bytes = part->count;
    return 0;
}

static int read_part(void *context, const char *name, void *into, uint64_t bytes, struct error *err)
{
    struct part *part = find_part(context, name);
    if (!part || part->count != bytes)
        return error_set(err, ERR_CORRUPT, "part %s: not that long", name);
    memcpy(into, part->bytes, bytes);
    return 0;
}

struct model_sink parts_sink(struct parts *p)
{
    return (struct model_sink){p, put_part};
}

struct model_source parts_source(struct parts *p)
{
    return (struct model_source){p, part_size, read_part};
}

void parts_free(struct parts *p)
{
    for (uint32_t x = 0; x < p->count; x++)
        free(p->at[x].bytes);
    p->count = 0;
}

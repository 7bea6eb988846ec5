/* A small made-up shop for tests of the engine: orders in groups that sell together, a catalogue
 * with gaps, a trained model. Equal seeds give equal shops. Failures of the fixture itself abort
 * with a message. */
#ifndef TESTS_SUPPORT_TINYSHOP_H
#define TESTS_SUPPORT_TINYSHOP_H

#include "base/rng.h"
#include "data/catalog.h"
#include "engine/build.h"

struct tinyshop {
    struct dataset d;
    struct catalog c;
    struct model *m;
    uint32_t item_count;
    char (*names)[16]; /* [item_count] by order of the store keys, which are 10, 13, 16 … */
};

/* Orders of nine shoppers, and before each order a visit in which some items of its group were
 * looked at. item x has store key 10 + 3 x and name "p" + a number that does not ascend with x. */
void tinyshop_random(struct tinyshop *t, uint32_t items, uint32_t baskets, uint64_t seed);

/* Each text is one order of one-letter items, "abc"; the orders are a day apart. All 26
 * items are in the catalogue, available, without category, price, stock and attributes. */
void tinyshop_orders(struct tinyshop *t, const char *const *orders, uint32_t count);

/* Trains; NULL: all rules of support 2, little time for embeddings. */
void tinyshop_train(struct tinyshop *t, const struct build_params *params);
void tinyshop_free(struct tinyshop *t);

struct str tinyshop_name(void *shop, uint32_t item_key); /* for model_build */

/* Baskets that hold all the items (dataset indices), counted one by one. */
uint32_t tinyshop_count(const struct tinyshop *t, const uint32_t *items, uint32_t count);

/* Shoppers whose orders together hold all the items, counted one by one. */
uint32_t tinyshop_shoppers(const struct tinyshop *t, const uint32_t *items, uint32_t count);

/* Shoppers who bought i and, at a later time, j, counted one by one. */
uint32_t tinyshop_after(const struct tinyshop *t, uint32_t i, uint32_t j);

/* Visits in which j was looked at after i, and those that have i, counted one by one. */
uint32_t tinyshop_looked_after(const struct tinyshop *t, uint32_t i, uint32_t j);
uint32_t tinyshop_visits(const struct tinyshop *t, uint32_t i);

/* Dataset index of a name; aborts when there is none. */
uint32_t tinyshop_item(const struct tinyshop *t, const char *name);

/* Changes one catalogue entry: a copy, to be altered and put back with tinyshop_put. */
struct catalog_item tinyshop_get(const struct tinyshop *t, const char *name);
void tinyshop_put(struct tinyshop *t, const struct catalog_item *item);

/* A model's parts in memory. */
struct part {
    char name[64];
    unsigned char *bytes;
    uint64_t count;
};
struct parts {
    struct part at[64];
    uint32_t count;
};
struct model_sink parts_sink(struct parts *p);
struct model_source parts_source(struct parts *p);
void parts_free(struct parts *p);

#endif

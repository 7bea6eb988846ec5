/* The made-up shop, shared by demo.c (orders) and demo_names.c (what things are called and cost).
 */
#ifndef SERVICE_DEMO_INTERNAL_H
#define SERVICE_DEMO_INTERNAL_H

#include "base/rng.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define DEMO_NONE   UINT32_MAX
#define DEMO_HABITS 3

struct demo_item {
    char title[64];
    const char *department, *shelf, *brand;
    uint32_t price_minor, stock;
    float weight;        /* popularity */
    uint32_t bundle;     /* or DEMO_NONE */
    uint32_t substitute; /* the item bought instead, or DEMO_NONE */
    int8_t season;       /* month 0..11, -1: none */
    uint8_t gap_days;    /* bought again after about this long; 0: no habit */
};

struct demo_bundle {
    uint32_t items[4], count;
    float chance; /* that each partner comes along */
};

struct demo_user {
    uint32_t habit[DEMO_HABITS];
    uint16_t last_day[DEMO_HABITS]; /* + 1; 0: never */
    uint8_t habit_count;
    bool bulk;
};

struct demo {
    uint32_t item_count, bundle_count, user_count;
    uint64_t order_count;
    struct demo_item *items;
    struct demo_bundle *bundles;
    struct demo_user *users;
    double *cumulative[12]; /* popularity summed up, by month */
    uint64_t *stamp, now;   /* items of the present basket */
    struct rng rng;
};

/* Title, category, brand, price and stock of item i. */
void demo_name_item(struct demo *d, uint32_t i);

#endif

/* A deterministic made-up shop: items with titles, category paths, prices, stock; a year of orders
 * by users with habits; planted bundles, substitutes, seasons, repeat purchases, bulk buyers and
 * noise. Equal seed and sizes give equal bytes. */
#ifndef SERVICE_DEMO_H
#define SERVICE_DEMO_H

#include "base/error.h"
#include "base/progress.h"

struct demo_params { /* zero = default */
    uint32_t items;  /* 500 */
    uint64_t orders; /* 20,000 */
    uint64_t seed;   /* 1 */
    int64_t end_ms;  /* last day; 0: 2026-01-01 */
    struct progress *progress;
};

/* Writes items.ndjson, orders.ndjson and truth.json (the planted bundles, substitutes, seasons,
 * habits) into an existing or new directory. ERR_IO/ERR_FULL. */
int demo_write(const char *directory, const struct demo_params *params,
               struct error *err) WARN_UNUSED;
#endif

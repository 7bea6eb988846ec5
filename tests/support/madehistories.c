#include "support/madehistories.h"

#include <stdlib.h>

struct histories random_histories(struct rng *r, uint32_t count, uint32_t items, uint32_t longest)
{
    struct histories h = {.count = count, .item_count = items};
    h.start = calloc(count + 1, sizeof *h.start);
    h.item = calloc((size_t)count * longest + 1, sizeof *h.item);
    h.time_ms = calloc((size_t)count * longest + 1, sizeof *h.time_ms);
    if (!h.start || !h.item || !h.time_ms)
        abort();
    for (uint32_t u = 0; u < count; u++) {
        uint32_t length = rng_below(r, longest + 1);
        int64_t time = 0;
        for (uint64_t e = h.start[u]; e < h.start[u] + length; e++) {
            h.item[e] = rng_below(r, 1 + rng_below(r, items));
            h.time_ms[e] = time += rng_below(r, 2);
        }
        h.start[u + 1] = h.start[u] + length;
    }
    return h;
}

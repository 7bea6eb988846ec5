#include "support/basketeval.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TARGETS 3
#define FIRST   10

struct run {
    const struct retail *r;
    const struct model *m;
    struct scratch *s;
    struct rng rng;
    uint32_t context_max;
    unsigned char *shown; /* [items] */
    uint64_t suggestions, ruled;
    struct basketeval *out;
};

static void give_up(const char *what)
{
    fprintf(stderr, "basketeval: %s\n", what);
    abort();
}

static void shuffle(struct rng *r, struct str *ids, uint32_t count)
{
    for (uint32_t x = count; x > 1; x--) {
        uint32_t y = rng_below(r, x);
        struct str moved = ids[x - 1];
        ids[x - 1] = ids[y];
        ids[y] = moved;
    }
}

/* ids[0..count) known items; ids[target] is hidden. */
static void ask(struct run *run, const struct str *ids, uint32_t count, uint32_t target)
{
    struct str context[LIMIT_QUERY_ITEMS];
    struct error err = ERROR_INIT;
    struct answer a;
    uint32_t used = 0;
    for (uint32_t x = 0; x < count; x++)
        if (x != target)
            context[used++] = ids[x];
    if (used > run->context_max) {
        shuffle(&run->rng, context, used);
        used = run->context_max;
    }
    struct query q = {.items = context,
                      .item_count = used,
                      .limit = FIRST,
                      .explain = true,
                      .filter = {.price_min = PRICE_NONE, .price_max = PRICE_NONE}};
    uint64_t begin = clock_mono_ns();
    if (recommend(run->m, &run->r->catalog, &q, run->s, &a, &err))
        give_up(err.text);
    run->out->mean_us += (double)(clock_mono_ns() - begin) / 1e3;
    run->out->questions++;
    for (uint32_t x = 0; x < a.count; x++) {
        run->suggestions++;
        run->ruled += a.items[x].because.kind == BECAUSE_RULE;
        run->shown[a.items[x].item] = 1;
        if (!str_eq(dict_name(&run->m->items, a.items[x].item), ids[target]))
            continue;
        run->out->hit_rate += 1;
        run->out->ndcg += 1 / log2(x + 2.0);
    }
}

static void ask_about(struct run *run, const struct retail_order *order)
{
    struct str ids[LIMIT_QUERY_ITEMS];
    uint32_t count = 0;
    for (uint64_t x = order->begin; x < order->end && count < LIMIT_QUERY_ITEMS; x++) {
        struct str id = dict_name(&run->r->names, run->r->items.at[x]);
        if (dict_find(&run->m->items, id) != DICT_NONE)
            ids[count++] = id;
    }
    if (count < 2)
        return;
    run->out->orders++;
    shuffle(&run->rng, ids, count);
    for (uint32_t target = 0; target < TARGETS && target < count; target++)
        ask(run, ids, count, target);
}

void basketeval_run(const struct retail *r, const struct model *m, size_t begin, size_t end,
                    uint32_t context_max, struct basketeval *out)
{
    struct error err = ERROR_INIT;
    struct run run = {.r = r, .m = m, .context_max = context_max, .out = out};
    run.s = scratch_new(&err);
    run.shown = mem_zarray(m->item_count, 1);
    if (!run.s || !run.shown)
        give_up("out of memory");
    rng_seed(&run.rng, 1);
    *out = (struct basketeval){0};
    for (size_t x = begin; x < end; x++)
        ask_about(&run, &r->orders.at[x]);
    for (uint32_t i = 0; i < m->item_count; i++)
        out->coverage += run.shown[i];
    out->coverage /= m->item_count;
    out->mean_us /= out->questions ? out->questions : 1;
    out->hit_rate /= out->questions ? out->questions : 1;
    out->ndcg /= out->questions ? out->questions : 1;
    out->rules = run.suggestions ? (double)run.ruled / (double)run.suggestions : 0;
    free(run.shown);
    scratch_free(run.s);
}

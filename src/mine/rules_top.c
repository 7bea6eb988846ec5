/* The best rules by a measure. Each worker collects candidates; at twice the number wanted it keeps
 * the better half and from then on looks only at what beats the worst of them: the threshold rises
 * as it goes. "Better" is a total order, so what is left at the end does not depend on who saw
 * what. Memory: 16 bytes for each of 2 k x workers candidates at most; what else is said of a rule
 * is worked out for those that are left. */
#include "rules_internal.h"

#include "base/parallel.h"
#include "base/vec.h"

#include <assert.h>
#include <stdlib.h>

#define SETS_PER_PIECE  512
#define RULES_PER_PIECE 1024

struct candidate {
    double rank;
    uint32_t set, right;
};

struct candidates {
    VEC(struct candidate) list;
    bool full;              /* `worst` is set */
    struct candidate worst; /* what a candidate must beat */
    uint64_t seen, passed;
    int status;
};

struct top {
    struct rule_finder finder;
    enum measure by;
    uint32_t k;
    uint32_t workers;
    struct cursor cursor;
    struct rules *out; /* rules_build's result, being filled */
    struct candidates worker[PARALLEL_WORKERS_MAX];
};

/* qsort_r order, best first; context: the table. */
static int compare_worth(const void *a, const void *b, void *context)
{
    const struct candidate *x = a, *y = b;
    const struct itemsets *s = context;
    if (x->rank != y->rank)
        return x->rank > y->rank ? -1 : 1;
    if (s->support[x->set] != s->support[y->set])
        return s->support[x->set] > s->support[y->set] ? -1 : 1;
    if (x->set != y->set)
        return x->set < y->set ? -1 : 1;
    int x_size = __builtin_popcount(x->right), y_size = __builtin_popcount(y->right);
    if (x_size != y_size)
        return x_size < y_size ? -1 : 1;
    return (x->right > y->right) - (x->right < y->right);
}

/* Hoare's partition of c[low..high), two or more: nothing before the returned place, which lies
 * between, is worse than anything from it on. */
static size_t split(const struct itemsets *s, struct candidate *c, size_t low, size_t high)
{
    struct candidate pivot = c[low + (high - low - 1) / 2];
    for (size_t i = low, j = high - 1;; i++, j--) {
        while (compare_worth(&c[i], &pivot, (void *)s) < 0)
            i++;
        while (compare_worth(&pivot, &c[j], (void *)s) < 0)
            j--;
        if (i >= j)
            return j + 1;
        struct candidate swap = c[i];
        c[i] = c[j];
        c[j] = swap;
    }
}

/* Brings the `keep` best to the front. */
static void select_best(const struct itemsets *s, struct candidate *c, size_t count, size_t keep)
{
    size_t low = 0, high = count;
    while (high - low > 1) {
        size_t middle = split(s, c, low, high);
        if (keep <= middle)
            high = middle;
        else
            low = middle;
    }
}

static void cut(const struct top *t, struct candidates *own)
{
    const struct itemsets *s = t->finder.sets;
    if (own->list.count <= t->k)
        return;
    select_best(s, own->list.at, own->list.count, t->k);
    own->list.count = t->k;
    own->worst = own->list.at[0];
    for (uint32_t x = 1; x < t->k; x++)
        if (compare_worth(&own->worst, &own->list.at[x], (void *)s) < 0)
            own->worst = own->list.at[x];
    own->full = true;
}

static int consider(const struct top *t, struct candidates *own, struct rule_set *set)
{
    struct splits splits = splits_of(set);
    while (splits_next(&splits)) {
        uint32_t right = (uint32_t)splits.right;
        struct counts counts = rule_set_counts(set, right);
        own->seen++;
        if (!rule_passes(set, right, &counts))
            continue;
        own->passed++;
        struct candidate c = {measure_rank(t->by, &counts), (uint32_t)set->set, right};
        if (own->full && compare_worth(&own->worst, &c, (void *)t->finder.sets) < 0)
            continue;
        if (!VEC_PUSH(&own->list, c))
            return ERR_NOMEM;
        if (own->list.count >= 2 * (uint64_t)t->k)
            cut(t, own);
    }
    return 0;
}

static void collect(void *context, uint32_t worker)
{
    struct top *t = context;
    struct candidates *own = &t->worker[worker];
    struct rule_set set;
    uint64_t begin, end;
    own->status = rule_set_init(&set, &t->finder);
    while (own->status == 0 && cursor_take(&t->cursor, &begin, &end)) {
        for (uint64_t x = begin; x < end && own->status == 0; x++) {
            rule_set_load(&set, x);
            own->status = consider(t, own, &set);
        }
        if (own->status == 0 && progress_step(t->finder.progress, end - begin))
            own->status = ERR_CANCELLED;
    }
    rule_set_deinit(&set);
}

/* All workers' candidates in the first one's list, the best of them only. */
static int gather(struct top *t, struct rule_tally *tally)
{
    struct candidates *all = &t->worker[0];
    *tally = (struct rule_tally){.min_support = t->finder.sets->min_support};
    for (uint32_t w = 0; w < t->workers; w++) {
        struct candidates *own = &t->worker[w];
        if (own->status)
            return own->status;
        tally->candidates += own->seen;
        tally->found += own->passed;
        cut(t, own);
        if (w == 0)
            continue;
        for (size_t x = 0; x < own->list.count; x++)
            if (!VEC_PUSH(&all->list, own->list.at[x]))
                return ERR_NOMEM;
        VEC_FREE(&own->list);
        cut(t, all);
    }
    return 0;
}

static int find_best(struct top *t, const struct itemsets *sets, const struct rule_params *params,
                     struct rule_tally *tally, struct error *err)
{
    t->workers = parallel_workers(params->threads);
    int rc = rule_finder_init(&t->finder, sets, params, err);
    if (rc)
        return rc;
    progress_begin(t->finder.progress, "making rules", t->finder.set_count);
    cursor_init(&t->cursor, t->finder.set_count, SETS_PER_PIECE);
    parallel_run(t->workers, collect, t);
    return gather(t, tally);
}

static int finish(struct top *t, int rc, struct error *err)
{
    for (uint32_t w = 0; w < t->workers; w++)
        VEC_FREE(&t->worker[w].list);
    rule_finder_deinit(&t->finder);
    free(t);
    if (rc == ERR_NOMEM || rc == ERR_CANCELLED)
        error_set(err, (enum err)rc, "rules: %s", rc == ERR_NOMEM ? "out of memory" : "cancelled");
    return rc;
}

static int give_all(struct top *t, rule_taker take, void *context)
{
    struct rule_set set;
    int rc = rule_set_init(&set, &t->finder);
    for (size_t x = 0; x < t->worker[0].list.count && rc == 0; x++) {
        const struct candidate *c = &t->worker[0].list.at[x];
        struct rule_found found;
        uint32_t items[RULE_ITEMS_MAX];
        rule_set_load(&set, c->set);
        rule_describe(&set, c->right, &found);
        struct rule rule = rule_written(&t->finder, &found, items);
        rc = take(context, &rule);
    }
    rule_set_deinit(&set);
    return rc;
}

int rules_top(const struct itemsets *sets, const struct rule_params *params,
              const struct rule_top *top, rule_taker take, void *context, struct rule_tally *tally,
              struct error *err)
{
    struct rule_tally own = {0};
    struct top *t;
    if (top->k == 0 || top->k > UINT32_MAX - 1)
        return error_set(err, ERR_INVALID, "rules: the number to keep is not in [1,2^32-2]");
    if (!MEM_ZNEW(t, 1))
        return error_set(err, ERR_NOMEM, "rules: out of memory");
    t->by = top->by;
    t->k = (uint32_t)top->k;
    int rc = find_best(t, sets, params, tally ? tally : &own, err);
    if (rc == 0) {
        struct candidates *all = &t->worker[0];
        if (all->list.count)
            qsort_r(all->list.at, all->list.count, sizeof *all->list.at, compare_worth,
                    (void *)sets);
        rc = give_all(t, take, context);
    }
    return finish(t, rc, err);
}

static uint32_t set_length(const struct itemsets *s, uint64_t set)
{
    return (uint32_t)(s->start[set + 1] - s->start[set]);
}

/* The i-th item of the left side. */
static uint32_t left_item(const struct itemsets *s, const struct candidate *c, uint32_t i)
{
    return s->item[s->start[c->set] + i + (i >= (uint32_t)__builtin_ctz(c->right))];
}

static uint32_t right_item(const struct itemsets *s, const struct candidate *c)
{
    return s->item[s->start[c->set] + (uint32_t)__builtin_ctz(c->right)];
}

/* qsort_r order of a model's rules. */
static int compare_rules(const void *a, const void *b, void *context)
{
    const struct candidate *x = a, *y = b;
    const struct itemsets *s = context;
    uint32_t x_count = set_length(s, x->set) - 1, y_count = set_length(s, y->set) - 1;
    for (uint32_t i = 0; i < x_count && i < y_count; i++) {
        uint32_t p = left_item(s, x, i), q = left_item(s, y, i);
        if (p != q)
            return p < q ? -1 : 1;
    }
    if (x_count != y_count)
        return x_count < y_count ? -1 : 1;
    uint32_t p = right_item(s, x), q = right_item(s, y);
    return (p > q) - (p < q);
}

static bool alloc_rules(struct rules *r, uint32_t count, uint64_t items)
{
    r->count = count;
    MEM_ZNEW(r->start, (size_t)count + 1);
    MEM_NEW(r->antecedent, items);
    MEM_NEW(r->consequent, count);
    MEM_NEW(r->both, count);
    MEM_NEW(r->body, count);
    MEM_NEW(r->head, count);
    MEM_NEW(r->q, count);
    MEM_NEW(r->improvement, count);
    return r->start && r->antecedent && r->consequent && r->both && r->body && r->head && r->q &&
           r->improvement;
}

static void write_rule(struct rules *out, uint32_t k, const struct rule *rule)
{
    for (uint32_t i = 0; i < rule->antecedent_length; i++)
        out->antecedent[out->start[k] + i] = rule->antecedent[i];
    out->consequent[k] = rule->consequent[0];
    out->both[k] = (uint32_t)rule->counts.c;
    out->body[k] = (uint32_t)rule->counts.x;
    out->head[k] = (uint32_t)rule->counts.y;
    out->q[k] = (float)rule->q;
    out->improvement[k] = (float)rule->improvement;
}

static void write_piece(void *context, uint32_t worker)
{
    struct top *t = context;
    struct rule_set set;
    uint64_t begin, end;
    int status = rule_set_init(&set, &t->finder);
    while (status == 0 && cursor_take(&t->cursor, &begin, &end)) {
        for (uint64_t k = begin; k < end; k++) {
            const struct candidate *c = &t->worker[0].list.at[k];
            struct rule_found found;
            uint32_t items[RULE_ITEMS_MAX];
            rule_set_load(&set, c->set);
            rule_describe(&set, c->right, &found);
            struct rule rule = rule_written(&t->finder, &found, items);
            write_rule(t->out, (uint32_t)k, &rule);
        }
        if (progress_step(t->finder.progress, 0))
            status = ERR_CANCELLED;
    }
    rule_set_deinit(&set);
    t->worker[worker].status = status;
}

static int write_rules(struct top *t, struct rules *out)
{
    const struct itemsets *s = t->finder.sets;
    struct candidate *list = t->worker[0].list.at;
    size_t count = t->worker[0].list.count;
    uint64_t items = 0;
    for (size_t k = 0; k < count; k++)
        items += set_length(s, list[k].set) - 1;
    if (!alloc_rules(out, (uint32_t)count, items))
        return ERR_NOMEM;
    if (count)
        qsort_r(list, count, sizeof *list, compare_rules, (void *)s);
    for (size_t k = 0; k < count; k++)
        out->start[k + 1] = out->start[k] + set_length(s, list[k].set) - 1;
    t->out = out;
    cursor_init(&t->cursor, count, RULES_PER_PIECE);
    parallel_run(t->workers, write_piece, t);
    for (uint32_t w = 0; w < t->workers; w++)
        if (t->worker[w].status)
            return t->worker[w].status;
    return 0;
}

int rules_build(const struct itemsets *sets, const struct rule_params *params, struct rules *out,
                struct error *err)
{
    struct rules made = {.basket_count = sets->basket_count};
    struct rule_params one = *params;
    struct rule_tally tally;
    struct rule_limits limits;
    struct top *t;
    one.max_consequent = 1;
    int rc = rule_limits_of(&one, &limits, err);
    if (rc)
        return rc;
    if (!MEM_ZNEW(t, 1))
        return error_set(err, ERR_NOMEM, "rules: out of memory");
    t->by = MEASURE_LEVERAGE;
    t->k = limits.max_rules;
    rc = find_best(t, sets, &one, &tally, err);
    if (rc == 0)
        rc = write_rules(t, &made);
    if (rc == 0) {
        made.cut = tally.found - made.count;
        made.candidates = tally.candidates;
        *out = made;
    } else {
        rules_deinit(&made);
    }
    return finish(t, rc, err);
}

uint64_t rules_estimate_bytes(uint64_t itemset_count, const struct rule_params *params)
{
    struct rule_limits l;
    struct rule_params sizes = {.productive = params->productive,
                                .with_q = params->with_q || params->max_q != 0,
                                .with_improvement = params->with_improvement,
                                .max_antecedent = params->max_antecedent,
                                .max_rules = params->max_rules};
    int rc = rule_limits_of(&sizes, &l, NULL);
    assert(rc == 0); /* thresholds out of range are rules_build's to refuse */
    uint64_t workers = parallel_workers(params->threads);
    uint64_t all = itemset_count * (l.max_antecedent + 1);
    uint64_t kept = all < l.max_rules ? all : l.max_rules;
    uint64_t held = all < 2 * l.max_rules * workers ? all : 2 * l.max_rules * workers;
    uint64_t subsets = l.with_improvement ? (uint64_t)4 << (l.max_antecedent + 1) : 0;
    uint64_t fdr = l.with_q ? (uint64_t)2 << 20 : 0;
    /* Slots are at least two thirds full; candidates grow by halves. */
    return itemset_count * 3 / 2 * sizeof(struct support_slot) + fdr + workers * subsets +
           held * sizeof(struct candidate) * 3 / 2 + kept * (32 + 4 * l.max_antecedent);
}

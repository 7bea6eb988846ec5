/* For each frequent set and each of its items: the item on the right, the others on the left. The
 * left side is frequent too, so its count is looked up in a flat hash of set numbers. Thresholds
 * are compared in integers: c/x >= t as c 10^9 >= x floor(t 10^9), so that a confidence of exactly
 * the threshold stays whatever its binary fraction.
 *
 * Budget: each worker collects candidates; at twice the budget it keeps the better half and from
 * then on looks only at what beats the worst of them. "Better" is a total order, so what is left at
 * the end does not depend on who saw what. Cost: O(sets x length) lookups; memory: the hash, and 16
 * bytes for each of 2 x budget x workers candidates at most. */
#include "mine/rules.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "base/vec.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MIN_CONFIDENCE 0.1
#define DEFAULT_MIN_LIFT       1.0
#define DEFAULT_MAX_FISHER_P   0.05
#define DEFAULT_MAX_ANTECEDENT 3
#define DEFAULT_MAX_RULES      1000000u
#define MIN_LIFT_MAX           1e9
#define SCALE                  1000000000u
#define SETS_PER_PIECE         2048

__extension__ typedef unsigned __int128 u128;

struct candidate {
    int64_t leverage; /* c n - x y */
    uint32_t set, at; /* which item of which set is on the right */
};

struct candidates {
    VEC(struct candidate) list;
    bool full;              /* `worst` is set */
    struct candidate worst; /* what a candidate must beat */
    uint64_t passed;
    int status;
};

struct limits {
    uint64_t confidence, lift; /* billionths */
    double fisher_p;
    uint32_t max_antecedent, max_rules;
};

struct builder {
    const struct itemsets *sets;
    struct limits limits;
    uint64_t set_count; /* sets short enough to make a rule of */
    uint32_t *single;   /* [item_span] support of an item, 0: not frequent */
    uint32_t item_span;
    uint32_t *slots; /* hash of the sets of two and more items: set + 1 */
    uint64_t mask;
    struct cursor cursor;
    struct progress *progress;
    struct candidates worker[PARALLEL_WORKERS_MAX];
};

static uint32_t set_length(const struct itemsets *s, uint64_t set)
{
    return (uint32_t)(s->start[set + 1] - s->start[set]);
}

/* The hash of a set without the item at `skip`. */
static uint64_t hash_items(const uint32_t *items, uint32_t length, uint32_t skip)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < length; i++)
        if (i != skip)
            hash = (hash + items[i] + 1) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 32;
}

static bool same_items(const uint32_t *set, const uint32_t *items, uint32_t length, uint32_t skip)
{
    return memcmp(set, items, skip * sizeof *set) == 0 &&
           memcmp(set + skip, items + skip + 1, (length - skip - 1) * sizeof *set) == 0;
}

static bool build_index(struct builder *b)
{
    const struct itemsets *s = b->sets;
    uint64_t singles = 0, last;
    while (singles < s->count && set_length(s, singles) == 1)
        singles++;
    for (last = singles; last < b->set_count; last++)
        if (set_length(s, last) > b->limits.max_antecedent)
            break;
    b->item_span = singles ? s->item[singles - 1] + 1 : 0;
    uint64_t size = 16;
    while (size < (last - singles) + (last - singles) / 2)
        size *= 2;
    b->mask = size - 1;
    MEM_ZNEW(b->single, b->item_span);
    MEM_ZNEW(b->slots, size);
    if (!b->single || !b->slots)
        return false;
    for (uint64_t k = 0; k < singles; k++)
        b->single[s->item[k]] = s->support[k];
    for (uint64_t k = singles; k < last; k++) {
        uint32_t length = set_length(s, k);
        uint64_t slot = hash_items(s->item + s->start[k], length, length) & b->mask;
        while (b->slots[slot])
            slot = (slot + 1) & b->mask;
        b->slots[slot] = (uint32_t)k + 1;
    }
    return true;
}

/* Baskets with the set but for its item at `at`. */
static uint32_t body_of(const struct builder *b, const uint32_t *items, uint32_t length,
                        uint32_t at)
{
    const struct itemsets *s = b->sets;
    if (length == 2)
        return b->single[items[1 - at]];
    uint64_t slot = hash_items(items, length, at) & b->mask;
    for (;; slot = (slot + 1) & b->mask) {
        assert(b->slots[slot]); /* a subset of a frequent set is frequent */
        uint64_t set = b->slots[slot] - 1;
        if (set_length(s, set) == length - 1 &&
            same_items(s->item + s->start[set], items, length, at))
            return s->support[set];
    }
}

static bool passes(const struct builder *b, uint32_t body, uint32_t head, uint32_t both)
{
    const struct limits *l = &b->limits;
    uint64_t n = b->sets->basket_count, x = body, y = head, c = both;
    if (c * SCALE < x * l->confidence)
        return false;
    if ((u128)(c * n) * SCALE < (u128)(x * y) * l->lift)
        return false;
    return measures_fisher_bound(n, x, y, c) <= l->fisher_p ||
           measures_fisher(n, x, y, c) <= l->fisher_p;
}

/* The order of worth: leverage, then the shorter, then the smaller set. */
static int compare_worth(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->leverage != y->leverage)
        return x->leverage > y->leverage ? -1 : 1;
    if (x->set != y->set)
        return x->set < y->set ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* Hoare's partition of c[low..high), two or more: nothing before the returned place, which lies
 * between, is worse than anything from it on. */
static size_t split(struct candidate *c, size_t low, size_t high)
{
    struct candidate pivot = c[low + (high - low - 1) / 2];
    for (size_t i = low, j = high - 1;; i++, j--) {
        while (compare_worth(&c[i], &pivot) < 0)
            i++;
        while (compare_worth(&pivot, &c[j]) < 0)
            j--;
        if (i >= j)
            return j + 1;
        struct candidate swap = c[i];
        c[i] = c[j];
        c[j] = swap;
    }
}

/* Brings the `keep` best to the front. */
static void select_best(struct candidate *c, size_t count, size_t keep)
{
    size_t low = 0, high = count;
    while (high - low > 1) {
        size_t middle = split(c, low, high);
        if (keep <= middle)
            high = middle;
        else
            low = middle;
    }
}

static void cut(struct candidates *own, uint32_t keep)
{
    if (own->list.count <= keep)
        return;
    select_best(own->list.at, own->list.count, keep);
    own->list.count = keep;
    own->worst = own->list.at[0];
    for (uint32_t k = 1; k < keep; k++)
        if (compare_worth(&own->worst, &own->list.at[k]) < 0)
            own->worst = own->list.at[k];
    own->full = true;
}

static void consider(struct builder *b, struct candidates *own, uint64_t set)
{
    const struct itemsets *s = b->sets;
    const uint32_t *items = s->item + s->start[set];
    uint32_t length = set_length(s, set), both = s->support[set];
    for (uint32_t at = 0; at < length && own->status == 0; at++) {
        uint32_t head = b->single[items[at]], body = body_of(b, items, length, at);
        if (!passes(b, body, head, both))
            continue;
        own->passed++;
        uint64_t leverage = (uint64_t)both * s->basket_count - (uint64_t)body * head;
        struct candidate c = {(int64_t)leverage, (uint32_t)set, at};
        if (own->full && compare_worth(&own->worst, &c) < 0)
            continue;
        if (!VEC_PUSH(&own->list, c))
            own->status = ERR_NOMEM;
        else if (own->list.count >= 2 * (uint64_t)b->limits.max_rules)
            cut(own, b->limits.max_rules);
    }
}

static void run_worker(void *context, uint32_t worker)
{
    struct builder *b = context;
    struct candidates *own = &b->worker[worker];
    uint64_t begin, end;
    while (own->status == 0 && cursor_take(&b->cursor, &begin, &end)) {
        for (uint64_t set = begin; set < end; set++)
            if (set_length(b->sets, set) >= 2)
                consider(b, own, set);
        if (progress_step(b->progress, end - begin))
            own->status = ERR_CANCELLED;
    }
}

/* All workers' candidates in the first one's list, the best of them only. */
static int gather(struct builder *b, uint32_t workers, uint64_t *passed)
{
    struct candidates *all = &b->worker[0];
    *passed = 0;
    for (uint32_t w = 0; w < workers; w++) {
        struct candidates *own = &b->worker[w];
        *passed += own->passed;
        if (own->status)
            return own->status;
        cut(own, b->limits.max_rules);
        if (w == 0)
            continue;
        if (!VEC_RESERVE(&all->list, all->list.count + own->list.count))
            return ERR_NOMEM;
        if (own->list.count)
            memcpy(all->list.at + all->list.count, own->list.at,
                   own->list.count * sizeof *own->list.at);
        all->list.count += own->list.count;
        VEC_FREE(&own->list);
        cut(all, b->limits.max_rules);
    }
    return 0;
}

static int compare_lists(const uint32_t *a, uint32_t a_count, const uint32_t *b, uint32_t b_count)
{
    for (uint32_t i = 0; i < a_count && i < b_count; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return (a_count > b_count) - (a_count < b_count);
}

/* The i-th item of the left side. */
static uint32_t body_item(const struct itemsets *s, const struct candidate *c, uint32_t i)
{
    return s->item[s->start[c->set] + i + (i >= c->at)];
}

/* qsort_r order of the rules. */
static int compare_rules(const void *a, const void *b, void *context)
{
    const struct candidate *x = a, *y = b;
    const struct itemsets *s = context;
    uint32_t x_count = set_length(s, x->set) - 1, y_count = set_length(s, y->set) - 1;
    for (uint32_t i = 0; i < x_count && i < y_count; i++) {
        uint32_t p = body_item(s, x, i), q = body_item(s, y, i);
        if (p != q)
            return p < q ? -1 : 1;
    }
    if (x_count != y_count)
        return x_count < y_count ? -1 : 1;
    uint32_t p = s->item[s->start[x->set] + x->at], q = s->item[s->start[y->set] + y->at];
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
    return r->start && r->antecedent && r->consequent && r->both && r->body && r->head;
}

static int write_rules(struct builder *b, struct rules *out)
{
    const struct itemsets *s = b->sets;
    struct candidate *list = b->worker[0].list.at;
    size_t count = b->worker[0].list.count;
    uint64_t items = 0;
    for (size_t k = 0; k < count; k++)
        items += set_length(s, list[k].set) - 1;
    if (!alloc_rules(out, (uint32_t)count, items))
        return ERR_NOMEM;
    if (count)
        qsort_r(list, count, sizeof *list, compare_rules, (void *)s);
    uint64_t at = 0;
    for (size_t k = 0; k < count; k++) {
        const struct candidate *c = &list[k];
        const uint32_t *set = s->item + s->start[c->set];
        uint32_t length = set_length(s, c->set);
        for (uint32_t i = 0; i + 1 < length; i++)
            out->antecedent[at++] = body_item(s, c, i);
        out->start[k + 1] = at;
        out->consequent[k] = set[c->at];
        out->both[k] = s->support[c->set];
        out->body[k] = body_of(b, set, length, c->at);
        out->head[k] = b->single[set[c->at]];
    }
    return 0;
}

/* Rounded down, so that 2/3 written with any number of digits keeps 2 of 3. */
static uint64_t billionths(double value)
{
    return (uint64_t)(value * SCALE + 1e-3);
}

static int read_limits(const struct rule_params *p, struct limits *out, struct error *err)
{
    double confidence = p->min_confidence != 0 ? p->min_confidence : DEFAULT_MIN_CONFIDENCE;
    double lift = p->min_lift != 0 ? p->min_lift : DEFAULT_MIN_LIFT;
    double fisher_p = p->max_fisher_p != 0 ? p->max_fisher_p : DEFAULT_MAX_FISHER_P;
    uint32_t antecedent = p->max_antecedent ? p->max_antecedent : DEFAULT_MAX_ANTECEDENT;
    uint64_t rules = p->max_rules ? p->max_rules : DEFAULT_MAX_RULES;
    if (!(confidence > 0 && confidence <= 1))
        return error_set(err, ERR_INVALID, "rules: minimum confidence %g is not in (0,1]",
                         confidence);
    if (!(lift > 0 && lift <= MIN_LIFT_MAX))
        return error_set(err, ERR_INVALID, "rules: minimum lift %g is not in (0,1e9]", lift);
    if (!(fisher_p > 0))
        return error_set(err, ERR_INVALID, "rules: maximum p %g is not above 0", fisher_p);
    *out =
        (struct limits){.confidence = billionths(confidence),
                        .lift = billionths(lift),
                        .fisher_p = fisher_p,
                        .max_antecedent = antecedent < RULE_ITEMS_MAX ? antecedent : RULE_ITEMS_MAX,
                        .max_rules = rules < UINT32_MAX - 1 ? (uint32_t)rules : UINT32_MAX - 1};
    return 0;
}

static int build(struct builder *b, uint32_t workers, struct rules *out)
{
    uint64_t passed;
    while (b->set_count > 0 && set_length(b->sets, b->set_count - 1) > b->limits.max_antecedent + 1)
        b->set_count--;
    if (!build_index(b))
        return ERR_NOMEM;
    progress_begin(b->progress, "making rules", b->set_count);
    cursor_init(&b->cursor, b->set_count, SETS_PER_PIECE);
    parallel_run(workers, run_worker, b);
    int status = gather(b, workers, &passed);
    if (status == 0)
        status = write_rules(b, out);
    if (status == 0)
        out->cut = passed - out->count;
    return status;
}

int rules_build(const struct itemsets *sets, const struct rule_params *params, struct rules *out,
                struct error *err)
{
    struct limits limits;
    struct rules made = {.basket_count = sets->basket_count};
    struct builder *b;
    uint32_t workers = parallel_workers(params->threads);
    int status = read_limits(params, &limits, err);
    if (status)
        return status;
    if (!MEM_ZNEW(b, 1))
        return error_set(err, ERR_NOMEM, "rules: out of memory");
    b->sets = sets;
    b->limits = limits;
    b->set_count = sets->count;
    b->progress = params->progress;
    status = build(b, workers, &made);
    for (uint32_t w = 0; w < workers; w++)
        VEC_FREE(&b->worker[w].list);
    free(b->single);
    free(b->slots);
    free(b);
    if (status == 0) {
        *out = made;
        return 0;
    }
    rules_deinit(&made);
    return error_set(err, status, "rules: %s", status == ERR_NOMEM ? "out of memory" : "cancelled");
}

void rules_deinit(struct rules *r)
{
    free(r->start);
    free(r->antecedent);
    free(r->consequent);
    free(r->both);
    free(r->body);
    free(r->head);
    *r = (struct rules){0};
}

size_t rules_bytes(const struct rules *r)
{
    if (!r->start)
        return 0;
    return ((size_t)r->count + 1) * sizeof *r->start + r->start[r->count] * sizeof *r->antecedent +
           (size_t)r->count * 4 * sizeof *r->both;
}

void rules_measures(const struct rules *r, uint32_t rule, int with_fisher, struct measures *out)
{
    assert(rule < r->count);
    measures_of(r->basket_count, r->body[rule], r->head[rule], r->both[rule], with_fisher, out);
}

static uint32_t body_length(const struct rules *r, uint32_t rule)
{
    return (uint32_t)(r->start[rule + 1] - r->start[rule]);
}

static int compare_rule(const struct rules *r, uint32_t rule, const uint32_t *antecedent,
                        uint32_t length, uint32_t consequent)
{
    int order =
        compare_lists(r->antecedent + r->start[rule], body_length(r, rule), antecedent, length);
    if (order)
        return order;
    return (r->consequent[rule] > consequent) - (r->consequent[rule] < consequent);
}

uint32_t rules_find(const struct rules *r, const uint32_t *antecedent, uint32_t length,
                    uint32_t consequent)
{
    uint32_t low = 0, high = r->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare_rule(r, middle, antecedent, length, consequent);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return UINT32_MAX;
}

static bool items_good(const struct rules *r, uint32_t rule, uint32_t item_count)
{
    const uint32_t *items = r->antecedent + r->start[rule];
    uint32_t length = body_length(r, rule), right = r->consequent[rule];
    if (right >= item_count)
        return false;
    for (uint32_t i = 0; i < length; i++)
        if (items[i] >= item_count || items[i] == right || (i > 0 && items[i - 1] >= items[i]))
            return false;
    return true;
}

static bool counts_good(const struct rules *r, uint32_t rule)
{
    uint64_t both = r->both[rule], body = r->body[rule], head = r->head[rule];
    return both > 0 && both <= body && both <= head && body + head - both <= r->basket_count;
}

int rules_check(const struct rules *r, uint32_t item_count, struct error *err)
{
    if (!r->start || !r->antecedent || !r->consequent || !r->both || !r->body || !r->head)
        return error_set(err, ERR_CORRUPT, "rules: arrays are missing");
    if (r->start[0] != 0)
        return error_set(err, ERR_CORRUPT, "rules: the first does not start at 0");
    for (uint32_t k = 0; k < r->count; k++)
        if (r->start[k + 1] <= r->start[k] || r->start[k + 1] - r->start[k] > RULE_ITEMS_MAX)
            return error_set(err, ERR_CORRUPT, "rules: rule %u has no left side of 1 to %d items",
                             k, RULE_ITEMS_MAX);
    for (uint32_t k = 0; k < r->count; k++) {
        if (!items_good(r, k, item_count))
            return error_set(err, ERR_CORRUPT, "rules: rule %u has bad items", k);
        if (!counts_good(r, k))
            return error_set(err, ERR_CORRUPT, "rules: rule %u has impossible counts", k);
        if (k > 0 && compare_rule(r, k - 1, r->antecedent + r->start[k], body_length(r, k),
                                  r->consequent[k]) >= 0)
            return error_set(err, ERR_CORRUPT, "rules: rule %u is out of order", k);
    }
    return 0;
}

uint64_t rules_estimate_bytes(uint64_t itemset_count, const struct rule_params *params)
{
    uint64_t rules = params->max_rules ? params->max_rules : DEFAULT_MAX_RULES;
    uint64_t length = params->max_antecedent ? params->max_antecedent : DEFAULT_MAX_ANTECEDENT;
    uint64_t workers = parallel_workers(params->threads), all = itemset_count * (length + 1);
    uint64_t kept = all < rules ? all : rules;
    uint64_t held = all < 2 * rules * workers ? all : 2 * rules * workers;
    /* The hash is at most three quarters empty; candidates grow by halves. */
    return 12 * itemset_count + held * sizeof(struct candidate) * 3 / 2 + kept * (24 + 4 * length);
}

/* Going through all splits of all sets, in order, on several threads.
 *
 * When q is asked for, a first pass tests every candidate and counts the p-values. The pass that
 * gives rules out works in batches of neighbouring sets with a bounded number of splits: workers
 * take pieces of a batch and note what passed, then the calling thread gives it out in order. A set
 * with very many splits is a batch of its own, handled by the calling thread without notes. Cost:
 * O(splits) look-ups and tests. */
#include "rules_internal.h"

#include "base/parallel.h"
#include "base/vec.h"
#include "mine/fisher.h"

#include <assert.h>
#include <math.h>

#define SETS_PER_PIECE   512
#define PIECES_MAX       512
#define SPLITS_PER_BATCH (1u << 18)

static uint32_t set_length(const struct itemsets *s, uint64_t set)
{
    return (uint32_t)(s->start[set + 1] - s->start[set]);
}

struct counting {
    struct rule_finder *finder;
    struct cursor cursor;
    atomic_int status;
};

static void count_set(struct rule_set *s, struct fdr *fdr)
{
    struct splits splits = splits_of(s);
    while (splits_next(&splits)) {
        struct counts t = rule_set_counts(s, (uint32_t)splits.right);
        bool least = fisher_ln_bound(t.n, t.x, t.y, t.c) <= FDR_LN_LEAST;
        fdr_add(fdr, least ? FDR_LEAST : fisher_p(t.n, t.x, t.y, t.c));
    }
}

static void count_sets(void *context, uint32_t worker)
{
    struct counting *c = context;
    struct rule_set s;
    uint64_t begin, end;
    int status = rule_set_init(&s, c->finder);
    (void)worker;
    while (status == 0 && cursor_take(&c->cursor, &begin, &end)) {
        for (uint64_t set = begin; set < end; set++) {
            rule_set_load(&s, set);
            count_set(&s, &c->finder->fdr);
        }
        if (progress_step(c->finder->progress, end - begin))
            status = ERR_CANCELLED;
    }
    rule_set_deinit(&s);
    if (status)
        atomic_store(&c->status, status);
}

static int count_candidates(struct rule_finder *f, uint32_t workers, struct error *err)
{
    struct counting c = {.finder = f};
    int rc = fdr_init(&f->fdr, err);
    if (rc)
        return rc;
    progress_begin(f->progress, "testing rules", f->set_count);
    cursor_init(&c.cursor, f->set_count, SETS_PER_PIECE);
    parallel_run(workers, count_sets, &c);
    rc = atomic_load(&c.status);
    if (rc)
        return error_set(err, (enum err)rc, "rules: %s",
                         rc == ERR_NOMEM ? "out of memory" : "cancelled");
    fdr_seal(&f->fdr);
    return 0;
}

/* A p below 0 is reached by none. */
static struct p_limit p_limit_of(double p)
{
    return (struct p_limit){p, p > 0 ? log(p) - 1e-9 : -(double)INFINITY};
}

int rule_finder_init(struct rule_finder *f, const struct itemsets *sets,
                     const struct rule_params *params, struct error *err)
{
    *f = (struct rule_finder){.sets = sets, .sides = params->sides, .progress = params->progress};
    int rc = rule_limits_of(params, &f->limits, err);
    if (rc)
        return rc;
    uint32_t most = f->limits.max_antecedent + f->limits.max_consequent;
    f->set_count = sets->count;
    while (f->set_count > 0 && set_length(sets, f->set_count - 1) > most)
        f->set_count--;
    f->longest = f->set_count ? set_length(sets, f->set_count - 1) : 0;
    assert(f->longest <= RULE_ITEMS_MAX);
    uint64_t looked_up = f->set_count; /* a set's own support needs no look-up */
    while (looked_up > 0 && set_length(sets, looked_up - 1) == f->longest)
        looked_up--;
    rc = supports_build(sets, looked_up, &f->supports, err);
    if (rc == 0 && f->limits.with_q)
        rc = count_candidates(f, parallel_workers(params->threads), err);
    double p = f->limits.fisher_p;
    if (rc == 0 && f->limits.max_q < 1)
        p = fmin(p, fdr_p_limit(&f->fdr, f->limits.max_q));
    f->p_limit = p_limit_of(p);
    f->alpha = p_limit_of(f->limits.alpha);
    if (rc)
        rule_finder_deinit(f);
    return rc;
}

void rule_finder_deinit(struct rule_finder *f)
{
    supports_deinit(&f->supports);
    fdr_deinit(&f->fdr);
}

struct rule rule_written(const struct rule_finder *f, const struct rule_found *found,
                         uint32_t *items)
{
    const struct itemsets *s = f->sets;
    uint32_t length = set_length(s, found->set), left = 0;
    uint32_t right_length = (uint32_t)__builtin_popcount(found->right);
    uint32_t right = length - right_length;
    struct rule rule = {
        .antecedent = items,
        .consequent = items + right,
        .antecedent_length = right,
        .consequent_length = right_length,
        .counts = {s->basket_count, found->body, found->head, s->support[found->set]},
        .fisher_p = found->fisher_p,
        .q = found->q,
        .improvement = found->improvement,
        .improvement_p = found->improvement_p,
        .productive = found->productive};
    for (uint32_t i = 0; i < length; i++) {
        uint32_t item = s->item[s->start[found->set] + i];
        if (found->right >> i & 1)
            items[right++] = item;
        else
            items[left++] = item;
    }
    return rule;
}

/* What a worker noted, and which of it belongs to which piece of the batch. */
struct notes {
    VEC(struct rule_found) list;
    uint64_t candidates;
    int status;
    struct rule_set set;
};

struct piece {
    uint32_t worker;
    size_t begin, end; /* of that worker's list */
};

struct visit {
    struct rule_finder finder;
    rule_taker take;
    void *context;
    struct rule_tally tally;
    uint32_t workers;
    uint64_t most_splits[RULE_ITEMS_MAX + 1]; /* by length of the set */
    uint64_t first;                           /* set of the batch */
    struct cursor cursor;
    struct piece pieces[PIECES_MAX];
    struct notes notes[PARALLEL_WORKERS_MAX];
};

static void count_splits(struct visit *v)
{
    const struct rule_limits *l = &v->finder.limits;
    for (uint32_t length = 2; length <= v->finder.longest; length++) {
        uint64_t choices = 1; /* length over right */
        for (uint32_t right = 1; right < length && right <= l->max_consequent; right++) {
            choices = choices * (length - right + 1) / right;
            if (length - right <= l->max_antecedent)
                v->most_splits[length] += choices;
        }
    }
}

static int give(struct visit *v, const struct rule_found *found)
{
    uint32_t items[RULE_ITEMS_MAX];
    struct rule rule = rule_written(&v->finder, found, items);
    v->tally.found++;
    return v->take(v->context, &rule);
}

/* The set's rules, to the notes; or with `direct` given out at once. */
static int visit_set(struct visit *v, struct notes *notes, uint64_t set, bool direct)
{
    struct rule_set *s = &notes->set;
    rule_set_load(s, set);
    struct splits splits = splits_of(s);
    while (splits_next(&splits)) {
        uint32_t right = (uint32_t)splits.right;
        struct counts t = rule_set_counts(s, right);
        struct rule_found found;
        notes->candidates++;
        if (!rule_passes(s, right, &t))
            continue;
        rule_describe(s, right, &found);
        if (direct) {
            int rc = give(v, &found);
            if (rc)
                return rc;
        } else if (!VEC_PUSH(&notes->list, found)) {
            return ERR_NOMEM;
        }
    }
    return 0;
}

static void run_worker(void *context, uint32_t worker)
{
    struct visit *v = context;
    struct notes *notes = &v->notes[worker];
    uint64_t begin, end;
    while (notes->status == 0 && cursor_take(&v->cursor, &begin, &end)) {
        struct piece *piece = &v->pieces[begin / SETS_PER_PIECE];
        piece->worker = worker;
        piece->begin = notes->list.count;
        for (uint64_t set = begin; set < end && notes->status == 0; set++)
            notes->status = visit_set(v, notes, v->first + set, false);
        piece->end = notes->list.count;
    }
}

static int give_batch(struct visit *v, uint64_t sets)
{
    for (uint32_t w = 0; w < v->workers; w++)
        if (v->notes[w].status)
            return v->notes[w].status;
    for (uint64_t x = 0; x * SETS_PER_PIECE < sets; x++) {
        const struct piece *p = &v->pieces[x];
        for (size_t k = p->begin; k < p->end; k++) {
            int rc = give(v, &v->notes[p->worker].list.at[k]);
            if (rc)
                return rc;
        }
    }
    for (uint32_t w = 0; w < v->workers; w++)
        v->notes[w].list.count = 0;
    return 0;
}

/* Sets from `first` on whose splits make a batch; 1 may have more. */
static uint64_t batch_size(const struct visit *v, uint64_t first)
{
    uint64_t sets = 0, splits = 0;
    while (first + sets < v->finder.set_count && sets < SETS_PER_PIECE * PIECES_MAX) {
        splits += v->most_splits[set_length(v->finder.sets, first + sets)];
        if (splits > SPLITS_PER_BATCH && sets > 0)
            break;
        sets++;
    }
    return sets;
}

static int visit_all(struct visit *v)
{
    const struct itemsets *s = v->finder.sets;
    for (uint32_t w = 0; w < v->workers; w++)
        if (rule_set_init(&v->notes[w].set, &v->finder))
            return ERR_NOMEM;
    progress_begin(v->finder.progress, "making rules", v->finder.set_count);
    for (v->first = 0; v->first < v->finder.set_count;) {
        uint64_t sets = batch_size(v, v->first);
        int rc = 0;
        if (sets == 1 && v->most_splits[set_length(s, v->first)] > SPLITS_PER_BATCH) {
            rc = visit_set(v, &v->notes[0], v->first, true);
        } else {
            cursor_init(&v->cursor, sets, SETS_PER_PIECE);
            parallel_run(v->workers, run_worker, v);
            rc = give_batch(v, sets);
        }
        if (rc)
            return rc;
        v->first += sets;
        if (progress_step(v->finder.progress, sets))
            return ERR_CANCELLED;
    }
    return 0;
}

static int run_visit(struct visit *v, struct error *err)
{
    count_splits(v);
    int rc = visit_all(v);
    for (uint32_t w = 0; w < v->workers; w++) {
        v->tally.candidates += v->notes[w].candidates;
        VEC_FREE(&v->notes[w].list);
        rule_set_deinit(&v->notes[w].set);
    }
    if (rc == ERR_NOMEM || rc == ERR_CANCELLED)
        error_set(err, (enum err)rc, "rules: %s", rc == ERR_NOMEM ? "out of memory" : "cancelled");
    return rc;
}

int rules_visit(const struct itemsets *sets, const struct rule_params *params, rule_taker take,
                void *context, struct rule_tally *tally, struct error *err)
{
    struct visit *v;
    if (!MEM_ZNEW(v, 1))
        return error_set(err, ERR_NOMEM, "rules: out of memory");
    v->take = take;
    v->context = context;
    v->workers = parallel_workers(params->threads);
    int rc = rule_finder_init(&v->finder, sets, params, err);
    if (rc == 0)
        rc = run_visit(v, err);
    if (rc == 0 && tally) {
        *tally = v->tally;
        tally->min_support = sets->min_support;
    }
    rule_finder_deinit(&v->finder);
    free(v);
    return rc;
}

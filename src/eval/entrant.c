/* The table and what the learners share. */
#include "entrant_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "learn/ease.h"
#include "learn/sequence.h"

#include <stdlib.h>

/* Parameters of the plain learners, those of their published figures. */
#define BASKET_ROW     200
#define HISTORY_ROW    50
#define BASKET_DECAY   1.f
#define PAST_DECAY     .7f
#define VISIT_DECAY    .6f
#define CONFIDENCE_ROW 2000

static int out_of_memory(struct error *err)
{
    return error_set(err, ERR_NOMEM, "training: out of memory");
}

static int train_counts(const char *name, const uint32_t *orders, uint32_t items,
                        struct contender *out, struct error *err)
{
    float *prior;
    if (!MEM_NEW(prior, items))
        return out_of_memory(err);
    for (uint32_t i = 0; i < items; i++)
        prior[i] = (float)orders[i];
    return contender_prior(name, prior, items, out, err);
}

static int train_popularity(const struct training *t, struct contender *out, struct error *err)
{
    return train_counts("popularity", t->popularity.orders_all, t->popularity.item_count, out, err);
}

static int train_popularity_28d(const struct training *t, struct contender *out, struct error *err)
{
    return train_counts("popularity-28d", t->popularity.orders_28d, t->popularity.item_count, out,
                        err);
}

static int train_popularity_7d(const struct training *t, struct contender *out, struct error *err)
{
    return train_counts("popularity-7d", t->popularity.orders_7d, t->popularity.item_count, out,
                        err);
}

static int train_frequency(const struct training *t, struct contender *out, struct error *err)
{
    return contender_frequency("frequency", &t->split.train, out, err);
}

static int train_habit(const struct training *t, struct contender *out, struct error *err)
{
    return contender_habit("habit", &t->split.train, out, err);
}

float entrant_decay(const struct training *t)
{
    return t->split.task == TASK_BASKET    ? BASKET_DECAY
           : t->split.task == TASK_SESSION ? VISIT_DECAY
                                           : PAST_DECAY;
}

int entrant_rows(const struct training *t, const char *name, struct csr *rows,
                 struct contender *out, struct error *err)
{
    struct rows_term term = {.rows = *rows, .weight = 1, .decay = entrant_decay(t)};
    return contender_rows(name, &term, 1, NULL, out, err);
}

static int train_weight(const struct training *t, const char *name, enum weight weight, uint32_t k,
                        struct contender *out, struct error *err)
{
    struct csr rows;
    if (k == 0)
        k = t->split.task == TASK_BASKET ? BASKET_ROW : HISTORY_ROW;
    int rc = cooc_rows(&t->pairs,
                       &(struct cooc_rows_params){.weight = weight, .k = k, .threads = t->threads},
                       &rows, err);
    return rc ? rc : entrant_rows(t, name, &rows, out, err);
}

static int train_confidence(const struct training *t, struct contender *out, struct error *err)
{
    return train_weight(t, "confidence", WEIGHT_CONFIDENCE, CONFIDENCE_ROW, out, err);
}

static int train_cosine(const struct training *t, struct contender *out, struct error *err)
{
    return train_weight(t, "cosine", WEIGHT_COSINE, 0, out, err);
}

static int train_jaccard(const struct training *t, struct contender *out, struct error *err)
{
    return train_weight(t, "jaccard", WEIGHT_JACCARD, 0, out, err);
}

static int train_llr(const struct training *t, struct contender *out, struct error *err)
{
    return train_weight(t, "llr", WEIGHT_LLR, 0, out, err);
}

static int train_ease(const struct training *t, struct contender *out, struct error *err)
{
    const struct ease_params params = {.threads = t->threads, .progress = t->progress};
    struct csr rows;
    int rc = ease_rows(&t->pairs, &params, &rows, err);
    return rc ? rc : entrant_rows(t, "ease", &rows, out, err);
}

/* The stand-alone form of its published figures. */
static int train_sequence(const struct training *t, struct contender *out, struct error *err)
{
    bool visit = t->split.task == TASK_SESSION;
    const struct sequence_params params = {.distance = visit ? 15 : 10,
                                           .every_place = visit,
                                           .by_time = !visit,
                                           .source_power = visit ? 0 : 1,
                                           .threads = t->threads,
                                           .progress = t->progress};
    struct csr rows;
    int rc = sequence_rows(&t->histories, &params, &rows, NULL, err);
    return rc ? rc : entrant_rows(t, "sequence", &rows, out, err);
}

static const struct entrant entrants[] = {
    {.name = "popularity",
     .about = "orders of the item",
     .baseline = true,
     .train = train_popularity},
    {.name = "popularity-28d",
     .about = "orders of the last 28 days",
     .baseline = true,
     .needs_order = true,
     .needs_times = true,
     .train = train_popularity_28d},
    {.name = "popularity-7d",
     .about = "orders of the last 7 days",
     .baseline = true,
     .needs_order = true,
     .needs_times = true,
     .train = train_popularity_7d},
    {.name = "frequency",
     .about = "how often the shopper had it, then orders",
     .baseline = true,
     .needs_order = true,
     .needs_past = true,
     .train = train_frequency},
    {.name = "habit",
     .about = "how often and how lately the shopper had it",
     .needs_order = true,
     .needs_times = true,
     .needs_past = true,
     .only_rebuy = true,
     .train = train_habit},
    {.name = "confidence",
     .about = "share of what holds the one that holds the other, summed",
     .baseline = true,
     .counts_pairs = true,
     .train = train_confidence},
    {.name = "cosine",
     .about = "cosine of co-occurrence, summed",
     .baseline = true,
     .counts_pairs = true,
     .train = train_cosine},
    {.name = "jaccard",
     .about = "Jaccard's index of co-occurrence, summed",
     .baseline = true,
     .counts_pairs = true,
     .train = train_jaccard},
    {.name = "llr",
     .about = "log likelihood ratio of co-occurrence, summed",
     .baseline = true,
     .counts_pairs = true,
     .train = train_llr},
    {.name = "ridge",
     .about = "a small ridge regression for each item, lambda chosen on the validation",
     .needs_valid = true,
     .counts_pairs = true,
     .train = entrant_train_ridge},
    {.name = "ease",
     .about = "a ridge regression on all other items for each item, lambda 200",
     .slow = true,
     .counts_pairs = true,
     .train = train_ease},
    {.name = "sequence",
     .about = "what follows in histories, nearer followers counting more",
     .needs_order = true,
     .needs_shoppers = true,
     .train = train_sequence},
    {.name = "stan",
     .about = "the past sessions most like this one, near and late ones counting more",
     .needs_order = true,
     .needs_shoppers = true,
     .train = entrant_train_stan},
    {.name = "vmis",
     .about = "the past sessions most like this one, by shared items",
     .needs_order = true,
     .needs_shoppers = true,
     .slow = true,
     .train = entrant_train_vmis},
    {.name = "repeat",
     .about = "how likely each item is bought again now, from times, gaps and demand",
     .needs_order = true,
     .needs_times = true,
     .needs_past = true,
     .train = entrant_train_repeat},
    {.name = "tifu",
     .about = "decayed frequencies of the shopper and the nearest shoppers",
     .needs_order = true,
     .needs_past = true,
     .slow = true,
     .train = entrant_train_tifu},
    {.name = "ials",
     .about = "item vectors by alternating least squares, the context folded in",
     .slow = true,
     .train = entrant_train_ials},
    {.name = "lowrank",
     .about = "item vectors from a singular value decomposition",
     .slow = true,
     .train = entrant_train_lowrank},
    {.name = "sgns",
     .about = "item vectors by skip-gram with negative sampling",
     .slow = true,
     .train = entrant_train_sgns},
    {.name = "softmax",
     .about = "item vectors by a softmax over what comes next",
     .needs_order = true,
     .needs_shoppers = true,
     .slow = true,
     .train = entrant_train_softmax},
    {.name = "default",
     .about = "the blend's recipe where there are too few orders to choose by",
     .not_rebuy = true,
     .slow = true,
     .train = entrant_train_default},
    {.name = "fusion",
     .about = "one list of each of the blend's learners, fused by reciprocal rank",
     .not_rebuy = true,
     .slow = true,
     .train = entrant_train_fusion},
    {.name = "blend",
     .about = "what basketd serves: its learners weighed against each other on the validation",
     .not_rebuy = true,
     .needs_valid = true,
     .train = entrant_train_blend},
};
#define ENTRANT_COUNT (sizeof entrants / sizeof entrants[0])

const struct entrant *entrant_list(uint32_t *count)
{
    *count = ENTRANT_COUNT;
    return entrants;
}

const struct entrant *entrant_find(struct str name)
{
    for (uint32_t i = 0; i < ENTRANT_COUNT; i++)
        if (str_eq(str_of(entrants[i].name), name))
            return &entrants[i];
    return NULL;
}

int entrant_of_learner(const char *text, struct entrant *out, struct error *err)
{
    struct entrant made = {.name = text, .about = "a learner of the recipe"};
    int rc = ingredient_parse(str_of(text), &made.learner, err);
    if (rc)
        return rc;
    if (made.learner.matrix == MATRIX_VISITS)
        return error_set(err, ERR_INVALID,
                         "learner '%s': an evaluation of visits (--surface session) has them as "
                         "histories: next/sequence",
                         text);
    made.of_shoppers = made.learner.matrix == MATRIX_SHOPPERS || made.learner.matrix == MATRIX_NEXT;
    made.needs_order = made.of_shoppers;
    *out = made;
    return 0;
}

const char *entrant_problem(const struct entrant *l, const struct split_params *split, bool timed,
                            bool shoppers)
{
    if (l->needs_times && !timed)
        return "needs orders with times";
    if ((l->needs_past || l->needs_shoppers || l->of_shoppers) && !shoppers)
        return "needs orders that name their shoppers";
    if (l->needs_shoppers && split->task == TASK_BASKET)
        return "learns from the order of histories, and a basket has none";
    if (l->needs_past && split->task == TASK_BASKET && split->anonymous)
        return "needs to know the shopper, who is anonymous here";
    if (l->not_rebuy && split->task == TASK_REBUY)
        return "suggests what goes with other items: repeat is what rebuy serves";
    if (l->only_rebuy && split->task != TASK_REBUY)
        return "is what rebuy serves, and asked nothing else";
    if (l->needs_past && split->task == TASK_PERSONAL && !split->bought)
        return "suggests what was bought before, which nobody is asked for here";
    return NULL;
}

int entrant_train(const struct entrant *l, const struct training *t, struct contender *out,
                  struct error *err)
{
    double cpu_s = clock_cpu_s();
    uint64_t begin = clock_mono_ns();
    int rc = l->train ? l->train(t, out, err) : entrant_train_learner(l, t, out, err);
    if (rc)
        return rc;
    out->baseline = l->baseline;
    out->cost.train_cpu_s = clock_cpu_s() - cpu_s + (l->counts_pairs ? t->pairs_cpu_s : 0);
    out->cost.train_wall_s =
        (double)(clock_mono_ns() - begin) * 1e-9 + (l->counts_pairs ? t->pairs_wall_s : 0);
    out->cost.peak_rss = clock_peak_rss();
    return 0;
}

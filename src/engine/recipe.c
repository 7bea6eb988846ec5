/* Names, the default and the ranges of a recipe. */
#include "engine/recipe.h"

#include <assert.h>
#include <math.h>

#define NEIGHBOURS_MAX 1000u
#define RANK_MAX       512u
#define HALF_LIFE_MAX  1e5f

/* What learners have with more items than this. */
#define MANY_ITEMS     20000
#define FEW_NEIGHBOURS 50
#define FEW_STEPS      20
#define FEW_DIMENSIONS 32
#define FEW_COMPONENTS 64

const char *matrix_name(enum matrix_kind kind)
{
    static const char *const names[] = {"orders", "shoppers", "next", "alike", "visits"};
    _Static_assert(sizeof names / sizeof *names == MATRIX_COUNT, "one name each");
    assert(kind < MATRIX_COUNT);
    return names[kind];
}

const char *learner_name(enum learner_kind learner)
{
    static const char *const names[] = {"cosine",   "jaccard", "llr",  "confidence", "ridge",
                                        "sequence", "lowrank", "sgns", "softmax"};
    _Static_assert(sizeof names / sizeof *names == LEARNER_COUNT, "one name each");
    assert(learner < LEARNER_COUNT);
    return names[learner];
}

const char *mix_name(enum mix_kind kind)
{
    static const char *const names[] = {"basket", "similar", "personal", "session"};
    _Static_assert(sizeof names / sizeof *names == MIX_COUNT, "one name each");
    assert(kind < MIX_COUNT);
    return names[kind];
}

void recipe_default(struct recipe *r)
{
    *r = (struct recipe){
        .ingredients =
            {{.matrix = MATRIX_ORDERS,
              .learner = LEARNER_RIDGE,
              .share = 1,
              .neighbours = 200,
              .lambda = 20,
              .unit_power = 0.5f},
             {.matrix = MATRIX_SHOPPERS,
              .learner = LEARNER_RIDGE,
              .share = 1,
              .neighbours = 100,
              .lambda = 50},
             {.matrix = MATRIX_SHOPPERS, .learner = LEARNER_COSINE, .share = 0.3f},
             {.matrix = MATRIX_NEXT,
              .learner = LEARNER_SEQUENCE,
              .share = 1,
              .distance = 50,
              .gap_power = 0.7f,
              .count_power = 0.7f,
              .source_power = 0.25f,
              .target_power = 0.05f},
             {.matrix = MATRIX_ALIKE, .learner = LEARNER_COSINE, .share = 0.6f},
             {.matrix = MATRIX_ALIKE, .learner = LEARNER_SGNS, .share = 0.4f, .rank = 64},
             {.matrix = MATRIX_VISITS,
              .learner = LEARNER_SEQUENCE,
              .share = 1,
              .distance = 15,
              .gap_power = 1,
              .count_power = 1}},
        .ingredient_count = 7,
        .mixes = {[MIX_BASKET] = {.weight = {[MATRIX_ORDERS] = 1}},
                  [MIX_SIMILAR] = {.weight = {[MATRIX_ALIKE] = 1, [MATRIX_VISITS] = 1}},
                  [MIX_PERSONAL] = {.weight = {[MATRIX_SHOPPERS] = 1, [MATRIX_NEXT] = 1}},
                  [MIX_SESSION] = {
                      .weight = {[MATRIX_ORDERS] = 1, [MATRIX_NEXT] = 1, [MATRIX_VISITS] = 2}}}};
    for (int k = 0; k < MIX_COUNT; k++) {
        r->mixes[k].habit_decay = 0.9f;
        for (int x = 0; x < MATRIX_COUNT; x++)
            r->mixes[k].decay[x] = 1;
    }
    for (int k = MIX_PERSONAL; k <= MIX_SESSION; k++) {
        r->mixes[k].decay[MATRIX_ORDERS] = 0.8f;
        r->mixes[k].decay[MATRIX_SHOPPERS] = 0.8f;
        r->mixes[k].decay[MATRIX_NEXT] = 0.6f;
        r->mixes[k].decay[MATRIX_VISITS] = 0.6f;
    }
}

static void at_most(uint32_t *number, uint32_t most)
{
    *number = *number < most ? *number : most;
}

void recipe_bound(struct recipe *r, uint32_t items)
{
    for (uint32_t x = 0; x < r->ingredient_count && items > MANY_ITEMS; x++) {
        struct ingredient *g = &r->ingredients[x];
        at_most(&g->neighbours, FEW_NEIGHBOURS);
        at_most(&g->distance, FEW_STEPS);
        at_most(&g->rank, g->learner == LEARNER_SGNS ? FEW_DIMENSIONS : FEW_COMPONENTS);
    }
}

static bool in_range(float x, float low, float high)
{
    return x >= low && x <= high; /* false for NaN */
}

static bool has_rank(const struct ingredient *g)
{
    return g->learner == LEARNER_LOWRANK || g->learner == LEARNER_SGNS ||
           g->learner == LEARNER_SOFTMAX;
}

static const char *ingredient_fault(const struct ingredient *g)
{
    bool walks = g->matrix == MATRIX_NEXT || g->matrix == MATRIX_VISITS,
         is_sequence = g->learner == LEARNER_SEQUENCE;
    bool of_histories = g->learner == LEARNER_SOFTMAX;
    if (g->matrix >= MATRIX_COUNT || g->learner >= LEARNER_COUNT || walks != is_sequence ||
        (of_histories && g->matrix != MATRIX_SHOPPERS))
        return "a learner in a matrix that it does not make";
    if (!in_range(g->share, 0, 1e6f))
        return "share";
    if (g->learner == LEARNER_RIDGE &&
        (g->neighbours == 0 || g->neighbours > NEIGHBOURS_MAX || !(g->lambda > 0) ||
         !isfinite(g->lambda) || !in_range(g->unit_power, 0, 2) ||
         !in_range(g->half_life_days, 0, g->matrix == MATRIX_SHOPPERS ? 0 : HALF_LIFE_MAX)))
        return "neighbours, lambda, unit_power or half_life_days of a ridge";
    if (is_sequence && (g->distance == 0 || g->distance > NEIGHBOURS_MAX ||
                        !in_range(g->gap_power, 0, 4) || !in_range(g->count_power, 0, 2) ||
                        !in_range(g->source_power, 0, 2) || !in_range(g->target_power, 0, 2)))
        return "distance or a power of a sequence";
    if (has_rank(g) && (g->rank == 0 || g->rank > RANK_MAX))
        return "rank";
    if (g->learner == LEARNER_SGNS && g->rank % 8)
        return "rank of an sgns, a multiple of 8";
    return NULL;
}

static const char *mix_fault(const struct mix *m)
{
    for (int k = 0; k < MATRIX_COUNT; k++) {
        if (!in_range(m->weight[k], 0, 1e6f))
            return "weight of a matrix";
        if (!(m->decay[k] > 0) || m->decay[k] > 1)
            return "decay of a matrix";
    }
    if (!in_range(m->habit, 0, 1e6f) || !(m->habit_decay > 0) || m->habit_decay > 1)
        return "habit";
    if (!in_range(m->novelty, 0, 1))
        return "novelty";
    return in_range(m->popular, 0, 1e6f) && in_range(m->recent, 0, 1e6f) ? NULL : "popularity";
}

bool recipe_valid(const struct recipe *r, const char **what)
{
    *what = r->ingredient_count > RECIPE_INGREDIENTS_MAX ? "too many ingredients" : NULL;
    for (uint32_t x = 0; !*what && x < r->ingredient_count; x++)
        *what = ingredient_fault(&r->ingredients[x]);
    for (int k = 0; !*what && k < MIX_COUNT; k++)
        *what = mix_fault(&r->mixes[k]);
    return !*what;
}

static void member(struct buf *out, const char *name, double value)
{
    buf_printf(out, ",\"%s\":", name);
    buf_f64(out, value);
}

/* As written by a person: the float nearest to the text, not its expansion. */
static double plain(float x)
{
    return round((double)x * 1e6) / 1e6;
}

static void ingredient_json(const struct ingredient *g, struct buf *out)
{
    buf_printf(out, "{\"matrix\":\"%s\",\"learner\":\"%s\"", matrix_name(g->matrix),
               learner_name(g->learner));
    member(out, "share", plain(g->share));
    if (g->learner == LEARNER_RIDGE) {
        member(out, "neighbours", g->neighbours);
        member(out, "lambda", plain(g->lambda));
        member(out, "unit_power", plain(g->unit_power));
        member(out, "half_life_days", plain(g->half_life_days));
    }
    if (g->learner == LEARNER_SEQUENCE) {
        member(out, "distance", g->distance);
        member(out, "gap_power", plain(g->gap_power));
        member(out, "count_power", plain(g->count_power));
        member(out, "source_power", plain(g->source_power));
        member(out, "target_power", plain(g->target_power));
    }
    if (has_rank(g))
        member(out, "rank", g->rank);
    buf_char(out, '}');
}

static void mix_json(const struct mix *m, struct buf *out)
{
    const char *comma = "";
    buf_text(out, "{\"weights\":{");
    for (int k = 0; k < MATRIX_COUNT; k++) {
        if (m->weight[k] == 0)
            continue;
        buf_printf(out, "%s\"%s\":", comma, matrix_name((enum matrix_kind)k));
        buf_f64(out, plain(m->weight[k]));
        comma = ",";
    }
    buf_text(out, "},\"decays\":{");
    comma = "";
    for (int k = 0; k < MATRIX_COUNT; k++) {
        if (m->weight[k] == 0)
            continue;
        buf_printf(out, "%s\"%s\":", comma, matrix_name((enum matrix_kind)k));
        buf_f64(out, plain(m->decay[k]));
        comma = ",";
    }
    buf_char(out, '}');
    member(out, "habit", plain(m->habit));
    member(out, "habit_decay", plain(m->habit_decay));
    member(out, "popular", plain(m->popular));
    member(out, "recent", plain(m->recent));
    member(out, "novelty", plain(m->novelty));
    buf_char(out, '}');
}

void recipe_json(const struct recipe *r, struct buf *out)
{
    buf_text(out, "{\"ingredients\":[");
    for (uint32_t x = 0; x < r->ingredient_count; x++) {
        if (x)
            buf_char(out, ',');
        ingredient_json(&r->ingredients[x], out);
    }
    buf_text(out, "],\"mixes\":{");
    for (int k = 0; k < MIX_COUNT; k++) {
        buf_printf(out, "%s\"%s\":", k ? "," : "", mix_name((enum mix_kind)k));
        mix_json(&r->mixes[k], out);
    }
    buf_text(out, "}}");
}

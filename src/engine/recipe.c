/* The default, the bounds and the mixes of a recipe. */
#include "engine/recipe.h"

#include "recipe_internal.h"

#include <assert.h>
#include <math.h>

/* What learners have with more items than this. */
#define MANY_ITEMS     20000
#define FEW_NEIGHBOURS 50
#define FEW_STEPS      20
#define FEW_DIMENSIONS 32
#define FEW_COMPONENTS 64

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
                      .weight = {[MATRIX_ORDERS] = 1, [MATRIX_NEXT] = 1, [MATRIX_VISITS] = 1},
                      .neighbours = 4}}};
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

static const char *mix_fault(const struct mix *m)
{
    for (int k = 0; k < MATRIX_COUNT; k++) {
        if (!recipe_in_range(m->weight[k], 0, 1e6f))
            return "weight of a matrix";
        if (!(m->decay[k] > 0) || m->decay[k] > 1)
            return "decay of a matrix";
    }
    if (!recipe_in_range(m->habit, 0, 1e6f) || !(m->habit_decay > 0) || m->habit_decay > 1)
        return "habit";
    if (!recipe_in_range(m->neighbours, 0, 1e6f))
        return "neighbours of a mix";
    if (!recipe_in_range(m->novelty, 0, 1))
        return "novelty";
    return recipe_in_range(m->popular, 0, 1e6f) && recipe_in_range(m->recent, 0, 1e6f)
               ? NULL
               : "popularity";
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

double recipe_plain(float x)
{
    return round((double)x * 1e6) / 1e6;
}

void recipe_member(struct buf *out, const char *name, double value)
{
    buf_printf(out, ",\"%s\":", name);
    buf_f64(out, value);
}

static void mix_json(const struct mix *m, struct buf *out)
{
    const char *comma = "";
    buf_text(out, "{\"weights\":{");
    for (int k = 0; k < MATRIX_COUNT; k++) {
        if (m->weight[k] == 0)
            continue;
        buf_printf(out, "%s\"%s\":", comma, matrix_name((enum matrix_kind)k));
        buf_f64(out, recipe_plain(m->weight[k]));
        comma = ",";
    }
    buf_text(out, "},\"decays\":{");
    comma = "";
    for (int k = 0; k < MATRIX_COUNT; k++) {
        if (m->weight[k] == 0)
            continue;
        buf_printf(out, "%s\"%s\":", comma, matrix_name((enum matrix_kind)k));
        buf_f64(out, recipe_plain(m->decay[k]));
        comma = ",";
    }
    buf_char(out, '}');
    recipe_member(out, "habit", recipe_plain(m->habit));
    recipe_member(out, "habit_decay", recipe_plain(m->habit_decay));
    recipe_member(out, "neighbours", recipe_plain(m->neighbours));
    recipe_member(out, "popular", recipe_plain(m->popular));
    recipe_member(out, "recent", recipe_plain(m->recent));
    recipe_member(out, "novelty", recipe_plain(m->novelty));
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

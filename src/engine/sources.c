/* Counting is done once for each kind of unit, the rows of each ingredient are made from it. Ridges
 * that differ in nothing but lambda are solved together. */
#include "engine/sources.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "build_internal.h"
#include "learn/ridge.h"
#include "learn/sequence.h"
#include "learn/sessionknn.h"
#include "sources_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

uint32_t sources_keep(const struct sources *s)
{
    return s->params.keep ? s->params.keep : DEFAULT_NEIGHBOURS;
}

double rows_scale(const struct csr *rows, const uint32_t *item_orders)
{
    double sum = 0, sales = 0;
    for (uint32_t i = 0; i < rows->rows; i++) {
        float most = 0;
        for (uint64_t e = rows->start[i]; e < rows->start[i + 1]; e++)
            most = rows->value[e] > most ? rows->value[e] : most;
        sum += (double)item_orders[i] * (double)most;
        sales += item_orders[i];
    }
    return sales > 0 ? sum / sales : 0;
}

void sources_take_rows(struct sources *s, uint32_t x, struct csr rows)
{
    double scale = rows_scale(&rows, s->d->item_orders);
    uint64_t entries = csr_entries(&rows);
    for (uint64_t e = 0; e < entries && scale > 0; e++)
        rows.value[e] = (float)((double)rows.value[e] / scale);
    s->rows[x] = rows;
}

bool sources_wanted(const struct sources *s, uint32_t x, enum matrix_kind kind)
{
    return s->recipe->ingredients[x].matrix == kind && s->recipe->ingredients[x].share > 0;
}

static bool any_wanted(const struct sources *s, enum matrix_kind kind)
{
    for (uint32_t x = 0; x < s->recipe->ingredient_count; x++)
        if (sources_wanted(s, x, kind))
            return true;
    return false;
}

bool sources_share_systems(const struct ingredient *a, const struct ingredient *b)
{
    return a->learner == LEARNER_RIDGE && b->learner == LEARNER_RIDGE && a->matrix == b->matrix &&
           a->neighbours == b->neighbours && a->unit_power == b->unit_power &&
           a->half_life_days == b->half_life_days;
}

/* Ingredient x and those after it that share its systems. */
static int make_ridges(struct sources *s, uint32_t x, const struct cooc *pairs, struct error *err)
{
    const struct ingredient *g = s->recipe->ingredients;
    float lambdas[RECIPE_INGREDIENTS_MAX];
    uint32_t of[RECIPE_INGREDIENTS_MAX], count = 0;
    struct csr made[RECIPE_INGREDIENTS_MAX];
    for (uint32_t y = x; y < s->recipe->ingredient_count; y++) {
        if (!sources_wanted(s, y, g[x].matrix) || !sources_share_systems(&g[x], &g[y]))
            continue;
        lambdas[count] = g[y].lambda;
        of[count++] = y;
    }
    struct ridge_params params = {.neighbours = g[x].neighbours,
                                  .lambdas = lambdas,
                                  .lambda_count = count,
                                  .keep = sources_keep(s),
                                  .threads = s->params.threads,
                                  .progress = s->params.progress};
    int rc = ridge_rows(pairs, &params, made, NULL, err);
    for (uint32_t y = 0; y < count && rc == 0; y++)
        sources_take_rows(s, of[y], made[y]);
    return rc;
}

static int make_stan(struct sources *s, uint32_t x, struct error *err)
{
    const struct ingredient *g = &s->recipe->ingredients[x];
    const struct sessionknn_params params = {.form = SESSIONKNN_STAN,
                                             .recent = 5000, /* asked once an item, no hurry */
                                             .neighbours = g->neighbours,
                                             .l2 = g->ageing,
                                             .l3 = g->reach};
    const struct sessionknn_rows_params best = {
        .keep = sources_keep(s), .threads = s->params.threads, .progress = s->params.progress};
    struct sessionknn index;
    struct csr made;
    int rc = sessionknn_build(&s->histories, &params, &index, err);
    if (rc)
        return rc;
    rc = sessionknn_rows(&index, &best, &made, err);
    sessionknn_deinit(&index);
    if (rc == 0)
        sources_take_rows(s, x, made);
    return rc;
}

static int make_sequence(struct sources *s, uint32_t x, struct error *err)
{
    const struct ingredient *g = &s->recipe->ingredients[x];
    bool visits = g->matrix == MATRIX_VISITS;
    bool walked = visits || s->params.histories_are_visits;
    const struct sequence_params params = {.distance = g->distance,
                                           .every_place = walked,
                                           .by_time = !walked,
                                           .gap_power = g->gap_power,
                                           .count_power = g->count_power,
                                           .source_power = g->source_power,
                                           .target_power = g->target_power,
                                           .keep = sources_keep(s),
                                           .threads = s->params.threads,
                                           .progress = s->params.progress};
    struct csr made;
    int rc = sequence_rows(visits ? &s->visits : &s->histories, &params, &made, &s->after[x], err);
    if (rc == 0)
        sources_take_rows(s, x, made);
    return rc;
}

static int make_weights(struct sources *s, uint32_t x, const struct cooc *pairs, struct error *err)
{
    static const enum weight weights[] = {[LEARNER_COSINE] = WEIGHT_COSINE,
                                          [LEARNER_JACCARD] = WEIGHT_JACCARD,
                                          [LEARNER_LLR] = WEIGHT_LLR,
                                          [LEARNER_CONFIDENCE] = WEIGHT_CONFIDENCE};
    const struct ingredient *g = &s->recipe->ingredients[x];
    const struct cooc_rows_params params = {.weight = weights[g->learner],
                                            .k = sources_keep(s),
                                            .min_count = g->min_count,
                                            .threads = s->params.threads};
    struct csr made;
    int rc = cooc_rows(pairs, &params, &made, err);
    if (rc == 0)
        sources_take_rows(s, x, made);
    return rc;
}

static int make_rows(struct sources *s, uint32_t x, const struct csr *units,
                     const struct cooc *pairs, struct error *err)
{
    switch (s->recipe->ingredients[x].learner) {
    case LEARNER_COSINE:
    case LEARNER_JACCARD:
    case LEARNER_LLR:
    case LEARNER_CONFIDENCE:
        return make_weights(s, x, pairs, err);
    case LEARNER_RIDGE:
        return make_ridges(s, x, pairs, err);
    case LEARNER_SGNS:
        return s->params.sgns ? sources_make_sgns(s, x, err) : 0;
    case LEARNER_SEQUENCE:
        return make_sequence(s, x, err);
    case LEARNER_LOWRANK:
        return sources_make_lowrank(s, x, units, err);
    case LEARNER_IALS:
        return sources_make_ials(s, x, units, err);
    case LEARNER_SOFTMAX: /* beside the others */
        return 0;
    case LEARNER_STAN:
        return make_stan(s, x, err);
    case LEARNER_COUNT:
        break;
    }
    return 0;
}

/* What units count in pairs is up to the ridge they are for. True: not as it was. */
static bool weigh_units(struct cooc_params *params, const struct ingredient *g)
{
    float power = params->unit_power, half_life = params->half_life_days;
    if (g->learner != LEARNER_RIDGE)
        return false;
    params->unit_power = g->unit_power;
    params->half_life_days = g->half_life_days;
    return power != g->unit_power || half_life != g->half_life_days;
}

/* The rows of a matrix whose pairs are counted over `units`; counted anew when a ridge weighs the
 * units in another way. */
static int make_matrix(struct sources *s, enum matrix_kind kind, const struct csr *units,
                       struct cooc *pairs, struct error *err)
{
    struct cooc_params params = build_cooc_params(units->cols, s->params.threads);
    params.progress = s->params.progress;
    params.time_ms = s->d->time_ms; /* recipes weigh by age only where units are orders */
    int rc = 0;
    for (uint32_t x = 0; x < s->recipe->ingredient_count && rc == 0; x++) {
        const struct ingredient *g = &s->recipe->ingredients[x];
        if (!sources_wanted(s, x, kind) || s->rows[x].start)
            continue;
        if (weigh_units(&params, g) || !pairs->start) {
            cooc_deinit(pairs);
            rc = cooc_count(units, &params, pairs, err);
        }
        if (rc == 0)
            rc = make_rows(s, x, units, pairs, err);
    }
    free(pairs->mass); /* evidence is what can be recounted */
    pairs->mass = NULL;
    return rc;
}

/* Empties the rows of shoppers with too many distinct items to learn from. */
static int drop_long(struct histories *h, struct error *err)
{
    uint64_t kept = 0, begin = 0;
    uint32_t *last; /* the row + 1 that had the item last */
    if (!MEM_ZNEW(last, h->item_count))
        return error_set(err, ERR_NOMEM, "training: out of memory");
    for (uint32_t u = 0; u < h->count; u++) {
        uint64_t end = h->start[u + 1], distinct = 0;
        for (uint64_t x = begin; x < end; x++) {
            distinct += last[h->item[x]] != u + 1;
            last[h->item[x]] = u + 1;
        }
        if (distinct <= MAX_HISTORY_ITEMS) {
            memmove(h->item + kept, h->item + begin, (end - begin) * sizeof *h->item);
            memmove(h->time_ms + kept, h->time_ms + begin, (end - begin) * sizeof *h->time_ms);
            kept += end - begin;
        }
        begin = end;
        h->start[u + 1] = kept;
    }
    free(last);
    return 0;
}

static int make_histories(struct sources *s, struct error *err)
{
    int rc = histories_of_users(s->d, &s->histories, err);
    if (rc == 0)
        rc = drop_long(&s->histories, err);
    if (rc)
        histories_deinit(&s->histories);
    return rc;
}

/* Of NEXT or VISITS. */
static int make_sequences(struct sources *s, enum matrix_kind kind, struct error *err)
{
    int rc = 0;
    for (uint32_t x = 0; x < s->recipe->ingredient_count && rc == 0; x++)
        if (sources_wanted(s, x, kind) && !s->rows[x].start)
            rc = make_rows(s, x, NULL, NULL, err);
    return rc;
}

struct side_by_side {
    struct sources *s;
    const struct csr *sets;
    struct softmaxes softmaxes;
    int rc;
    struct error err;
};

/* Worker 1 trains the softmaxes, which take one thread, while worker 0 makes all else. */
static void make_side(void *context, uint32_t worker)
{
    struct side_by_side *both = context;
    if (worker == 1)
        softmaxes_train(&both->softmaxes);
    else
        both->rc =
            make_matrix(both->s, MATRIX_SHOPPERS, both->sets, &both->s->shoppers, &both->err);
}

static int make_shoppers(struct sources *s, struct error *err)
{
    struct csr sets;
    int rc = histories_sets(&s->histories, &sets, err);
    if (rc)
        return rc;
    struct side_by_side both = {.s = s, .sets = &sets, .err = ERROR_INIT};
    softmaxes_init(&both.softmaxes, s);
    if (parallel_workers(s->params.threads) > 1) {
        parallel_run(2, make_side, &both);
    } else {
        make_side(&both, 0);
        if (both.rc == 0)
            make_side(&both, 1);
    }
    csr_deinit(&sets);
    if (both.rc) {
        softmaxes_deinit(&both.softmaxes);
        return error_set(err, (enum err)both.rc, "%s", both.err.text);
    }
    return softmaxes_take(&both.softmaxes, s, err);
}

static int make_visits(struct sources *s, struct error *err)
{
    int rc = 0;
    if (!s->d->sessions.rows.count || !any_wanted(s, MATRIX_VISITS))
        return 0;
    if (!s->visits.start)
        rc = histories_of_visits(s->d, &s->visits, err);
    return rc ? rc : make_sequences(s, MATRIX_VISITS, err);
}

int sources_make(struct sources *s, enum matrix_kind kind, struct error *err)
{
    bool of_orders = kind == MATRIX_ORDERS || kind == MATRIX_ALIKE;
    int rc = 0;
    if (kind == MATRIX_VISITS)
        return make_visits(s, err);
    if (!of_orders && s->d->user_count && !s->histories.start)
        rc = make_histories(s, err);
    if (rc || !any_wanted(s, kind))
        return rc;
    if (of_orders)
        return make_matrix(s, kind, &s->d->baskets, &s->orders, err);
    if (!s->histories.start)
        return 0;
    return kind == MATRIX_NEXT ? make_sequences(s, kind, err) : make_shoppers(s, err);
}

void sources_init(struct sources *s, const struct dataset *d, const struct recipe *recipe,
                  const struct source_params *params)
{
    *s = (struct sources){.d = d, .recipe = recipe, .params = *params};
}

void sources_drop(struct sources *s, enum matrix_kind kind)
{
    for (uint32_t x = 0; x < s->recipe->ingredient_count; x++) {
        if (s->recipe->ingredients[x].matrix != kind)
            continue;
        csr_deinit(&s->rows[x]);
        free(s->after[x]);
        s->after[x] = NULL;
    }
}

void sources_deinit(struct sources *s)
{
    for (uint32_t x = 0; x < RECIPE_INGREDIENTS_MAX; x++) {
        csr_deinit(&s->rows[x]);
        free(s->after[x]);
    }
    cooc_deinit(&s->orders);
    cooc_deinit(&s->shoppers);
    histories_deinit(&s->histories);
    histories_deinit(&s->visits);
    embeddings_deinit(&s->vectors);
    *s = (struct sources){.d = s->d, .recipe = s->recipe, .params = s->params};
}

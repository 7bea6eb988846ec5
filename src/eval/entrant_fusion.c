/* What a shop with too few orders to choose by could be served from: the default recipe as it is,
 * or one list from each of the menu's learners, fused by reciprocal rank (Cormack, Clarke &
 * Buettcher, SIGIR 2009): an item at place p of a list counts 1/(60 + p). No list is trusted more
 * than another, so there is nothing to choose. */
#include "base/mem.h"
#include "base/parallel.h"
#include "engine/recipe.h"
#include "entrant_internal.h"
#include "eval/contender_mix.h"
#include "eval/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LISTS_MAX 8
#define RANK_ZERO 60

struct place {
    float score;
    uint32_t rank, item;
};

struct fusion {
    struct contender lists[LISTS_MAX];
    uint32_t count;
    struct place *desk[PARALLEL_WORKERS_MAX]; /* [items] made when first used */
    float *own[PARALLEL_WORKERS_MAX];
};

static int before(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

static void add_list(const struct split *split, const float *own, struct place *desk, float *scores)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < split->train.item_count; i++)
        if (own[i] > 0)
            desk[count++] = (struct place){own[i], split->rank[i], i};
    qsort(desk, count, sizeof *desk, before);
    for (uint32_t p = 0; p < count; p++)
        scores[desk[p].item] += 1.f / (RANK_ZERO + 1.f + (float)p);
}

static void score(void *context, const struct split *split, uint32_t question, float *scores,
                  uint32_t worker)
{
    struct fusion *f = context;
    memset(scores, 0, split->train.item_count * sizeof *scores);
    for (uint32_t l = 0; l < f->count; l++) {
        f->lists[l].score(f->lists[l].state, split, question, f->own[worker], worker);
        add_list(split, f->own[worker], f->desk[worker], scores);
    }
}

static void deinit(void *context)
{
    struct fusion *f = context;
    for (uint32_t l = 0; l < f->count; l++)
        contender_deinit(&f->lists[l]);
    for (uint32_t w = 0; w < PARALLEL_WORKERS_MAX; w++) {
        free(f->desk[w]);
        free(f->own[w]);
    }
    free(f);
}

static bool reserve(struct fusion *f, uint32_t workers, uint32_t items)
{
    for (uint32_t w = 0; w < workers; w++)
        if (!MEM_NEW(f->desk[w], items) || !MEM_NEW(f->own[w], items))
            return false;
    return true;
}

static bool has_before(const struct recipe *menu, uint32_t x)
{
    for (uint32_t y = 0; y < x; y++)
        if (menu->ingredients[y].matrix == menu->ingredients[x].matrix &&
            menu->ingredients[y].learner == menu->ingredients[x].learner)
            return true;
    return false;
}

/* One of each kind of learner that the surface adds up; vectors need more orders than there are. */
static int add_learners(const struct training *t, struct fusion *f, struct error *err)
{
    enum mix_kind kind = entrant_mix(&t->split);
    struct recipe menu, one;
    int rc = 0;
    recipe_menu(&menu, t->split.train.item_count);
    for (uint32_t x = 0; x < menu.ingredient_count && f->count < LISTS_MAX - 1 && rc == 0; x++) {
        const struct ingredient *g = &menu.ingredients[x];
        struct csr rows[MATRIX_COUNT] = {0};
        if (!(menu.mixes[kind].weight[g->matrix] > 0) || has_before(&menu, x) ||
            g->learner > LEARNER_SEQUENCE)
            continue;
        one = menu;
        for (uint32_t y = 0; y < one.ingredient_count; y++)
            one.ingredients[y].share = y == x;
        for (int k = 0; k < MATRIX_COUNT; k++)
            if (k != (int)g->matrix)
                one.mixes[kind].weight[k] = 0;
        rc = entrant_recipe_rows(t, &one, &one.mixes[kind], rows, err);
        if (rc == 0)
            rc = contender_mix("list", &one.mixes[kind], rows, NULL, &f->lists[f->count], err);
        else
            csr_deinit(&rows[g->matrix]);
        f->count += rc == 0;
    }
    return rc;
}

int entrant_train_fusion(const struct training *t, struct contender *out, struct error *err)
{
    struct fusion *f;
    if (!MEM_ZNEW(f, 1))
        return error_set(err, ERR_NOMEM, "training: out of memory");
    int rc = reserve(f, parallel_workers(t->threads), t->split.train.item_count)
                 ? add_learners(t, f, err)
                 : error_set(err, ERR_NOMEM, "training: out of memory");
    if (rc == 0)
        rc = entrant_find(STR("popularity"))->train(t, &f->lists[f->count], err);
    f->count += rc == 0;
    if (rc) {
        deinit(f);
        return rc;
    }
    *out = (struct contender){.name = "fusion", .state = f, .score = score, .deinit = deinit};
    for (uint32_t l = 0; l < f->count; l++)
        out->cost.bytes += f->lists[l].cost.bytes;
    return 0;
}

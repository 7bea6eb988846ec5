/* Rows of vectors: trained, then multiplied (embeddings_rows). */
#include "sources_internal.h"

#include "learn/ials.h"
#include "learn/lowrank.h"
#include "learn/softmax.h"

/* The rows of ingredient x from its vectors, which stay the caller's. */
static int take_vectors(struct sources *s, uint32_t x, const struct embeddings *vectors,
                        enum embeddings_weight weight, struct error *err)
{
    const struct embeddings_rows_params best = {.k = sources_keep(s),
                                                .weight = weight,
                                                .threads = s->params.threads,
                                                .progress = s->params.progress};
    struct csr made;
    int rc = embeddings_rows(vectors, &best, &made, err);
    if (rc == 0)
        sources_take_rows(s, x, made);
    return rc;
}

int sources_make_sgns(struct sources *s, uint32_t x, struct error *err)
{
    struct sgns_params params = *s->params.sgns;
    params.dimensions = s->recipe->ingredients[x].rank;
    params.threads = s->params.threads;
    params.progress = s->params.progress;
    int rc = 0;
    if (s->vectors.dimensions != params.dimensions) {
        embeddings_deinit(&s->vectors);
        rc = sgns_train(s->d, &params, &s->vectors, err);
    }
    return rc ? rc : take_vectors(s, x, &s->vectors, EMBEDDINGS_ODDS, err);
}

int sources_make_lowrank(struct sources *s, uint32_t x, const struct csr *units, struct error *err)
{
    const struct lowrank_params params = {.dimensions = s->recipe->ingredients[x].rank,
                                          .threads = s->params.threads,
                                          .progress = s->params.progress};
    struct embeddings vectors;
    int rc = lowrank_train(units, &params, &vectors, NULL, err);
    if (rc)
        return rc;
    rc = take_vectors(s, x, &vectors, EMBEDDINGS_SCORE, err);
    embeddings_deinit(&vectors);
    return rc;
}

/* A basket's answer is not linear in its items; that of one item alone makes the rows. */
int sources_make_ials(struct sources *s, uint32_t x, const struct csr *units, struct error *err)
{
    const struct ingredient *g = &s->recipe->ingredients[x];
    const struct ials_params params = {.dimensions = g->rank,
                                       .reg = (double)g->reg,
                                       .a0 = (double)g->unseen,
                                       .threads = s->params.threads,
                                       .progress = s->params.progress};
    struct embeddings vectors;
    struct ials made;
    int rc = ials_train(units, &params, &made, err);
    if (rc)
        return rc;
    rc = ials_embeddings(&made, &vectors, err);
    ials_deinit(&made);
    if (rc)
        return rc;
    rc = take_vectors(s, x, &vectors, EMBEDDINGS_SCORE, err);
    embeddings_deinit(&vectors);
    return rc;
}

void softmaxes_init(struct softmaxes *all, const struct sources *s)
{
    *all = (struct softmaxes){.s = s, .err = ERROR_INIT};
    progress_init_part(&all->progress, s->params.progress);
}

void softmaxes_train(struct softmaxes *all)
{
    const struct sources *s = all->s;
    for (uint32_t x = 0; x < s->recipe->ingredient_count && all->rc == 0; x++) {
        const struct softmax_params params = {.dimensions = s->recipe->ingredients[x].rank,
                                              .progress = &all->progress};
        if (s->recipe->ingredients[x].learner != LEARNER_SOFTMAX || s->rows[x].start ||
            !sources_wanted(s, x, MATRIX_SHOPPERS))
            continue;
        all->rc = softmax_train(&s->histories, &params, &all->vectors[x], &all->err);
    }
}

void softmaxes_deinit(struct softmaxes *all)
{
    for (uint32_t x = 0; x < RECIPE_INGREDIENTS_MAX; x++)
        embeddings_deinit(&all->vectors[x]);
}

int softmaxes_take(struct softmaxes *all, struct sources *s, struct error *err)
{
    int rc = all->rc ? error_set(err, (enum err)all->rc, "%s", all->err.text) : 0;
    for (uint32_t x = 0; x < s->recipe->ingredient_count && rc == 0; x++)
        if (all->vectors[x].in)
            rc = take_vectors(s, x, &all->vectors[x], EMBEDDINGS_MARGIN, err);
    softmaxes_deinit(all);
    return rc;
}

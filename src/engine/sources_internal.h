/* What the learners of a recipe share. */
#ifndef ENGINE_SOURCES_INTERNAL_H
#define ENGINE_SOURCES_INTERNAL_H

#include "build_internal.h"
#include "engine/sources.h"

/* Has a share in this matrix. */
bool sources_wanted(const struct sources *s, uint32_t x, enum matrix_kind kind);

/* Ridges of one matrix that differ in nothing but lambda: solved together. */
bool sources_share_systems(const struct ingredient *a, const struct ingredient *b);

uint32_t sources_keep(const struct sources *s); /* entries of each row */

/* Takes the rows of ingredient x, put on the common scale. */
void sources_take_rows(struct sources *s, uint32_t x, struct csr rows);

/* sources_vectors.c: rows of ingredient x. */
int sources_make_sgns(struct sources *s, uint32_t x, struct error *err) WARN_UNUSED;
int sources_make_lowrank(struct sources *s, uint32_t x, const struct csr *units,
                         struct error *err) WARN_UNUSED;
int sources_make_ials(struct sources *s, uint32_t x, const struct csr *units,
                      struct error *err) WARN_UNUSED;

/* The softmaxes of a recipe take one thread, and so are trained beside other learners: from the
 * sources' histories, without a change to the sources. */
struct softmaxes {
    const struct sources *s;
    struct embeddings vectors[RECIPE_INGREDIENTS_MAX]; /* of ingredient x; without `in`: none */
    struct progress progress;
    struct error err;
    int rc;
};
void softmaxes_init(struct softmaxes *all, const struct sources *s);
void softmaxes_train(struct softmaxes *all);
/* Their rows, or why there are none; either way nothing is left. */
int softmaxes_take(struct softmaxes *all, struct sources *s, struct error *err) WARN_UNUSED;
void softmaxes_deinit(struct softmaxes *all);
#endif

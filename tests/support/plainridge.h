/* Ridge regressions on counts by plain loops in double, what the learners are held against. */
#ifndef SUPPORT_PLAINRIDGE_H
#define SUPPORT_PLAINRIDGE_H

#include "learn/cooc.h"

/* The k items of largest cosine to j with a unit in common (ties: more units, smaller number),
 * ascending; how many. */
uint32_t plain_neighbours(const struct cooc *c, uint32_t j, uint32_t k, uint32_t *out);

/* weight = (G_SS + lambda I)^-1 G_Sj for the support S, by Gaussian elimination. */
void plain_ridge(const struct cooc *c, uint32_t j, const uint32_t *support, uint32_t m,
                 double lambda, double *weight);

/* Rows as a dense matrix, [row][column]; the caller's to free. Aborts when out of memory. */
double *plain_matrix(const struct csr *rows);

#endif

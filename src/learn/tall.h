/* Tall matrices [rows x width], width a few hundred at most: their products, orthonormal columns,
 * eigenvectors of the small matrix between them. Parallel; sums over the rows go by lanes of fixed
 * borders, added in order, so the result does not depend on the number of threads. */
#ifndef LEARN_TALL_H
#define LEARN_TALL_H

#include "base/parallel.h"
#include "blas.h"

struct tall_lane {
    double *sum;    /* [width x width] of a share of the rows */
    float *product; /* [width x width] of a few */
};

struct tall {
    struct blas blas;
    uint32_t rows, width, workers;
    double *small;  /* [width x width] symmetric, or its eigenvectors, one after the other */
    double *value;  /* [width] its eigenvalues, ascending */
    double *length; /* [width] */
    float *turn;    /* [width x width] what tall_turn multiplies with */
    struct tall_lane *lane;
    double *work; /* [work_count] of LAPACK */
    int *iwork;   /* [iwork_count] */
    int work_count, iwork_count;
    /* of the loop that runs */
    const float *left, *right;
    float *to;
    struct cursor cursor;
};

/* `who` begins the error text. ERR_NOMEM; ERR_NOT_FOUND without OpenBLAS. */
int tall_init(struct tall *t, uint32_t rows, uint32_t width, uint32_t workers, const char *who,
              struct error *err) WARN_UNUSED;
void tall_deinit(struct tall *t);

/* small = (left' right + right' left) / 2 */
void tall_products(struct tall *t, const float *left, const float *right);

/* From the matrix in `small` to its eigenvalues and vectors. ERR_INTERNAL: it is not finite. */
int tall_eigen(struct tall *t) WARN_UNUSED;

/* to = from turn */
void tall_turn(struct tall *t, const float *from, float *to);

/* to = orthonormal columns that span those of `from`, as many as are independent, then zeroes.
 * Where they depend nearly, a second time makes them orthogonal to the last digit. */
int tall_orthonormalise(struct tall *t, const float *from, float *to) WARN_UNUSED;

uint64_t tall_estimate_bytes(uint32_t width);

#endif

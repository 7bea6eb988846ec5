/* OpenBLAS, loaded when first asked for and not with the program: it takes 1.4 ms and 3 MB to
 * start, which every short command would pay. It stays loaded. One thread each call: the callers'
 * workers are the threads. */
#ifndef LEARN_BLAS_H
#define LEARN_BLAS_H

#include "base/error.h"

#include <cblas.h>

/* Column-major, as LAPACK has it; `uplo` "L": the lower triangle. info 0: done; > 0: not positive
 * definite. */
typedef void lapack_potr(const char *uplo, const int *n, float *a, const int *lda, int *info);
typedef void lapack_syevd(const char *jobz, const char *uplo, const int *n, double *a,
                          const int *lda, double *w, double *work, const int *lwork, int *iwork,
                          const int *liwork, int *info);

struct blas {
    __typeof__(cblas_sgemm) *sgemm;
    __typeof__(cblas_ssyrk) *ssyrk;
    __typeof__(cblas_strsv) *strsv;
    __typeof__(openblas_set_num_threads) *set_num_threads;
    lapack_potr *spotrf;  /* Cholesky factor */
    lapack_potr *spotri;  /* inverse from it */
    lapack_syevd *dsyevd; /* eigenvalues, ascending, and vectors */
};

/* `who` begins the error text. ERR_NOT_FOUND. */
int blas_load(struct blas *blas, const char *who, struct error *err) WARN_UNUSED;

#endif

/* Symbols by name: nothing of the library is linked. */
#include "blas.h"

#include <dlfcn.h>
#include <stddef.h>

int blas_load(struct blas *blas, const char *who, struct error *err)
{
    void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return error_set(err, ERR_NOT_FOUND, "%s: %s; install libopenblas0", who, dlerror());
    *(void **)&blas->sgemm = dlsym(library, "cblas_sgemm");
    *(void **)&blas->ssyrk = dlsym(library, "cblas_ssyrk");
    *(void **)&blas->strsv = dlsym(library, "cblas_strsv");
    *(void **)&blas->set_num_threads = dlsym(library, "openblas_set_num_threads");
    *(void **)&blas->spotrf = dlsym(library, "spotrf_");
    *(void **)&blas->spotri = dlsym(library, "spotri_");
    *(void **)&blas->dsyevd = dlsym(library, "dsyevd_");
    if (!blas->sgemm || !blas->ssyrk || !blas->strsv || !blas->set_num_threads || !blas->spotrf ||
        !blas->spotri || !blas->dsyevd)
        return error_set(err, ERR_NOT_FOUND, "%s: libopenblas.so.0 is another library", who);
    blas->set_num_threads(1);
    return 0;
}

/* See the header. */
#include "http/mhd.h"

#include <dlfcn.h>

#define LIBRARY "libmicrohttpd.so.12"

int mhd_load(struct mhd *out, struct error *err)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return error_set(err, ERR_NOT_FOUND, "http: %s; install libmicrohttpd12", dlerror());
#define X(name)                                                                                    \
    *(void **)&out->name = dlsym(library, "MHD_" #name);                                           \
    if (!out->name)                                                                                \
        return error_set(err, ERR_NOT_FOUND, "http: " LIBRARY " lacks MHD_" #name);
    MHD_FUNCTIONS(X)
#undef X
    return 0;
}

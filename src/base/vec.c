/* The one function behind the VEC macros. */
#include "base/vec.h"

bool vec_reserve(void **at, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap)
        return true;
    size_t grown = mem_grow(*cap, need);
    void *bigger = mem_resize(*at, grown, size);
    if (!bigger)
        return false;
    *at = bigger;
    *cap = grown;
    return true;
}

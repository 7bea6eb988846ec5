/* The one function behind the VEC macros. It gets the address of a T * as a void **; the pointer is
 * copied as bytes, because to read it as a void * would break the aliasing rules. */
#include "base/vec.h"

#include <string.h>

bool vec_reserve(void **at, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap)
        return true;
    size_t grown = mem_grow(*cap, need);
    void *array;
    memcpy(&array, at, sizeof array);
    array = mem_resize(array, grown, size);
    if (!array)
        return false;
    memcpy(at, &array, sizeof array);
    *cap = grown;
    return true;
}

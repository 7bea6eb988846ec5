/* A typed growable array.
 *
 *     VEC(uint32_t) v = {0};
 *     if (!VEC_PUSH(&v, 7)) → out of memory, v unchanged
 *     v.at[0], v.count
 *     VEC_FREE(&v);
 */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include "base/mem.h"

#include <stdbool.h>
#include <stdlib.h>

#define VEC(T)                                                                                     \
    struct {                                                                                       \
        T *at;                                                                                     \
        size_t count, cap;                                                                         \
    }

bool vec_reserve(void **at, size_t *cap, size_t need, size_t size);

#define VEC_RESERVE(v, need)                                                                       \
    ((need) <= (v)->cap || vec_reserve((void **)&(v)->at, &(v)->cap, (need), sizeof *(v)->at))
#define VEC_PUSH(v, value)                                                                         \
    (VEC_RESERVE((v), (v)->count + 1) ? ((v)->at[(v)->count++] = (value), true) : false)
#define VEC_FREE(v) (free((v)->at), (v)->at = NULL, (v)->count = (v)->cap = 0)

#endif

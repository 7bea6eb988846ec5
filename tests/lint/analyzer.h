/* Included before every file that clang-tidy reads, except base/error.c. The analyzer sees one file
 * at a time: this tells it that what error_set returns is never OK, and that a vector with room has
 * an array. */
#include "base/error.h"
#include "base/vec.h"

#define error_known(code)                                                                          \
    __extension__({                                                                                \
        int known_code = (code);                                                                   \
        __builtin_assume(known_code < 0);                                                          \
        known_code;                                                                                \
    })
#define error_set(err, code, ...) ((void)(error_set)(err, code, __VA_ARGS__), error_known(code))
#define error_set_errno(err, code, ...)                                                            \
    ((void)(error_set_errno)(err, code, __VA_ARGS__), error_known(code))

#undef VEC_RESERVE
#define VEC_RESERVE(v, need)                                                                       \
    (vec_reserve((void **)&(v)->at, &(v)->cap, (need), sizeof *(v)->at) && __extension__({         \
         __builtin_assume((v)->at != NULL);                                                        \
         true;                                                                                     \
     }))

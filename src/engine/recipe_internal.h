/* What ingredients and recipes share: ranges, and numbers in JSON. */
#ifndef ENGINE_RECIPE_INTERNAL_H
#define ENGINE_RECIPE_INTERNAL_H

#include "base/buf.h"

#include <stdbool.h>

/* False for NaN. */
static inline bool recipe_in_range(float x, float low, float high)
{
    return x >= low && x <= high;
}

/* As written by a person: seven digits, not the float's expansion. */
double recipe_plain(float x);

/* ,"name":value */
void recipe_member(struct buf *out, const char *name, double value);
#endif

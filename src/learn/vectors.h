/* Operations on many vectors, one after the other in memory. */
#ifndef LEARN_VECTORS_H
#define LEARN_VECTORS_H

#include <stdbool.h>
#include <stdint.h>

float vectors_dot(const float *a, const float *b, uint32_t dimensions);

/* to += by from; they do not overlap. */
void vectors_add(float *to, const float *from, float by, uint32_t dimensions);

/* One over the length; 0 for no length. */
float vectors_scale(const float *v, uint32_t dimensions);

/* Deals vectors into leaves of neighbours by a tree of splits at the median of the direction in
 * which they spread most. order[dealt]: numbers of vectors of [count x dimensions], afterwards leaf
 * by leaf, `leaf` in each but the last. Lengths do not matter. False: out of memory. */
bool vectors_partition(const float *vectors, uint32_t count, uint32_t dimensions, uint32_t leaf,
                       uint32_t *order, uint32_t dealt);

#endif

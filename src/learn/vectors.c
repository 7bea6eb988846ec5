/* The direction of a split is the leading principal component of a sample, by a few rounds of the
 * power method from the coordinate that varies most. Cost: 2 dimensions flops a vector and level.
 */
#include "vectors.h"

#include "base/mem.h"
#include "select.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE 1024
#define ROUNDS 5
#define LANES  8

struct splitter {
    const float *vectors;
    float *scale; /* [count] */
    uint32_t dimensions, leaf;
    uint32_t *order;
    uint64_t *entry;                 /* [dealt] */
    float *mean, *direction, *moved; /* [dimensions] */
};

float vectors_dot(const float *a, const float *b, uint32_t dimensions)
{
    float sum[LANES] = {0};
    uint32_t k = 0;
    for (; k + LANES <= dimensions; k += LANES)
        for (uint32_t x = 0; x < LANES; x++)
            sum[x] += a[k + x] * b[k + x];
    for (; k < dimensions; k++)
        sum[0] += a[k] * b[k];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]) + (sum[4] + sum[5]) + (sum[6] + sum[7]);
}

/* As wide as the smallest vector registers. */
typedef float lanes __attribute__((vector_size(16)));
#define WIDTH (sizeof(lanes) / sizeof(float))

void vectors_add(float *to, const float *from, float by, uint32_t dimensions)
{
    uint32_t k = 0;
    for (lanes x, y; k + WIDTH <= dimensions; k += WIDTH) {
        memcpy(&x, to + k, sizeof x);
        memcpy(&y, from + k, sizeof y);
        x += y * by;
        memcpy(to + k, &x, sizeof x);
    }
    for (; k < dimensions; k++)
        to[k] += by * from[k];
}

float vectors_scale(const float *v, uint32_t dimensions)
{
    float square = vectors_dot(v, v, dimensions);
    return square > 0 ? 1 / sqrtf(square) : 0;
}

static const float *vector_at(const struct splitter *s, uint32_t place)
{
    return s->vectors + (size_t)s->order[place] * s->dimensions;
}

/* mean[] of the sample, and in direction[] the coordinate that varies most. */
static void begin_direction(struct splitter *s, uint32_t begin, uint32_t end, uint32_t step)
{
    uint32_t sampled = (end - begin + step - 1) / step, widest = 0;
    memset(s->mean, 0, s->dimensions * sizeof *s->mean);
    memset(s->moved, 0, s->dimensions * sizeof *s->moved);
    for (uint32_t p = begin; p < end; p += step) {
        const float *v = vector_at(s, p);
        float scale = s->scale[s->order[p]];
        for (uint32_t k = 0; k < s->dimensions; k++) {
            float x = v[k] * scale;
            s->mean[k] += x / (float)sampled;
            s->moved[k] += x * x / (float)sampled;
        }
    }
    for (uint32_t k = 0; k < s->dimensions; k++) {
        s->moved[k] -= s->mean[k] * s->mean[k];
        s->direction[k] = 0;
        widest = s->moved[k] > s->moved[widest] ? k : widest;
    }
    s->direction[widest] = 1;
}

static float along(const struct splitter *s, uint32_t place)
{
    return vectors_dot(vector_at(s, place), s->direction, s->dimensions) *
           s->scale[s->order[place]];
}

static void find_direction(struct splitter *s, uint32_t begin, uint32_t end)
{
    uint32_t step = (end - begin + SAMPLE - 1) / SAMPLE;
    begin_direction(s, begin, end, step);
    for (int n = 0; n < ROUNDS; n++) {
        float middle = vectors_dot(s->mean, s->direction, s->dimensions);
        memset(s->moved, 0, s->dimensions * sizeof *s->moved);
        for (uint32_t p = begin; p < end; p += step) {
            const float *v = vector_at(s, p);
            float by = along(s, p) - middle, scale = s->scale[s->order[p]];
            for (uint32_t k = 0; k < s->dimensions; k++)
                s->moved[k] += by * (v[k] * scale - s->mean[k]);
        }
        float scale = vectors_scale(s->moved, s->dimensions);
        if (scale == 0)
            return; /* all alike */
        for (uint32_t k = 0; k < s->dimensions; k++)
            s->direction[k] = s->moved[k] * scale;
    }
}

/* At the whole number of leaves next to the middle. */
static void split(struct splitter *s, uint32_t begin, uint32_t end)
{
    const uint32_t leaf = s->leaf;
    assert(leaf > 0);
    while (end - begin > leaf) {
        uint32_t leaves = (end - begin + leaf - 1) / leaf, first = leaves / 2 * leaf;
        find_direction(s, begin, end);
        for (uint32_t p = begin; p < end; p++)
            s->entry[p - begin] = select_entry(s->order[p], along(s, p));
        select_best(s->entry, end - begin, first);
        for (uint32_t p = begin; p < end; p++)
            s->order[p] = select_item(s->entry[p - begin]);
        split(s, begin, begin + first);
        begin += first;
    }
}

bool vectors_partition(const float *vectors, uint32_t count, uint32_t dimensions, uint32_t leaf,
                       uint32_t *order, uint32_t dealt)
{
    struct splitter s = {
        .vectors = vectors, .dimensions = dimensions, .leaf = leaf, .order = order};
    MEM_NEW(s.scale, count);
    MEM_NEW(s.entry, dealt);
    MEM_NEW(s.mean, dimensions);
    MEM_NEW(s.direction, dimensions);
    MEM_NEW(s.moved, dimensions);
    bool good = s.scale && s.entry && s.mean && s.direction && s.moved;
    for (size_t i = 0; good && i < count; i++)
        s.scale[i] = vectors_scale(vectors + i * dimensions, dimensions);
    if (good)
        split(&s, 0, dealt);
    free(s.scale);
    free(s.entry);
    free(s.mean);
    free(s.direction);
    free(s.moved);
    return good;
}

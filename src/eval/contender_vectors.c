/* Out-vectors lie in blocks of 16 items, dimension by dimension, so that 16 scores grow together in
 * vector registers. */
#include "eval/contender_vectors.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK          16
#define DECAY_LEAST    1e-3f
#define DIMENSIONS_MAX 512

struct state {
    struct embeddings vectors; /* out is freed once it lies in blocks */
    float decay;
    float *blocks; /* [blocks x dimensions x BLOCK] */
};

static void deinit(void *context)
{
    struct state *s = context;
    embeddings_deinit(&s->vectors);
    free(s->blocks);
    free(s);
}

static void gather(const struct state *s, const uint32_t *context, uint64_t count, float *x)
{
    uint32_t dimensions = s->vectors.dimensions;
    float weight = 1;
    memset(x, 0, dimensions * sizeof *x);
    for (uint64_t k = count; k-- > 0 && weight >= DECAY_LEAST; weight *= s->decay)
        for (uint32_t d = 0; d < dimensions; d++)
            x[d] += weight * s->vectors.in[(size_t)context[k] * dimensions + d];
}

static void score(void *context, const struct split *split, uint32_t question, float *scores,
                  uint32_t worker)
{
    const struct state *s = context;
    struct span given = split->questions.context[question];
    uint32_t items = s->vectors.item_count, dimensions = s->vectors.dimensions;
    float x[DIMENSIONS_MAX];
    (void)worker;
    gather(s, split->questions.item + given.begin, given.end - given.begin, x);
    const float *from = s->blocks;
    for (uint32_t begin = 0; begin < items; begin += BLOCK) {
        float sum[BLOCK] = {0};
        for (uint32_t d = 0; d < dimensions; d++, from += BLOCK)
            for (int n = 0; n < BLOCK; n++)
                sum[n] += x[d] * from[n];
        uint32_t left = items - begin < BLOCK ? items - begin : BLOCK;
        memcpy(scores + begin, sum, left * sizeof *sum);
    }
}

static void fill_blocks(struct state *s)
{
    uint32_t dimensions = s->vectors.dimensions;
    for (uint32_t j = 0; j < s->vectors.item_count; j++)
        for (uint32_t d = 0; d < dimensions; d++)
            s->blocks[((size_t)(j / BLOCK) * dimensions + d) * BLOCK + j % BLOCK] =
                s->vectors.out[(size_t)j * dimensions + d];
}

int contender_vectors(const char *name, struct embeddings *vectors, float decay,
                      struct contender *out, struct error *err)
{
    struct state *s;
    size_t room = ((size_t)vectors->item_count + BLOCK - 1) / BLOCK * BLOCK * vectors->dimensions;
    if (!MEM_ZNEW(s, 1)) {
        embeddings_deinit(vectors);
        return error_set(err, ERR_NOMEM, "contender: out of memory");
    }
    *s = (struct state){.vectors = *vectors, .decay = decay};
    if (vectors->dimensions > DIMENSIONS_MAX || !MEM_ZNEW(s->blocks, room)) {
        deinit(s);
        return error_set(err, ERR_NOMEM, "contender: out of memory");
    }
    fill_blocks(s);
    free(s->vectors.out);
    s->vectors.out = NULL;
    *out = (struct contender){.name = name, .state = s, .score = score, .deinit = deinit};
    out->cost.bytes = 2 * room * sizeof *s->blocks;
    return 0;
}

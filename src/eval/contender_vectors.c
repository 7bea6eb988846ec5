/* Out-vectors lie in blocks of 16 items, dimension by dimension, so that 16 scores grow together in
 * vector registers. */
#include "eval/contender_vectors.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "data/baskets.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK          16
#define DECAY_LEAST    1e-3f
#define DIMENSIONS_MAX 512

struct folding { /* of one worker */
    double *room;
    uint32_t *item; /* [most items of a context] */
};

struct state {
    struct embeddings vectors; /* out is freed once it lies in blocks */
    float decay;
    float *blocks;    /* [blocks x dimensions x BLOCK] */
    struct ials ials; /* for folding in; its units' vectors are freed */
    struct folding folding[PARALLEL_WORKERS_MAX];
};

static void deinit(void *context)
{
    struct state *s = context;
    embeddings_deinit(&s->vectors);
    free(s->blocks);
    ials_deinit(&s->ials);
    for (uint32_t w = 0; w < PARALLEL_WORKERS_MAX; w++) {
        free(s->folding[w].room);
        free(s->folding[w].item);
    }
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

/* scores[j] = x · out_j */
static void score_all(const struct state *s, const float *x, float *scores)
{
    uint32_t items = s->vectors.item_count, dimensions = s->vectors.dimensions;
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

static void score(void *context, const struct split *split, uint32_t question, float *scores,
                  uint32_t worker)
{
    const struct state *s = context;
    struct span given = split->questions.context[question];
    float x[DIMENSIONS_MAX];
    (void)worker;
    gather(s, split->questions.item + given.begin, given.end - given.begin, x);
    score_all(s, x, scores);
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
    s->vectors = *vectors;
    s->decay = decay;
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

/* The context as a unit of its own. */
static void score_unit(void *context, const struct split *split, uint32_t question, float *scores,
                       uint32_t worker)
{
    struct state *s = context;
    const struct questions *q = &split->questions;
    struct folding *f = &s->folding[worker];
    struct span given = q->context[question];
    float x[DIMENSIONS_MAX];
    uint64_t count = given.end - given.begin;
    memcpy(f->item, q->item + given.begin, count * sizeof *f->item);
    count = basket_row_sort(f->item, count);
    if (!ials_fold_in(&s->ials, f->item, (uint32_t)count, f->room, x))
        memset(x, 0, s->vectors.dimensions * sizeof *x);
    score_all(s, x, scores);
}

static bool prepare_folding(struct state *s, const struct split *split, uint32_t workers)
{
    const struct questions *q = &split->questions;
    size_t dimensions = s->vectors.dimensions;
    uint64_t most = 0;
    for (uint32_t i = 0; i < q->count; i++)
        if (q->context[i].end - q->context[i].begin > most)
            most = q->context[i].end - q->context[i].begin;
    for (uint32_t w = 0; w < workers; w++)
        if (!MEM_NEW(s->folding[w].room, dimensions * dimensions + dimensions) ||
            !MEM_NEW(s->folding[w].item, most))
            return false;
    return true;
}

int contender_ials(const char *name, struct ials *ials, const struct split *split, uint32_t threads,
                   struct contender *out, struct error *err)
{
    struct embeddings vectors = {
        .item_count = ials->item_count,
        .dimensions = ials->params.dimensions,
        .out = mem_copy(ials->item,
                        (size_t)ials->item_count * ials->params.dimensions * sizeof *ials->item)};
    int rc = vectors.out ? contender_vectors(name, &vectors, 1, out, err)
                         : error_set(err, ERR_NOMEM, "contender: out of memory");
    if (rc) {
        ials_deinit(ials);
        return rc;
    }
    struct state *s = out->state;
    s->ials = *ials;
    *ials = (struct ials){0};
    free(s->ials.unit);
    s->ials.unit = NULL;
    out->score = score_unit;
    if (prepare_folding(s, split, parallel_workers(threads)))
        return 0;
    contender_deinit(out);
    return error_set(err, ERR_NOMEM, "contender: out of memory");
}

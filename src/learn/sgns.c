/* Training goes in rounds, each of pairs dealt into strata (sgns_internal.h): step s of a round
 * takes the strata (b, b + s) for all b at once; no two share a row.
 *
 * What a stratum does depends on its pairs and its own generator only, so the result is the same
 * for any number of threads. Cost: pairs x (1 + negatives) x 6 dimensions flops; where the vectors
 * do not fit the cache, the time of fetching them, so the next pair is drawn and fetched ahead.
 * Memory: the vectors and 16 bytes for each pair of a round. */
#include "learn/sgns.h"

#include "base/mem.h"
#include "sgns_internal.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_DIMENSIONS 64
#define DEFAULT_EPOCHS     5
#define DEFAULT_PAIRS      5
#define DEFAULT_NEGATIVES  5
#define DEFAULT_MAX_PAIRS  40000000u
#define DEFAULT_RATE       0.05f
#define DEFAULT_POWER      0.75f
#define DIMENSIONS_MAX     512
#define NEGATIVES_MAX      32

struct trainer {
    struct sgns_params p;
    struct embeddings *e;
    struct deal deal;
    uint64_t done_pairs; /* in earlier rounds */
    uint32_t step;
    struct cursor cursor;
    int status[PARALLEL_WORKERS_MAX];
};

/* As wide as the smallest vector registers: wider ones would be kept in memory by the compiler. */
typedef float vector __attribute__((vector_size(16)));

static vector load(const float *from)
{
    vector v;
    memcpy(&v, from, sizeof v);
    return v;
}

static void store(float *to, vector v)
{
    memcpy(to, &v, sizeof v);
}

void sgns_step(const float *in, float *out, float *move, uint32_t dimensions, float label,
               float rate)
{
    vector even = {0}, odd = {0};
    for (uint32_t k = 0; k < dimensions; k += 8) {
        even += load(in + k) * load(out + k);
        odd += load(in + k + 4) * load(out + k + 4);
    }
    even += odd;
    float dot = (even[0] + even[2]) + (even[1] + even[3]);
    float step = rate * (label - 1 / (1 + expf(-dot)));
    vector by = {step, step, step, step};
    for (uint32_t k = 0; k < dimensions; k += 4) {
        vector before = load(out + k);
        store(move + k, load(move + k) + before * by);
        store(out + k, before + load(in + k) * by);
    }
}

static void add_move(float *in, const float *move, uint32_t dimensions)
{
    for (uint32_t k = 0; k < dimensions; k++)
        in[k] += move[k];
}

/* A pair and its negatives, drawn one ahead of the arithmetic. */
struct sample {
    struct deal_pair pair;
    uint32_t negative[NEGATIVES_MAX];
};

static void prefetch(const float *row, uint32_t dimensions)
{
    for (uint32_t k = 0; k < dimensions; k += 16)
        __builtin_prefetch(row + k, 1);
}

struct stratum {
    const struct deal_noise *noise; /* of the out-block */
    uint32_t noise_count, negatives, dimensions;
    struct rng rng;
    float *in, *out, rate;
};

static void draw_sample(struct stratum *s, struct deal_pair pair, struct sample *sample)
{
    sample->pair = pair;
    for (uint32_t k = 0; k < s->negatives; k++) {
        uint64_t random = rng_u64(&s->rng);
        const struct deal_noise *column = &s->noise[(random >> 32) * s->noise_count >> 32];
        sample->negative[k] = (uint32_t)random <= column->accept ? column->item : column->alias;
        prefetch(s->out + (size_t)sample->negative[k] * s->dimensions, s->dimensions);
    }
    prefetch(s->in + (size_t)pair.in * s->dimensions, s->dimensions);
    prefetch(s->out + (size_t)pair.out * s->dimensions, s->dimensions);
}

static void learn_sample(const struct stratum *s, const struct sample *sample)
{
    float move[DIMENSIONS_MAX] __attribute__((aligned(32)));
    float *in = s->in + (size_t)sample->pair.in * s->dimensions;
    memset(move, 0, s->dimensions * sizeof *move);
    sgns_step(in, s->out + (size_t)sample->pair.out * s->dimensions, move, s->dimensions, 1,
              s->rate);
    for (uint32_t k = 0; k < s->negatives; k++)
        if (sample->negative[k] != sample->pair.out)
            sgns_step(in, s->out + (size_t)sample->negative[k] * s->dimensions, move, s->dimensions,
                      0, s->rate);
    add_move(in, move, s->dimensions);
}

static float rate_at(const struct trainer *t)
{
    double in_round = (double)t->deal.pair_count * t->step / t->deal.blocks;
    double done = ((double)t->done_pairs + in_round) / (double)t->deal.total_pairs;
    return t->p.rate * (float)(done < 0.999 ? 1 - done : 0.001);
}

static void learn_stratum(struct trainer *t, uint32_t in_block)
{
    const struct deal *deal = &t->deal;
    uint32_t out_block = (in_block + t->step) % deal->blocks;
    uint32_t number = in_block * deal->blocks + out_block;
    const struct deal_pair *pair = deal->dealt + deal->stratum[number];
    uint32_t count = deal->stratum[number + 1] - deal->stratum[number];
    uint32_t first = deal_block_start(deal, out_block);
    struct stratum s = {.noise = deal->noise + first,
                        .noise_count = deal_block_start(deal, out_block + 1) - first,
                        .negatives = t->p.negatives,
                        .dimensions = t->e->dimensions,
                        .in = t->e->in,
                        .out = t->e->out,
                        .rate = rate_at(t)};
    struct sample samples[2] = {0};
    deal_seed(&s.rng, t->p.seed, STREAM_STRATUM, deal->round << 20 | number);
    for (uint32_t k = 0; k < count; k++) {
        draw_sample(&s, pair[k], &samples[k % 2]);
        if (k > 0)
            learn_sample(&s, &samples[(k - 1) % 2]);
    }
    if (count)
        learn_sample(&s, &samples[(count - 1) % 2]);
}

static void learn_step(void *context, uint32_t worker)
{
    struct trainer *t = context;
    uint64_t begin, end;
    while (t->status[worker] == 0 && cursor_take(&t->cursor, &begin, &end)) {
        learn_stratum(t, (uint32_t)begin);
        if (progress_cancelled(t->p.progress))
            t->status[worker] = ERR_CANCELLED;
    }
}

static int train_round(struct trainer *t)
{
    struct deal *deal = &t->deal;
    int rc = deal_round(deal);
    if (rc)
        return rc;
    for (t->step = 0; t->step < deal->blocks; t->step++) {
        cursor_init(&t->cursor, deal->blocks, 1);
        parallel_run(deal->workers, learn_step, t);
        for (uint32_t w = 0; w < deal->workers; w++)
            if (t->status[w])
                return t->status[w];
    }
    deal->round++;
    t->done_pairs += deal->pair_count;
    return progress_step(t->p.progress, deal->pair_count) ? ERR_CANCELLED : 0;
}

static bool init_vectors(struct trainer *t)
{
    size_t count = (size_t)t->e->item_count * t->e->dimensions;
    struct rng r;
    MEM_NEW(t->e->in, count);
    MEM_ZNEW(t->e->out, count);
    if (!t->e->in || !t->e->out)
        return false;
    deal_seed(&r, t->p.seed, STREAM_VECTORS, 0);
    for (size_t k = 0; k < count; k++)
        t->e->in[k] = (rng_unitf(&r) - 0.5f) / (float)t->e->dimensions;
    return true;
}

static int train(struct trainer *t)
{
    if (!init_vectors(t) || deal_init(&t->deal) != 0)
        return ERR_NOMEM;
    progress_begin(t->p.progress, "training embeddings", t->deal.total_pairs);
    while (t->done_pairs < t->deal.total_pairs) {
        int status = train_round(t);
        if (status)
            return status;
    }
    return 0;
}

static void with_defaults(struct sgns_params *p)
{
    p->dimensions = p->dimensions ? p->dimensions : DEFAULT_DIMENSIONS;
    p->epochs = p->epochs ? p->epochs : DEFAULT_EPOCHS;
    p->pairs = p->pairs ? p->pairs : DEFAULT_PAIRS;
    p->negatives = p->negatives ? p->negatives : DEFAULT_NEGATIVES;
    p->max_pairs = p->max_pairs ? p->max_pairs : DEFAULT_MAX_PAIRS;
    p->rate = p->rate != 0 ? p->rate : DEFAULT_RATE;
    p->power = p->power != 0 ? p->power : DEFAULT_POWER;
    p->seed = p->seed ? p->seed : 1;
}

static int check_params(const struct sgns_params *p, struct error *err)
{
    if (p->dimensions % 8 || p->dimensions > DIMENSIONS_MAX)
        return error_set(err, ERR_INVALID,
                         "embeddings: %u dimensions are not a multiple of 8 "
                         "up to %d",
                         p->dimensions, DIMENSIONS_MAX);
    if (p->negatives > NEGATIVES_MAX)
        return error_set(err, ERR_INVALID, "embeddings: %u negatives are more than %d",
                         p->negatives, NEGATIVES_MAX);
    if (!(p->rate > 0 && p->rate <= 1))
        return error_set(err, ERR_INVALID, "embeddings: rate %g is not in (0,1]", (double)p->rate);
    if (!(p->power >= -2 && p->power <= 2))
        return error_set(err, ERR_INVALID, "embeddings: power %g is not in [-2,2]",
                         (double)p->power);
    return 0;
}

int sgns_train(const struct dataset *d, const struct sgns_params *params, struct embeddings *out,
               struct error *err)
{
    struct trainer *t;
    struct embeddings made = {.item_count = d->item_count};
    if (!MEM_ZNEW(t, 1))
        return error_set(err, ERR_NOMEM, "embeddings: out of memory");
    t->p = *params;
    t->e = &made;
    with_defaults(&t->p);
    t->deal = (struct deal){.d = d,
                            .seed = t->p.seed,
                            .power = t->p.power,
                            .workers = parallel_workers(params->threads),
                            .pairs = t->p.pairs,
                            .epochs = t->p.epochs,
                            .max_pairs = t->p.max_pairs};
    int status = check_params(&t->p, err);
    made.dimensions = t->p.dimensions;
    if (status == 0)
        status = train(t);
    deal_deinit(&t->deal);
    free(t);
    if (status == 0) {
        *out = made;
        return 0;
    }
    embeddings_deinit(&made);
    return error_set(err, status, "embeddings: %s",
                     status == ERR_NOMEM ? "out of memory" : "cancelled");
}

uint64_t sgns_estimate_bytes(const struct dataset_shape *shape, const struct sgns_params *params)
{
    struct sgns_params p = *params;
    with_defaults(&p);
    uint64_t total = shape->lines * p.pairs * p.epochs;
    uint64_t round = deal_round_pairs(total < p.max_pairs ? total : p.max_pairs);
    uint64_t vectors = 8ULL * shape->items * p.dimensions;
    return vectors + 33 * shape->items + 4 * shape->orders + (16 + 8) * round;
}

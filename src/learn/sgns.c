/* Training goes in rounds. A round
 *
 *   1. draws baskets until it has its number of pairs, then the pairs, piece by piece: each piece
 *      has its own generator, so who draws it does not matter;
 *   2. deals the items into blocks at random, anew each round, and the pairs into strata (block of
 *      the in-item, block of the out-item);
 *   3. makes a noise distribution for each block (Vose's alias method): negatives come from the
 *      block of the positive, and over the rounds from everywhere;
 *   4. trains: step s takes the strata (b, b + s) for all b at once; no two share a row.
 *
 * What a stratum does depends on its pairs and its own generator only, so the result is the same
 * for any number of threads. Cost: pairs x (1 + negatives) x 6 dimensions flops; where the vectors
 * do not fit the cache, the time of fetching them, so the next pair is drawn and fetched ahead.
 * Memory: the vectors and 16 bytes for each pair of a round. */
#include "learn/sgns.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "base/rng.h"

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
/* More blocks let more threads work; smaller ones make worse noise. */
#define BLOCKS_MAX      16
#define ITEMS_PER_BLOCK 64
#define ROUND_PAIRS_MAX (1u << 20)
#define ROUND_PAIRS_MIN 1024
#define ROUNDS_AT_LEAST 64
#define BASKETS_A_PIECE 64
#define STREAM_VECTORS  1 /* what a generator is for, so that none repeats another */
#define STREAM_ROUND    2
#define STREAM_PIECE    3
#define STREAM_STRATUM  4

struct pair {
    uint32_t in, out;
};

/* One column of Vose's table: the item with probability accept / 2^32, else the alias. */
struct noise {
    uint32_t item, alias, accept;
};

struct trainer {
    const struct dataset *d;
    struct sgns_params p;
    struct embeddings *e;
    uint32_t workers, blocks;
    float *noise_weight; /* [items] n_j^power */
    uint32_t *order;     /* [items] the items block by block */
    uint8_t *block_of;   /* [items] */
    struct noise *noise; /* [items] the blocks' tables, one after the other */
    uint32_t *usable;    /* baskets of two items or more */
    uint32_t usable_count;
    uint64_t total_pairs; /* of the whole training, expected */
    uint64_t done_pairs;  /* in earlier rounds */
    /* the round */
    uint64_t round;
    uint32_t round_pairs; /* wanted */
    uint32_t pair_count;  /* had */
    uint32_t *basket;     /* [basket_count] drawn */
    uint32_t *first_pair; /* [basket_count + 1] */
    uint32_t basket_count;
    struct pair *drawn, *dealt;
    uint32_t stratum[BLOCKS_MAX * BLOCKS_MAX + 1];
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

static void seed(struct rng *r, const struct trainer *t, uint64_t stream, uint64_t number)
{
    rng_seed(r, t->p.seed + 0x9E3779B97F4A7C15u * (stream + 8 * number));
}

/* Ordered pairs a basket gives when it is drawn. */
static uint32_t basket_pairs(const struct trainer *t, uint32_t basket)
{
    uint64_t size = t->d->baskets.start[basket + 1] - t->d->baskets.start[basket];
    if (size < 2)
        return 0;
    return (uint32_t)(size * (size - 1 < t->p.pairs ? size - 1 : t->p.pairs));
}

static void draw_baskets(struct trainer *t, struct rng *r)
{
    t->basket_count = t->pair_count = 0;
    while (t->pair_count < t->round_pairs) {
        uint32_t basket = t->usable[rng_below(r, t->usable_count)];
        t->basket[t->basket_count] = basket;
        t->first_pair[t->basket_count++] = t->pair_count;
        t->pair_count += basket_pairs(t, basket);
    }
}

static void draw_pairs_of(struct trainer *t, struct rng *r, uint32_t drawn)
{
    uint32_t basket = t->basket[drawn];
    const uint32_t *items = t->d->baskets.column + t->d->baskets.start[basket];
    uint32_t size = (uint32_t)(t->d->baskets.start[basket + 1] - t->d->baskets.start[basket]);
    uint32_t count = basket_pairs(t, basket), each = count ? count / size : 0;
    struct pair *to = t->drawn + t->first_pair[drawn];
    for (uint32_t k = 0; k < count; k++) {
        uint32_t in = k / each, out = rng_below(r, size - 1);
        *to++ = (struct pair){items[in], items[out + (out >= in)]};
    }
}

static void draw_pieces(void *context, uint32_t worker)
{
    struct trainer *t = context;
    uint64_t begin, end;
    (void)worker;
    while (cursor_take(&t->cursor, &begin, &end)) {
        struct rng r;
        seed(&r, t, STREAM_PIECE, t->round << 20 | begin / BASKETS_A_PIECE);
        for (uint64_t drawn = begin; drawn < end; drawn++)
            draw_pairs_of(t, &r, (uint32_t)drawn);
    }
}

static uint32_t block_start(const struct trainer *t, uint32_t block)
{
    return (uint32_t)((uint64_t)t->d->item_count * block / t->blocks);
}

/* Vose's tables: columns below the mean are filled up by those above. `small` and `large` are two
 * stacks in one array, from both ends. */
static void make_noise(struct noise *table, uint32_t count, const float *weight, uint32_t *stack,
                       double *scaled)
{
    double total = 0;
    uint32_t small = 0, large = count;
    for (uint32_t k = 0; k < count; k++)
        total += weight[table[k].item];
    for (uint32_t k = 0; k < count; k++) {
        scaled[k] = (double)weight[table[k].item] * count / total;
        if (scaled[k] < 1)
            stack[small++] = k;
        else
            stack[--large] = k;
    }
    while (small > 0 && large < count) {
        uint32_t low = stack[--small], high = stack[large++];
        table[low].accept = (uint32_t)(scaled[low] * UINT32_MAX);
        table[low].alias = table[high].item;
        scaled[high] -= 1 - scaled[low];
        if (scaled[high] < 1)
            stack[small++] = high;
        else
            stack[--large] = high;
    }
    for (; large < count; large++)
        table[stack[large]].accept = UINT32_MAX;
    while (small > 0) /* left by rounding only */
        table[stack[--small]].accept = UINT32_MAX;
}

/* New random blocks, with a noise table each. */
static bool deal_items(struct trainer *t, struct rng *r)
{
    uint32_t items = t->d->item_count, *stack;
    double *scaled;
    for (uint32_t k = items; k > 1; k--) {
        uint32_t other = rng_below(r, k), swap = t->order[other];
        t->order[other] = t->order[k - 1];
        t->order[k - 1] = swap;
    }
    MEM_NEW(stack, items);
    MEM_NEW(scaled, items);
    bool good = stack && scaled;
    for (uint32_t b = 0; good && b < t->blocks; b++) {
        uint32_t begin = block_start(t, b), end = block_start(t, b + 1);
        for (uint32_t k = begin; k < end; k++) {
            t->block_of[t->order[k]] = (uint8_t)b;
            t->noise[k] = (struct noise){t->order[k], t->order[k], 0};
        }
        make_noise(t->noise + begin, end - begin, t->noise_weight, stack, scaled);
    }
    free(stack);
    free(scaled);
    return good;
}

static void deal_pairs(struct trainer *t)
{
    uint32_t strata = t->blocks * t->blocks;
    uint32_t *next = t->stratum + 1; /* counts, then where a stratum grows, at last its end */
    memset(t->stratum, 0, sizeof t->stratum);
    for (uint32_t k = 0; k < t->pair_count; k++)
        next[t->block_of[t->drawn[k].in] * t->blocks + t->block_of[t->drawn[k].out]]++;
    uint32_t before = 0;
    for (uint32_t s = 0; s < strata; s++) {
        uint32_t count = next[s];
        next[s] = before;
        before += count;
    }
    for (uint32_t k = 0; k < t->pair_count; k++) {
        struct pair pair = t->drawn[k];
        t->dealt[next[t->block_of[pair.in] * t->blocks + t->block_of[pair.out]]++] = pair;
    }
}

/* A pair and its negatives, drawn one ahead of the arithmetic. */
struct sample {
    struct pair pair;
    uint32_t negative[NEGATIVES_MAX];
};

static void prefetch(const float *row, uint32_t dimensions)
{
    for (uint32_t k = 0; k < dimensions; k += 16)
        __builtin_prefetch(row + k, 1);
}

struct stratum {
    const struct noise *noise; /* of the out-block */
    uint32_t noise_count, negatives, dimensions;
    struct rng rng;
    float *in, *out, rate;
};

static void draw_sample(struct stratum *s, struct pair pair, struct sample *sample)
{
    sample->pair = pair;
    for (uint32_t k = 0; k < s->negatives; k++) {
        uint64_t random = rng_u64(&s->rng);
        const struct noise *column = &s->noise[(random >> 32) * s->noise_count >> 32];
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
    double in_round = (double)t->pair_count * t->step / t->blocks;
    double done = ((double)t->done_pairs + in_round) / (double)t->total_pairs;
    return t->p.rate * (float)(done < 0.999 ? 1 - done : 0.001);
}

static void learn_stratum(struct trainer *t, uint32_t in_block)
{
    uint32_t out_block = (in_block + t->step) % t->blocks;
    uint32_t number = in_block * t->blocks + out_block;
    const struct pair *pair = t->dealt + t->stratum[number];
    uint32_t count = t->stratum[number + 1] - t->stratum[number];
    uint32_t first = block_start(t, out_block);
    struct stratum s = {.noise = t->noise + first,
                        .noise_count = block_start(t, out_block + 1) - first,
                        .negatives = t->p.negatives,
                        .dimensions = t->e->dimensions,
                        .in = t->e->in,
                        .out = t->e->out,
                        .rate = rate_at(t)};
    struct sample samples[2] = {0};
    seed(&s.rng, t, STREAM_STRATUM, t->round << 20 | number);
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
    struct rng r;
    seed(&r, t, STREAM_ROUND, t->round);
    draw_baskets(t, &r);
    cursor_init(&t->cursor, t->basket_count, BASKETS_A_PIECE);
    parallel_run(t->workers, draw_pieces, t);
    if (!deal_items(t, &r))
        return ERR_NOMEM;
    deal_pairs(t);
    for (t->step = 0; t->step < t->blocks; t->step++) {
        cursor_init(&t->cursor, t->blocks, 1);
        parallel_run(t->workers, learn_step, t);
        for (uint32_t w = 0; w < t->workers; w++)
            if (t->status[w])
                return t->status[w];
    }
    t->round++;
    t->done_pairs += t->pair_count;
    return progress_step(t->p.progress, t->pair_count) ? ERR_CANCELLED : 0;
}

static uint32_t round_pairs_of(uint64_t total)
{
    uint64_t pairs = total / ROUNDS_AT_LEAST;
    pairs = pairs < ROUND_PAIRS_MAX ? pairs : ROUND_PAIRS_MAX;
    return (uint32_t)(pairs > ROUND_PAIRS_MIN ? pairs : ROUND_PAIRS_MIN);
}

/* Lists the usable baskets and counts the pairs of the whole training; *largest: of one basket. */
static void count_pairs(struct trainer *t, uint32_t *largest)
{
    uint64_t pairs = 0;
    *largest = 0;
    for (uint32_t b = 0; b < t->d->basket_count; b++) {
        uint32_t of_basket = basket_pairs(t, b);
        if (of_basket)
            t->usable[t->usable_count++] = b;
        *largest = of_basket > *largest ? of_basket : *largest;
        pairs += of_basket;
    }
    pairs *= t->p.epochs;
    t->total_pairs = pairs < t->p.max_pairs ? pairs : t->p.max_pairs;
}

static bool prepare(struct trainer *t)
{
    uint32_t items = t->d->item_count, largest;
    if (!MEM_NEW(t->usable, t->d->basket_count))
        return false;
    count_pairs(t, &largest);
    t->round_pairs = round_pairs_of(t->total_pairs);
    t->blocks = items / ITEMS_PER_BLOCK < BLOCKS_MAX ? items / ITEMS_PER_BLOCK : BLOCKS_MAX;
    t->blocks = t->blocks ? t->blocks : 1;
    MEM_NEW(t->noise_weight, items);
    MEM_NEW(t->order, items);
    MEM_NEW(t->block_of, items);
    MEM_NEW(t->noise, items);
    MEM_NEW(t->basket, t->round_pairs); /* each gives two pairs or more */
    MEM_NEW(t->first_pair, t->round_pairs);
    MEM_NEW(t->drawn, (size_t)t->round_pairs + largest);
    MEM_NEW(t->dealt, (size_t)t->round_pairs + largest);
    if (!t->noise_weight || !t->order || !t->block_of || !t->noise || !t->basket ||
        !t->first_pair || !t->drawn || !t->dealt)
        return false;
    for (uint32_t i = 0; i < items; i++) {
        t->noise_weight[i] = powf((float)t->d->item_orders[i], t->p.power);
        t->order[i] = i;
    }
    return true;
}

static bool init_vectors(struct trainer *t)
{
    size_t count = (size_t)t->e->item_count * t->e->dimensions;
    struct rng r;
    MEM_NEW(t->e->in, count);
    MEM_ZNEW(t->e->out, count);
    if (!t->e->in || !t->e->out)
        return false;
    seed(&r, t, STREAM_VECTORS, 0);
    for (size_t k = 0; k < count; k++)
        t->e->in[k] = (rng_unitf(&r) - 0.5f) / (float)t->e->dimensions;
    return true;
}

static int train(struct trainer *t)
{
    if (!init_vectors(t) || !prepare(t))
        return ERR_NOMEM;
    progress_begin(t->p.progress, "training embeddings", t->total_pairs);
    while (t->done_pairs < t->total_pairs) {
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
    t->d = d;
    t->p = *params;
    t->e = &made;
    t->workers = parallel_workers(params->threads);
    with_defaults(&t->p);
    int status = check_params(&t->p, err);
    made.dimensions = t->p.dimensions;
    if (status == 0)
        status = train(t);
    free(t->usable);
    free(t->noise_weight);
    free(t->order);
    free(t->block_of);
    free(t->noise);
    free(t->basket);
    free(t->first_pair);
    free(t->drawn);
    free(t->dealt);
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
    uint64_t round = round_pairs_of(total < p.max_pairs ? total : p.max_pairs);
    uint64_t vectors = 8ULL * shape->items * p.dimensions;
    return vectors + 33 * shape->items + 4 * shape->orders + (16 + 8) * round;
}

/* A batch of places shares its negatives, so that its scores and their gradients are three products
 * of matrices (batch x negatives x dimensions); the rest is gathering vectors and putting the moves
 * back, each vector once a batch. Cost: 6 negatives x dimensions flops a place and epoch, 90 % of
 * it sgemm. Memory: the vectors, 8 bytes a place, and the batch. */
#include "learn/softmax.h"

#include "base/mem.h"
#include "base/rng.h"
#include "blas.h"
#include "vectors.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_DIMENSIONS 64
#define DEFAULT_EPOCHS     5
#define DEFAULT_NEGATIVES  128
#define DEFAULT_WINDOW     30
#define DEFAULT_PLACES     4000000u
#define DEFAULT_DECAY      0.7f
#define DEFAULT_RATE       0.1f
#define DEFAULT_SHRINK     3e-3f
#define RATE_END           0.1f
#define DIMENSIONS_MAX     512
#define NEGATIVES_MAX      1024
#define WINDOW_MAX         100
#define BATCH              128
#define START_SPREAD       8 /* vectors start as normal numbers over this */

struct place {
    uint32_t row, at; /* item at of the row */
};

/* One side's vectors, and how the batch moves them. */
struct side {
    float *vector;   /* [items x dimensions] */
    float *square;   /* [items] sum of the mean squares of the moves: Adagrad's */
    uint32_t *slot;  /* [items] + 1 in the lists; 0: not moved by this batch */
    uint32_t *item;  /* [room] */
    float *gradient; /* [room x dimensions] */
    uint32_t count;
};

struct context {
    uint32_t item[WINDOW_MAX];
    float weight[WINDOW_MAX];
    uint32_t count;
};

struct trainer {
    const struct histories *h;
    struct softmax_params p;
    struct blas blas;
    struct rng rng;
    uint32_t items;
    struct side in, out;
    struct place *places;
    uint64_t place_count, done, total;
    /* the batch */
    uint32_t count;
    struct context *context; /* [BATCH] */
    uint32_t target[BATCH];
    float *u, *du;                 /* [BATCH x dimensions] contexts and their gradients */
    uint32_t *negative;            /* [negatives] */
    float *negatives, *dnegatives; /* [negatives x dimensions] */
    float *chance;                 /* [BATCH x negatives] scores, then chances */
};

static float *vector_of(const struct side *s, uint32_t item, uint32_t dimensions)
{
    return s->vector + (size_t)item * dimensions;
}

/* Where the gradient of an item's vector is summed up. */
static float *gradient_of(struct side *s, uint32_t item, uint32_t dimensions)
{
    if (!s->slot[item]) {
        s->item[s->count] = item;
        memset(s->gradient + (size_t)s->count * dimensions, 0, dimensions * sizeof(float));
        s->slot[item] = ++s->count;
    }
    return s->gradient + (size_t)(s->slot[item] - 1) * dimensions;
}

/* Items of an earlier time, newest first. What comes next is not among them: nobody is asked for
 * what they have. */
static void gather_context(const struct trainer *t, struct place place, struct context *c)
{
    const struct histories *h = t->h;
    uint64_t begin = h->start[place.row], at = begin + place.at, k = at;
    float weight = 1;
    c->count = 0;
    while (h->time_ms && k > begin && h->time_ms[k - 1] == h->time_ms[at])
        k--;
    for (; k > begin && c->count < t->p.window; weight *= t->p.decay) {
        uint32_t item = h->item[--k];
        if (item == h->item[at])
            continue;
        c->item[c->count] = item;
        c->weight[c->count++] = weight;
    }
}

static void gather_batch(struct trainer *t, const struct place *places)
{
    uint32_t d = t->p.dimensions;
    for (uint32_t b = 0; b < t->count; b++) {
        struct context *c = &t->context[b];
        float *u = t->u + (size_t)b * d;
        gather_context(t, places[b], c);
        t->target[b] = t->h->item[t->h->start[places[b].row] + places[b].at];
        memset(u, 0, d * sizeof *u);
        for (uint32_t k = 0; k < c->count; k++)
            vectors_add(u, vector_of(&t->in, c->item[k], d), c->weight[k], d);
    }
    for (uint32_t n = 0; n < t->p.negatives; n++) {
        t->negative[n] = rng_below(&t->rng, t->items);
        memcpy(t->negatives + (size_t)n * d, vector_of(&t->out, t->negative[n], d),
               d * sizeof *t->negatives);
    }
}

/* Scores of negatives become their chances; returns the chance of the target. */
static float soften(const struct trainer *t, uint32_t target, float own, float *score)
{
    uint32_t negatives = t->p.negatives;
    float stand_for = logf((float)t->items / (float)negatives), most = own, sum;
    for (uint32_t n = 0; n < negatives; n++) {
        score[n] = t->negative[n] == target ? -INFINITY : score[n] + stand_for;
        most = score[n] > most ? score[n] : most;
    }
    sum = expf(own - most);
    for (uint32_t n = 0; n < negatives; n++) {
        score[n] = expf(score[n] - most);
        sum += score[n];
    }
    for (uint32_t n = 0; n < negatives; n++)
        score[n] /= sum;
    return expf(own - most) / sum;
}

static void add_gradients(struct trainer *t, const float *missing)
{
    uint32_t d = t->p.dimensions;
    for (uint32_t n = 0; n < t->p.negatives; n++)
        vectors_add(gradient_of(&t->out, t->negative[n], d), t->dnegatives + (size_t)n * d, 1, d);
    for (uint32_t b = 0; b < t->count; b++) {
        const struct context *c = &t->context[b];
        const float *target = vector_of(&t->out, t->target[b], d);
        float *du = t->du + (size_t)b * d, *gradient = gradient_of(&t->out, t->target[b], d);
        vectors_add(du, target, -missing[b], d);
        vectors_add(gradient, t->u + (size_t)b * d, -missing[b], d);
        vectors_add(gradient, target, t->p.shrink, d);
        for (uint32_t k = 0; k < c->count; k++) {
            gradient = gradient_of(&t->in, c->item[k], d);
            vectors_add(gradient, du, c->weight[k], d);
            vectors_add(gradient, vector_of(&t->in, c->item[k], d), t->p.shrink, d);
        }
    }
}

static void move(struct side *s, float rate, uint32_t dimensions)
{
    for (uint32_t k = 0; k < s->count; k++) {
        const float *gradient = s->gradient + (size_t)k * dimensions;
        uint32_t item = s->item[k];
        s->square[item] += vectors_dot(gradient, gradient, dimensions) / (float)dimensions;
        if (s->square[item] > 0)
            vectors_add(vector_of(s, item, dimensions), gradient, -rate / sqrtf(s->square[item]),
                        dimensions);
        s->slot[item] = 0;
    }
    s->count = 0;
}

static void learn_batch(struct trainer *t, const struct place *places, uint32_t count)
{
    int d = (int)t->p.dimensions, negatives = (int)t->p.negatives, rows = (int)count;
    float missing[BATCH] = {0};
    t->count = count;
    gather_batch(t, places);
    t->blas.sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, negatives, d, 1, t->u, d,
                  t->negatives, d, 0, t->chance, negatives);
    for (uint32_t b = 0; b < count; b++) {
        float own = vectors_dot(t->u + (size_t)b * t->p.dimensions,
                                vector_of(&t->out, t->target[b], t->p.dimensions), t->p.dimensions);
        missing[b] = 1 - soften(t, t->target[b], own, t->chance + (size_t)b * t->p.negatives);
    }
    t->blas.sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, d, negatives, 1, t->chance,
                  negatives, t->negatives, d, 0, t->du, d);
    t->blas.sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, negatives, d, rows, 1, t->chance,
                  negatives, t->u, d, 0, t->dnegatives, d);
    add_gradients(t, missing);
    float done = (float)t->done / (float)t->total;
    float rate = t->p.rate * (1 - (1 - RATE_END) * done);
    move(&t->in, rate, t->p.dimensions);
    move(&t->out, rate, t->p.dimensions);
    t->done += count;
}

static void shuffle(struct trainer *t)
{
    for (uint64_t k = t->place_count; k > 1; k--) {
        uint64_t other = rng_below(&t->rng, (uint32_t)k);
        struct place swap = t->places[other];
        t->places[other] = t->places[k - 1];
        t->places[k - 1] = swap;
    }
}

static int train(struct trainer *t)
{
    progress_begin(t->p.progress, "training embeddings", t->total);
    for (uint32_t epoch = 0; epoch < t->p.epochs; epoch++) {
        shuffle(t);
        for (uint64_t k = 0; k < t->place_count; k += BATCH) {
            uint64_t left = t->place_count - k;
            uint32_t count = left < BATCH ? (uint32_t)left : BATCH;
            learn_batch(t, t->places + k, count);
            if (progress_step(t->p.progress, count))
                return ERR_CANCELLED;
        }
    }
    return 0;
}

static bool is_place(const struct histories *h, uint32_t row, uint64_t at)
{
    uint64_t begin = h->start[row];
    return at > begin && (!h->time_ms || h->time_ms[at] > h->time_ms[begin]);
}

static uint64_t count_places(const struct histories *h)
{
    uint64_t count = 0;
    for (uint32_t r = 0; r < h->count; r++)
        for (uint64_t at = h->start[r]; at < h->start[r + 1]; at++)
            count += is_place(h, r, at);
    return count;
}

/* All places, or as many as may be learnt from in one epoch, each as likely as any other. */
static int choose_places(struct trainer *t)
{
    const struct histories *h = t->h;
    uint64_t left = count_places(h), wanted;
    if (left * t->p.epochs > t->p.max_places)
        t->p.epochs = left < t->p.max_places ? (uint32_t)(t->p.max_places / left) : 1;
    wanted = left < t->p.max_places ? left : t->p.max_places;
    t->total = wanted * t->p.epochs;
    if (!MEM_NEW(t->places, wanted))
        return ERR_NOMEM;
    for (uint32_t r = 0; r < h->count; r++) {
        for (uint64_t at = h->start[r]; at < h->start[r + 1]; at++) {
            if (!is_place(h, r, at))
                continue;
            if (rng_unit(&t->rng) * (double)left-- < (double)(wanted - t->place_count))
                t->places[t->place_count++] = (struct place){r, (uint32_t)(at - h->start[r])};
        }
    }
    return 0;
}

static bool side_init(struct side *s, struct trainer *t, size_t room)
{
    size_t numbers = (size_t)t->items * t->p.dimensions;
    MEM_NEW(s->vector, numbers);
    MEM_ZNEW(s->square, t->items);
    MEM_ZNEW(s->slot, t->items);
    MEM_NEW(s->item, room);
    MEM_NEW(s->gradient, room * t->p.dimensions);
    if (!s->vector || !s->square || !s->slot || !s->item || !s->gradient)
        return false;
    for (size_t k = 0; k < numbers; k++)
        s->vector[k] = (float)rng_normal(&t->rng) / START_SPREAD;
    return true;
}

static void side_deinit(struct side *s)
{
    free(s->vector);
    free(s->square);
    free(s->slot);
    free(s->item);
    free(s->gradient);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool prepare(struct trainer *t)
{
    size_t d = t->p.dimensions, negatives = t->p.negatives;
    MEM_NEW(t->context, BATCH);
    MEM_NEW(t->u, BATCH * d);
    MEM_NEW(t->du, BATCH * d);
    MEM_NEW(t->negative, negatives);
    MEM_NEW(t->negatives, negatives * d);
    MEM_NEW(t->dnegatives, negatives * d);
    MEM_NEW(t->chance, BATCH * negatives);
    return t->context && t->u && t->du && t->negative && t->negatives && t->dnegatives &&
           t->chance && side_init(&t->in, t, smaller(t->items, (size_t)BATCH * t->p.window)) &&
           side_init(&t->out, t, smaller(t->items, BATCH + negatives));
}

static void trainer_deinit(struct trainer *t)
{
    side_deinit(&t->in);
    side_deinit(&t->out);
    free(t->places);
    free(t->context);
    free(t->u);
    free(t->du);
    free(t->negative);
    free(t->negatives);
    free(t->dnegatives);
    free(t->chance);
    free(t);
}

static void with_defaults(struct softmax_params *p)
{
    p->dimensions = p->dimensions ? p->dimensions : DEFAULT_DIMENSIONS;
    p->epochs = p->epochs ? p->epochs : DEFAULT_EPOCHS;
    p->negatives = p->negatives ? p->negatives : DEFAULT_NEGATIVES;
    p->window = p->window ? p->window : DEFAULT_WINDOW;
    p->max_places = p->max_places ? p->max_places : DEFAULT_PLACES;
    p->decay = p->decay != 0 ? p->decay : DEFAULT_DECAY;
    p->rate = p->rate != 0 ? p->rate : DEFAULT_RATE;
    p->shrink = p->shrink != 0 ? p->shrink : DEFAULT_SHRINK;
    p->seed = p->seed ? p->seed : 1;
}

static int check_params(const struct softmax_params *p, struct error *err)
{
    if (p->dimensions > DIMENSIONS_MAX || p->negatives > NEGATIVES_MAX || p->window > WINDOW_MAX)
        return error_set(err, ERR_INVALID,
                         "embeddings: at most %d dimensions, %d negatives and a window of %d",
                         DIMENSIONS_MAX, NEGATIVES_MAX, WINDOW_MAX);
    if (!(p->decay > 0 && p->decay <= 1) || !(p->rate > 0 && p->rate <= 1) ||
        !(p->shrink >= 0 && p->shrink <= 1))
        return error_set(err, ERR_INVALID,
                         "embeddings: decay %g, rate %g or shrink %g is not in (0,1]",
                         (double)p->decay, (double)p->rate, (double)p->shrink);
    return 0;
}

static int run(struct trainer *t)
{
    rng_seed(&t->rng, t->p.seed);
    if (!prepare(t))
        return ERR_NOMEM;
    int status = choose_places(t);
    return status ? status : train(t);
}

int softmax_train(const struct histories *h, const struct softmax_params *params,
                  struct embeddings *out, struct error *err)
{
    struct trainer *t;
    if (!MEM_ZNEW(t, 1))
        return error_set(err, ERR_NOMEM, "embeddings: out of memory");
    t->h = h;
    t->p = *params;
    t->items = h->item_count;
    with_defaults(&t->p);
    int status = check_params(&t->p, err);
    status = status ? status : blas_load(&t->blas, "embeddings", err);
    if (status == 0) {
        status = run(t);
        if (status)
            error_set(err, status, "embeddings: %s",
                      status == ERR_NOMEM ? "out of memory" : "cancelled");
    }
    if (status == 0) {
        *out = (struct embeddings){t->items, t->p.dimensions, t->in.vector, t->out.vector};
        t->in.vector = t->out.vector = NULL;
    }
    trainer_deinit(t);
    return status;
}

uint64_t softmax_estimate_bytes(const struct dataset_shape *shape,
                                const struct softmax_params *params)
{
    struct softmax_params p = *params;
    with_defaults(&p);
    uint64_t places = shape->lines < p.max_places ? shape->lines : p.max_places;
    uint64_t in = smaller(shape->items, (size_t)BATCH * p.window);
    uint64_t out = smaller(shape->items, BATCH + (size_t)p.negatives);
    uint64_t rows = 2 * shape->items + in + out + 2 * BATCH + 2 * (uint64_t)p.negatives;
    return sizeof(struct trainer) + 4 * p.dimensions * rows + 16 * shape->items + 4 * (in + out) +
           8 * places + 4 * (uint64_t)p.negatives +
           BATCH * (4ULL * p.negatives + sizeof(struct context));
}

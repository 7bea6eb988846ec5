#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "learn/softmax.h"
#include "support/madehistories.h"
#include "support/oom.h"
#include "support/walkers.h"

#define BATCH     128 /* as the learner's: the reference draws in the same order */
#define D         8
#define ITEMS     12
#define NEGATIVES 16
#define PAGES     (1 << 15) /* what large blocks are rounded up by */

/* The definition of the header in plain loops and double precision. */
struct reference {
    double in[ITEMS][D], out[ITEMS][D];
    double in_square[ITEMS], out_square[ITEMS];
};

/* One batch: what was drawn. */
struct drawn {
    uint32_t row[BATCH], count;
    uint64_t at[BATCH];
    uint32_t negative[NEGATIVES];
};

static const struct softmax_params usual = {
    .dimensions = D, .negatives = NEGATIVES, .window = 4, .epochs = 2, .decay = 0.6f, .seed = 3};

/* context[] = sum of decay^steps in-vectors; weight[i]: what item i counts in it. */
static void context_of(const struct histories *h, const struct reference *m, uint32_t row,
                       uint64_t at, double weight[ITEMS], double context[D])
{
    double now = 1;
    uint32_t taken = 0;
    memset(weight, 0, ITEMS * sizeof *weight);
    memset(context, 0, D * sizeof *context);
    for (uint64_t k = at; k-- > h->start[row] && taken < usual.window;) {
        if (h->time_ms[k] == h->time_ms[at])
            continue;
        if (h->item[k] != h->item[at]) {
            weight[h->item[k]] += now;
            taken++;
        }
        now *= (double)usual.decay;
    }
    for (uint32_t i = 0; i < ITEMS; i++)
        for (uint32_t k = 0; k < D; k++)
            context[k] += weight[i] * m->in[i][k];
}

static double score_of(const struct reference *m, const double *context, uint32_t item)
{
    double sum = 0;
    for (uint32_t k = 0; k < D; k++)
        sum += context[k] * m->out[item][k];
    return sum;
}

static double loss_of(const struct histories *h, const struct reference *m, const struct drawn *b)
{
    double loss = 0, weight[ITEMS], context[D];
    for (uint32_t p = 0; p < b->count; p++) {
        uint32_t target = h->item[b->at[p]];
        context_of(h, m, b->row[p], b->at[p], weight, context);
        double own = score_of(m, context, target), sum = exp(own);
        for (uint32_t n = 0; n < NEGATIVES; n++)
            if (b->negative[n] != target)
                sum += exp(score_of(m, context, b->negative[n])) * ITEMS / NEGATIVES;
        loss += log(sum) - own;
    }
    return loss;
}

/* How often each vector is in use, for the shrinking. */
static void count_uses(const struct histories *h, const struct drawn *b, double in[ITEMS],
                       double out[ITEMS], bool touched[2][ITEMS])
{
    memset(in, 0, ITEMS * sizeof *in);
    memset(out, 0, ITEMS * sizeof *out);
    memset(touched, 0, 2 * sizeof *touched);
    for (uint32_t n = 0; n < NEGATIVES; n++)
        touched[1][b->negative[n]] = true;
    for (uint32_t p = 0; p < b->count; p++) {
        uint32_t target = h->item[b->at[p]], taken = 0;
        out[target]++;
        touched[1][target] = true;
        for (uint64_t k = b->at[p]; k-- > h->start[b->row[p]] && taken < usual.window;) {
            if (h->time_ms[k] == h->time_ms[b->at[p]] || h->item[k] == target)
                continue;
            in[h->item[k]]++;
            touched[0][h->item[k]] = true;
            taken++;
        }
    }
}

/* The slope of the loss by central differences: nothing of the learner's own algebra. */
static double slope(const struct histories *h, struct reference *m, const struct drawn *b,
                    double *x)
{
    const double step = 1e-5;
    double kept = *x;
    *x = kept + step;
    double up = loss_of(h, m, b);
    *x = kept - step;
    double down = loss_of(h, m, b);
    *x = kept;
    return (up - down) / (2 * step);
}

static void move(double *vector, const double *gradient, double *square, double rate)
{
    double mean = 0;
    for (uint32_t k = 0; k < D; k++)
        mean += gradient[k] * gradient[k] / D;
    *square += mean;
    for (uint32_t k = 0; k<D && * square> 0; k++)
        vector[k] -= rate * gradient[k] / sqrt(*square);
}

static void learn(const struct histories *h, struct reference *m, const struct drawn *b,
                  double rate)
{
    double in[ITEMS][D], out[ITEMS][D], in_uses[ITEMS], out_uses[ITEMS];
    bool touched[2][ITEMS];
    count_uses(h, b, in_uses, out_uses, touched);
    for (uint32_t i = 0; i < ITEMS; i++) {
        for (uint32_t k = 0; k < D; k++) {
            in[i][k] = slope(h, m, b, &m->in[i][k]) + 0.003 * in_uses[i] * m->in[i][k];
            out[i][k] = slope(h, m, b, &m->out[i][k]) + 0.003 * out_uses[i] * m->out[i][k];
        }
    }
    for (uint32_t i = 0; i < ITEMS; i++) {
        if (touched[0][i])
            move(m->in[i], in[i], &m->in_square[i], rate);
        if (touched[1][i])
            move(m->out[i], out[i], &m->out_square[i], rate);
    }
}

struct places {
    uint32_t row[4096], count;
    uint64_t at[4096];
};

static void list_places(const struct histories *h, struct rng *r, struct places *places)
{
    places->count = 0;
    for (uint32_t row = 0; row < h->count; row++) {
        for (uint64_t at = h->start[row]; at < h->start[row + 1]; at++) {
            if (h->time_ms[at] == h->time_ms[h->start[row]])
                continue;
            rng_unit(r); /* the learner's choice, which here takes all */
            places->row[places->count] = row;
            places->at[places->count++] = at;
            assert_true(places->count < 4096);
        }
    }
}

static void shuffle(struct places *places, struct rng *r)
{
    for (uint32_t k = places->count; k > 1; k--) {
        uint32_t other = rng_below(r, k), row = places->row[other];
        uint64_t at = places->at[other];
        places->row[other] = places->row[k - 1];
        places->at[other] = places->at[k - 1];
        places->row[k - 1] = row;
        places->at[k - 1] = at;
    }
}

static void train_reference(const struct histories *h, struct reference *m)
{
    static struct places places;
    struct rng r;
    rng_seed(&r, usual.seed);
    *m = (struct reference){0};
    for (uint32_t k = 0; k < ITEMS * D; k++)
        m->in[k / D][k % D] = (double)((float)rng_normal(&r) / 8);
    for (uint32_t k = 0; k < ITEMS * D; k++)
        m->out[k / D][k % D] = (double)((float)rng_normal(&r) / 8);
    list_places(h, &r, &places);
    double done = 0, total = (double)places.count * usual.epochs;
    for (uint32_t epoch = 0; epoch < usual.epochs; epoch++) {
        shuffle(&places, &r);
        for (uint32_t begin = 0; begin < places.count; begin += BATCH) {
            struct drawn b = {.count = places.count - begin < BATCH ? places.count - begin : BATCH};
            memcpy(b.row, places.row + begin, b.count * sizeof *b.row);
            memcpy(b.at, places.at + begin, b.count * sizeof *b.at);
            for (uint32_t n = 0; n < NEGATIVES; n++)
                b.negative[n] = rng_below(&r, ITEMS);
            learn(h, m, &b, 0.1 * (1 - 0.9 * done / total));
            done += b.count;
        }
    }
}

static void train(const struct histories *h, struct softmax_params p, struct embeddings *e)
{
    struct error err = ERROR_INIT;
    int rc = softmax_train(h, &p, e, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
}

static void vectors_are_those_of_plain_loops_over_finite_differences(void **state)
{
    struct rng r;
    struct reference m;
    struct embeddings e;
    (void)state;
    rng_seed(&r, 11);
    for (int round = 0; round < 4; round++) {
        struct histories h = random_histories(&r, 40, ITEMS, 10);
        train_reference(&h, &m);
        train(&h, usual, &e);
        for (uint32_t k = 0; k < ITEMS * D; k++) {
            assert_true(fabs((double)e.in[k] - m.in[k / D][k % D]) < 1e-4);
            assert_true(fabs((double)e.out[k] - m.out[k / D][k % D]) < 1e-4);
        }
        embeddings_deinit(&e);
        histories_deinit(&h);
    }
}

/* The walkers buy what follows their last item in the ring. */
static void the_next_item_scores_best(void **state)
{
    const struct walkers shop = {.shoppers = 160, .items = 40, .steps = 12};
    struct dataset d = walkers_make(&shop, 5);
    struct histories h;
    struct embeddings e;
    struct csr rows;
    uint32_t found = 0;
    (void)state;
    assert_int_equal(histories_of_users(&d, &h, NULL), 0);
    train(&h, (struct softmax_params){.dimensions = 16}, &e);
    const struct embeddings_rows_params best = {.k = 5, .weight = EMBEDDINGS_MARGIN};
    assert_int_equal(embeddings_rows(&e, &best, &rows, NULL), 0);
    for (uint32_t i = 0; i < e.item_count; i++)
        found += rows.column[rows.start[i]] == (i + 1) % e.item_count;
    assert_true(found > e.item_count * 9 / 10);
    csr_deinit(&rows);
    embeddings_deinit(&e);
    histories_deinit(&h);
    dataset_deinit(&d);
}

static void max_places_bounds_the_work(void **state)
{
    struct rng r;
    struct embeddings e;
    struct progress progress;
    (void)state;
    rng_seed(&r, 2);
    struct histories h = random_histories(&r, 600, ITEMS, 10);
    progress_init(&progress);
    struct softmax_params p = {.dimensions = D, .max_places = 500, .progress = &progress};
    train(&h, p, &e);
    assert_int_equal(progress.total, 500);
    assert_int_equal(progress.done, 500);
    embeddings_deinit(&e);
    p.max_places = 5000; /* epochs in full, no more of them than fit */
    train(&h, p, &e);
    assert_in_range(progress.done, 2500, 5000);
    embeddings_deinit(&e);
    histories_deinit(&h);
}

static void equal_seeds_give_equal_vectors(void **state)
{
    struct rng r;
    struct embeddings one, same, other;
    (void)state;
    rng_seed(&r, 4);
    struct histories h = random_histories(&r, 100, ITEMS, 10);
    struct softmax_params p = usual;
    size_t bytes = sizeof(float) * ITEMS * D;
    train(&h, p, &one);
    train(&h, p, &same);
    p.seed++;
    train(&h, p, &other);
    assert_memory_equal(one.in, same.in, bytes);
    assert_memory_equal(one.out, same.out, bytes);
    assert_memory_not_equal(one.in, other.in, bytes);
    embeddings_deinit(&one);
    embeddings_deinit(&same);
    embeddings_deinit(&other);
    histories_deinit(&h);
}

/* One item again and again, histories of one item, no item at all. */
static void nothing_to_learn_from_leaves_finite_vectors(void **state)
{
    uint64_t start[] = {0, 1, 4};
    uint32_t item[] = {1, 0, 0, 0};
    struct histories h = {.count = 2, .item_count = 2, .start = start, .item = item};
    struct embeddings e;
    (void)state;
    train(&h, (struct softmax_params){.epochs = 50, .rate = 1}, &e);
    for (uint32_t k = 0; k < 2 * e.dimensions; k++)
        assert_true(isfinite(e.in[k]) && isfinite(e.out[k]));
    embeddings_deinit(&e);
    h = (struct histories){.start = start};
    train(&h, (struct softmax_params){0}, &e);
    assert_int_equal(e.item_count, 0);
    embeddings_deinit(&e);
}

static void parameters_out_of_range_are_refused(void **state)
{
    const struct softmax_params bad[] = {{.dimensions = 513}, {.negatives = 1025}, {.window = 101},
                                         {.decay = 1.1f},     {.decay = -1},       {.rate = 2},
                                         {.rate = NAN},       {.decay = NAN},      {.shrink = -1},
                                         {.shrink = NAN}};
    uint64_t start[] = {0, 0};
    struct histories h = {.count = 1, .item_count = 2, .start = start};
    (void)state;
    for (size_t x = 0; x < sizeof bad / sizeof *bad; x++) {
        struct embeddings e;
        struct error err = ERROR_INIT;
        assert_int_equal(softmax_train(&h, &bad[x], &e, &err), ERR_INVALID);
        assert_non_null(strstr(err.text, "embeddings: "));
    }
}

static void out_of_memory_is_an_error_everywhere(void **state)
{
    struct rng r;
    struct embeddings e;
    long failures = 0;
    (void)state;
    rng_seed(&r, 4);
    struct histories h = random_histories(&r, 30, ITEMS, 10);
    OOM_LOOP
    {
        int rc = softmax_train(&h, &usual, &e, NULL);
        failures += oom_fired();
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
        if (rc == 0)
            embeddings_deinit(&e);
    }
    assert_true(failures > 12);
    histories_deinit(&h);
}

static void cancelling_is_heeded(void **state)
{
    struct rng r;
    struct embeddings e;
    struct progress progress;
    struct error err = ERROR_INIT;
    (void)state;
    rng_seed(&r, 4);
    struct histories h = random_histories(&r, 30, ITEMS, 10);
    progress_init(&progress);
    progress_cancel(&progress);
    struct softmax_params p = {.progress = &progress};
    assert_int_equal(softmax_train(&h, &p, &e, &err), ERR_CANCELLED);
    assert_non_null(strstr(err.text, "cancelled"));
    histories_deinit(&h);
}

static void estimates_cover_what_is_made(void **state)
{
    struct rng r;
    (void)state;
    rng_seed(&r, 7);
    for (uint32_t items = 50; items <= 5000; items *= 10) {
        struct histories h = random_histories(&r, 3000, items, 20);
        struct dataset_shape shape = {.orders = h.count, .lines = h.start[h.count], .items = items};
        struct softmax_params p = {.dimensions = 32, .max_places = 2000};
        struct embeddings e;
        uint64_t said = softmax_estimate_bytes(&shape, &p);
        heap_watch();
        train(&h, p, &e);
        uint64_t most = heap_most();
        assert_in_range(said, most - PAGES, most + PAGES);
        embeddings_deinit(&e);
        histories_deinit(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_are_those_of_plain_loops_over_finite_differences),
        cmocka_unit_test(the_next_item_scores_best),
        cmocka_unit_test(max_places_bounds_the_work),
        cmocka_unit_test(equal_seeds_give_equal_vectors),
        cmocka_unit_test(nothing_to_learn_from_leaves_finite_vectors),
        cmocka_unit_test(parameters_out_of_range_are_refused),
        cmocka_unit_test(out_of_memory_is_an_error_everywhere),
        cmocka_unit_test(cancelling_is_heeded),
        cmocka_unit_test(estimates_cover_what_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

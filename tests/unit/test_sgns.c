#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "learn/sgns.h"
#include "support/oom.h"

#define GROUP      20
#define GOLDEN_IN  327.2205
#define GOLDEN_OUT 329.8422
#define GOLDEN_9   0.23521

/* Baskets of two to four items out of one of `groups` groups of GROUP items. */
static void grouped(uint32_t groups, uint32_t baskets, struct dataset *d)
{
    struct rng r;
    rng_seed(&r, 7);
    assert_int_equal(dataset_init(d, NULL, NULL), 0);
    for (uint32_t b = 0; b < baskets; b++) {
        uint32_t keys[4], count = 2 + rng_below(&r, 3), group = rng_below(&r, groups);
        for (uint32_t k = 0; k < count; k++)
            keys[k] = 1 + group * GROUP + rng_below(&r, GROUP);
        assert_int_equal(dataset_add(d, b, 0, keys, count, NULL), 0);
    }
    assert_int_equal(dataset_finish(d, NULL), 0);
    assert_int_equal(d->item_count, groups * GROUP);
}

static void train(const struct dataset *d, struct sgns_params p, struct embeddings *e)
{
    struct error err = ERROR_INIT;
    int rc = sgns_train(d, &p, e, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
}

static double dot(const float *a, const float *b, uint32_t dimensions)
{
    double sum = 0;
    for (uint32_t k = 0; k < dimensions; k++)
        sum += (double)a[k] * b[k];
    return sum;
}

static double loss(const float *in, const float *out, uint32_t dimensions, int label)
{
    double score = dot(in, out, dimensions);
    return log1p(exp(label ? -score : score));
}

static void a_step_follows_the_finite_differences_of_the_loss(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 1);
    for (int round = 0; round < 200; round++) {
        enum { D = 16 };
        float in[D], out[D], moved[D], move[D] = {0};
        int label = round % 2;
        for (int k = 0; k < D; k++) {
            in[k] = 2 * rng_unitf(&r) - 1;
            out[k] = 2 * rng_unitf(&r) - 1;
        }
        memcpy(moved, out, sizeof out);
        sgns_step(in, moved, move, D, (float)label, 0.5f);
        for (int k = 0; k < D; k++) {
            const float h = 1e-2f;
            float kept = in[k];
            in[k] = kept + h;
            double up = loss(in, out, D, label);
            in[k] = kept - h;
            double slope = (up - loss(in, out, D, label)) / (2 * (double)h);
            in[k] = kept;
            assert_true(fabs(move[k] + 0.5 * slope) < 1e-4);
            kept = out[k];
            out[k] = kept + h;
            up = loss(in, out, D, label);
            out[k] = kept - h;
            slope = (up - loss(in, out, D, label)) / (2 * (double)h);
            out[k] = kept;
            assert_true(fabs(moved[k] - out[k] + 0.5 * slope) < 1e-4);
        }
    }
}

/* Mean loss of all pairs within a group against pairs of two groups. */
static double mean_loss(const struct embeddings *e)
{
    double sum = 0;
    for (uint32_t i = 0; i < e->item_count; i++)
        for (uint32_t j = 0; j < e->item_count; j++)
            if (i != j)
                sum += loss(e->in + (size_t)i * e->dimensions, e->out + (size_t)j * e->dimensions,
                            e->dimensions, i / GROUP == j / GROUP) /
                       (i / GROUP == j / GROUP ? GROUP - 1 : e->item_count - GROUP);
    return sum / (2.0 * e->item_count);
}

static void the_loss_falls_and_groups_come_apart(void **state)
{
    (void)state;
    struct dataset d;
    struct embeddings first, last;
    grouped(10, 4000, &d);
    train(&d, (struct sgns_params){.dimensions = 16, .epochs = 1, .max_pairs = 64}, &first);
    train(&d, (struct sgns_params){.dimensions = 16, .epochs = 20}, &last);
    assert_true(fabs(mean_loss(&first) - log(2)) < 0.01);
    assert_true(mean_loss(&last) < 0.5 * log(2));
    for (uint32_t i = 0; i < last.item_count; i++) {
        double own = 0, other = 0;
        for (uint32_t j = 0; j < last.item_count; j++) {
            double score = dot(last.in + (size_t)i * 16, last.out + (size_t)j * 16, 16);
            if (i / GROUP != j / GROUP)
                other += score / (last.item_count - GROUP);
            else if (i != j)
                own += score / (GROUP - 1);
        }
        assert_true(own > other + 1);
    }
    embeddings_deinit(&first);
    embeddings_deinit(&last);
    dataset_deinit(&d);
}

static void threads_do_not_change_the_result(void **state)
{
    (void)state;
    struct dataset d;
    struct embeddings one, more, other;
    grouped(12, 1500, &d); /* 240 items: 3 blocks */
    struct sgns_params p = {.dimensions = 8, .epochs = 2, .threads = 1};
    train(&d, p, &one);
    size_t bytes = (size_t)one.item_count * one.dimensions * sizeof *one.in;
    for (p.threads = 2; p.threads <= 4; p.threads += 2) {
        train(&d, p, &more);
        assert_memory_equal(one.in, more.in, bytes);
        assert_memory_equal(one.out, more.out, bytes);
        embeddings_deinit(&more);
    }
    p.seed = 2;
    train(&d, p, &other);
    assert_memory_not_equal(one.in, other.in, bytes);
    embeddings_deinit(&one);
    embeddings_deinit(&other);
    dataset_deinit(&d);
}

/* Changes to the order of drawing or of adding show here; then these numbers are to be renewed. */
static void a_fixed_seed_gives_the_known_vectors(void **state)
{
    (void)state;
    struct dataset d;
    struct embeddings e;
    grouped(8, 1000, &d);
    train(&d, (struct sgns_params){.dimensions = 8, .epochs = 3, .seed = 5}, &e);
    double in = 0, out = 0;
    for (uint32_t k = 0; k < e.item_count * e.dimensions; k++) {
        in += fabs((double)e.in[k]);
        out += fabs((double)e.out[k]);
    }
    assert_true(fabs(in - GOLDEN_IN) < 0.01);
    assert_true(fabs(out - GOLDEN_OUT) < 0.01);
    assert_true(fabs((double)e.in[9] - GOLDEN_9) < 1e-4);
    embeddings_deinit(&e);
    dataset_deinit(&d);
}

static void max_pairs_bounds_the_work(void **state)
{
    (void)state;
    struct dataset d;
    struct embeddings e;
    struct progress progress;
    grouped(4, 3000, &d);
    progress_init(&progress);
    train(&d, (struct sgns_params){.dimensions = 8, .max_pairs = 5000, .progress = &progress}, &e);
    assert_int_equal(progress.total, 5000);
    assert_in_range(progress.done, 5000, 5000 + 1024 + 12);
    embeddings_deinit(&e);
    dataset_deinit(&d);
}

static void orders_of_one_item_teach_nothing(void **state)
{
    (void)state;
    struct dataset d;
    struct embeddings e;
    assert_int_equal(dataset_init(&d, NULL, NULL), 0);
    for (uint32_t k = 1; k <= 5; k++)
        assert_int_equal(dataset_add(&d, 0, 0, &k, 1, NULL), 0);
    assert_int_equal(dataset_finish(&d, NULL), 0);
    train(&d, (struct sgns_params){0}, &e);
    assert_int_equal(e.item_count, 5);
    assert_int_equal(e.dimensions, 64);
    for (uint32_t k = 0; k < 5 * 64; k++) {
        assert_true(e.out[k] == 0);
        assert_true(fabsf(e.in[k]) <= 0.5f / 64);
    }
    embeddings_deinit(&e);
    dataset_deinit(&d);
    assert_int_equal(dataset_init(&d, NULL, NULL), 0);
    assert_int_equal(dataset_finish(&d, NULL), 0);
    train(&d, (struct sgns_params){0}, &e);
    assert_int_equal(e.item_count, 0);
    embeddings_deinit(&e);
    embeddings_deinit(&e);
    dataset_deinit(&d);
}

static void parameters_out_of_range_are_refused(void **state)
{
    (void)state;
    struct dataset d;
    struct embeddings e;
    const struct sgns_params bad[] = {
        {.dimensions = 12}, {.dimensions = 520}, {.negatives = 33},        {.rate = -0.1f},
        {.rate = 2},        {.power = 3},        {.rate = (float)0 / 0.0f}};
    grouped(1, 300, &d);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error err = ERROR_INIT;
        assert_int_equal(sgns_train(&d, &bad[i], &e, &err), ERR_INVALID);
        assert_non_null(strstr(err.text, "embeddings: "));
    }
    dataset_deinit(&d);
}

static void out_of_memory_is_an_error_everywhere(void **state)
{
    (void)state;
    struct dataset d;
    struct embeddings e;
    long failures = 0;
    grouped(2, 300, &d);
    struct sgns_params p = {.dimensions = 8, .max_pairs = 2000, .threads = 2};
    OOM_LOOP
    {
        int rc = sgns_train(&d, &p, &e, NULL);
        failures += oom_fired();
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
        if (rc == 0)
            embeddings_deinit(&e);
    }
    assert_true(failures > 12);
    dataset_deinit(&d);
}

static void cancelling_is_heeded(void **state)
{
    (void)state;
    struct dataset d;
    struct embeddings e;
    struct progress progress;
    grouped(2, 300, &d);
    progress_init(&progress);
    progress_cancel(&progress);
    struct sgns_params p = {.progress = &progress};
    assert_int_equal(sgns_train(&d, &p, &e, NULL), ERR_CANCELLED);
    dataset_deinit(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_follows_the_finite_differences_of_the_loss),
        cmocka_unit_test(the_loss_falls_and_groups_come_apart),
        cmocka_unit_test(threads_do_not_change_the_result),
        cmocka_unit_test(a_fixed_seed_gives_the_known_vectors),
        cmocka_unit_test(max_pairs_bounds_the_work),
        cmocka_unit_test(orders_of_one_item_teach_nothing),
        cmocka_unit_test(parameters_out_of_range_are_refused),
        cmocka_unit_test(out_of_memory_is_an_error_everywhere),
        cmocka_unit_test(cancelling_is_heeded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

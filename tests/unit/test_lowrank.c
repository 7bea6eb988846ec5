#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "learn/lowrank.h"
#include "support/oom.h"
#include "support/protocol.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS 90 /* at most, in what is compared with plain loops */
#define UNITS 400

/* Units of up to nine items: each of `groups` groups, one time in `stray` of any. */
static struct csr random_units(uint64_t seed, uint32_t units, uint32_t items, uint32_t groups,
                               uint32_t stray)
{
    struct rng r;
    struct csr m;
    bool *has = calloc(items, sizeof *has);
    assert_non_null(has);
    rng_seed(&r, seed);
    assert_int_equal(csr_alloc(&m, units, items, 9ULL * units, 0, NULL), 0);
    for (uint32_t u = 0; u < units; u++) {
        uint32_t group = rng_below(&r, groups), length = rng_below(&r, 10);
        uint64_t at = m.start[u];
        for (uint32_t n = 0; n < length; n++) {
            uint32_t i = rng_below(&r, items);
            has[rng_below(&r, stray) ? i - i % groups + group < items ? i - i % groups + group : i
                                     : i] = true;
        }
        for (uint32_t i = 0; i < items; i++)
            if (has[i])
                m.column[at++] = i;
        memset(has, 0, items * sizeof *has);
        m.start[u + 1] = at;
    }
    free(has);
    return m;
}

struct plain {
    uint32_t items;
    double d[ITEMS];
    double v[ITEMS][ITEMS]; /* eigenvector k in column k */
    double s[ITEMS];        /* descending */
};

static void rotate(double m[ITEMS][ITEMS], double v[ITEMS][ITEMS], uint32_t n, uint32_t p,
                   uint32_t q)
{
    double theta = (m[q][q] - m[p][p]) / (2 * m[p][q]);
    double t = (theta < 0 ? -1 : 1) / (fabs(theta) + sqrt(theta * theta + 1));
    double c = 1 / sqrt(t * t + 1), s = t * c;
    for (uint32_t k = 0; k < n; k++) {
        double a = m[k][p], b = m[k][q];
        m[k][p] = c * a - s * b;
        m[k][q] = s * a + c * b;
    }
    for (uint32_t k = 0; k < n; k++) {
        double a = m[p][k], b = m[q][k];
        m[p][k] = c * a - s * b;
        m[q][k] = s * a + c * b;
        a = v[k][p];
        b = v[k][q];
        v[k][p] = c * a - s * b;
        v[k][q] = s * a + c * b;
    }
}

/* Jacobi's method on the dense Z'Z. */
static void plain_svd(const struct csr *units, struct plain *out)
{
    static double m[ITEMS][ITEMS];
    uint32_t n = out->items = units->cols;
    memset(m, 0, sizeof m);
    memset(out->v, 0, sizeof out->v);
    memset(out->d, 0, sizeof out->d);
    for (uint64_t e = 0; e < csr_entries(units); e++)
        out->d[units->column[e]]++;
    for (uint32_t u = 0; u < units->rows; u++)
        for (uint64_t a = units->start[u]; a < units->start[u + 1]; a++)
            for (uint64_t b = units->start[u]; b < units->start[u + 1]; b++) {
                uint32_t i = units->column[a], j = units->column[b];
                m[i][j] += 1 / sqrt(out->d[i] * out->d[j]) /
                           (double)(units->start[u + 1] - units->start[u]);
            }
    for (uint32_t i = 0; i < n; i++)
        out->v[i][i] = 1;
    for (int sweep = 0; sweep < 30; sweep++)
        for (uint32_t p = 0; p < n; p++)
            for (uint32_t q = p + 1; q < n; q++)
                if (fabs(m[p][q]) > 1e-14)
                    rotate(m, out->v, n, p, q);
    for (uint32_t k = 0; k < n; k++) {
        uint32_t best = k;
        for (uint32_t x = k + 1; x < n; x++)
            best = m[x][x] > m[best][best] ? x : best;
        out->s[k] = sqrt(fmax(m[best][best], 0));
        m[best][best] = m[k][k];
        for (uint32_t i = 0; i < n; i++) {
            double moved = out->v[i][k];
            out->v[i][k] = out->v[i][best];
            out->v[i][best] = moved;
        }
    }
}

static double plain_weight(const struct plain *p, uint32_t k, uint32_t i, uint32_t j)
{
    double sum = 0;
    for (uint32_t x = 0; x < k; x++)
        sum += p->v[i][x] * fmin(1, p->s[x]) * p->v[j][x];
    return sum * sqrt(fmax(p->d[j], 1) / fmax(p->d[i], 1));
}

static double weight(const struct embeddings *e, uint32_t i, uint32_t j)
{
    double sum = 0;
    for (uint32_t x = 0; x < e->dimensions; x++)
        sum += (double)e->in[i * e->dimensions + x] * (double)e->out[j * e->dimensions + x];
    return sum;
}

static struct embeddings train(const struct csr *units, struct lowrank_params params,
                               float *singular)
{
    struct embeddings e;
    struct error err = ERROR_INIT;
    int rc = lowrank_train(units, &params, &e, singular, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
    return e;
}

/* Where the k-th singular value is well above the next: else the k-th vector is any of a plane. */
static uint32_t widest_gap(const struct plain *p, uint32_t from, uint32_t below)
{
    uint32_t best = from;
    for (uint32_t k = from; k < below; k++)
        best = p->s[k - 1] - p->s[k] > p->s[best - 1] - p->s[best] ? k : best;
    return best;
}

static void check_rows(const struct plain *p, uint32_t k, const struct embeddings *e, uint32_t keep)
{
    struct csr rows;
    struct embeddings_rows_params params = {.k = keep, .weight = EMBEDDINGS_SCORE};
    assert_int_equal(embeddings_rows(e, &params, &rows, NULL), 0);
    assert_int_equal(csr_check(&rows, NULL), 0);
    for (uint32_t i = 0; i < p->items; i++) {
        uint64_t begin = rows.start[i], length = rows.start[i + 1] - begin, above = 0, sure = 0;
        for (uint64_t n = 0; n < length; n++) {
            assert_true(rows.value[begin + n] > 0);
            assert_true(n == 0 || rows.value[begin + n] <= rows.value[begin + n - 1]);
            assert_int_not_equal(rows.column[begin + n], i);
            assert_true(fabs(plain_weight(p, k, i, rows.column[begin + n]) -
                             (double)rows.value[begin + n]) < 1e-4);
        }
        double least = length == keep ? (double)rows.value[begin + keep - 1] : 0;
        for (uint32_t j = 0; j < p->items; j++) {
            sure += j != i && plain_weight(p, k, i, j) > least + 2e-4;
            above += j != i && plain_weight(p, k, i, j) > least - 2e-4;
        }
        assert_in_range(length, sure < keep ? sure : keep, above);
    }
    csr_deinit(&rows);
}

static void compare(const struct csr *units, uint32_t from, uint32_t below, uint32_t iterations)
{
    static struct plain p;
    float singular[ITEMS];
    plain_svd(units, &p);
    uint32_t k = widest_gap(&p, from, below);
    assert_true(p.s[k - 1] - p.s[k] > 0.01);
    struct embeddings e =
        train(units, (struct lowrank_params){.dimensions = k, .iterations = iterations}, singular);
    assert_int_equal(e.dimensions, k);
    for (uint32_t x = 0; x < k; x++)
        assert_true(fabs((double)singular[x] - p.s[x]) < 1e-4);
    for (uint32_t i = 0; i < p.items; i++)
        for (uint32_t j = 0; j < p.items; j++)
            assert_true(i == j || fabs(weight(&e, i, j) - plain_weight(&p, k, i, j)) < 1e-4);
    check_rows(&p, k, &e, 7);
    embeddings_deinit(&e);
}

static void few_items_are_factorised_exactly(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 8; seed++) {
        uint32_t items = 20 + 2 * (uint32_t)seed;
        struct csr units = random_units(seed, UNITS, items, 4, 3);
        compare(&units, items - 8, items, 0);
        csr_deinit(&units);
    }
}

static void the_leading_vectors_of_many_items_are_found(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct csr units = random_units(seed, UNITS, ITEMS, 6, 8);
        compare(&units, 4, 8, 40);
        csr_deinit(&units);
    }
}

static void assert_same(const struct embeddings *a, const struct embeddings *b)
{
    size_t bytes = (size_t)a->item_count * a->dimensions * sizeof *a->in;
    assert_int_equal(a->dimensions, b->dimensions);
    assert_memory_equal(a->in, b->in, bytes);
    assert_memory_equal(a->out, b->out, bytes);
}

static void threads_do_not_change_a_byte(void **state)
{
    (void)state;
    struct csr units = random_units(1, 40000, 700, 30, 5), rows[3];
    struct embeddings e[3];
    for (uint32_t x = 0; x < 3; x++) {
        uint32_t threads = 1u << x;
        e[x] = train(&units, (struct lowrank_params){.dimensions = 20, .threads = threads}, NULL);
        struct embeddings_rows_params params = {
            .k = 30, .weight = EMBEDDINGS_SCORE, .threads = threads};
        assert_int_equal(embeddings_rows(&e[x], &params, &rows[x], NULL), 0);
        assert_same(&e[0], &e[x]);
        assert_int_equal(csr_bytes(&rows[0]), csr_bytes(&rows[x]));
        assert_memory_equal(rows[0].column, rows[x].column, 4 * csr_entries(&rows[0]));
        assert_memory_equal(rows[0].value, rows[x].value, 4 * csr_entries(&rows[0]));
    }
    for (uint32_t x = 0; x < 3; x++) {
        embeddings_deinit(&e[x]);
        csr_deinit(&rows[x]);
    }
    csr_deinit(&units);
}

static void assert_finite(const struct embeddings *e)
{
    for (size_t c = 0; c < (size_t)e->item_count * e->dimensions; c++) {
        assert_true(isfinite(e->in[c]));
        assert_true(isfinite(e->out[c]));
    }
}

/* The rank is that of the groups: all items of a group come in the same units. */
static void what_is_beyond_the_rank_is_nothing(void **state)
{
    (void)state;
    enum { GROUPS = 5, EACH = 12, UNUSED = 3, ALL = GROUPS * EACH + UNUSED };
    struct csr units;
    float singular[40];
    assert_int_equal(csr_alloc(&units, 100, ALL, 100 * EACH, 0, NULL), 0);
    for (uint32_t u = 0; u < 100; u++) {
        for (uint32_t n = 0; n < EACH; n++)
            units.column[u * EACH + n] = u % GROUPS * EACH + n;
        units.start[u + 1] = (u + 1) * EACH;
    }
    for (uint32_t dimensions = 20; dimensions <= 40; dimensions += 20) { /* 63 items: both ways */
        struct embeddings e =
            train(&units, (struct lowrank_params){.dimensions = dimensions}, singular);
        assert_finite(&e);
        for (uint32_t k = 0; k < dimensions; k++)
            assert_true(k < GROUPS ? fabsf(singular[k] - 1) < 1e-4f : singular[k] == 0);
        for (uint32_t i = 0; i < ALL; i++)
            for (uint32_t j = 0; j < ALL; j++) {
                bool together = i / EACH == j / EACH && i / EACH < GROUPS;
                assert_true(fabs(weight(&e, i, j) - (together ? 1.0 / EACH : 0)) < 1e-4);
            }
        for (size_t c = (size_t)GROUPS * EACH * dimensions; c < (size_t)ALL * dimensions; c++)
            assert_true(e.in[c] == 0 && e.out[c] == 0);
        embeddings_deinit(&e);
    }
    csr_deinit(&units);
}

static void next_to_nothing_is_no_error(void **state)
{
    (void)state;
    static const uint32_t SIZES[][2] = {{0, 0}, {0, 5}, {5, 0}, {1, 1}, {3, 1}, {1, 4}, {9, 300}};
    struct embeddings_rows_params params = {.k = 5, .weight = EMBEDDINGS_SCORE};
    for (size_t s = 0; s < sizeof SIZES / sizeof *SIZES; s++) {
        for (uint32_t length = 0; length < 2; length++) {
            uint32_t units = SIZES[s][0], items = SIZES[s][1];
            struct csr m, rows;
            assert_int_equal(csr_alloc(&m, units, items, units, 0, NULL), 0);
            for (uint32_t u = 0; u < units; u++) {
                m.column[u] = 0;
                m.start[u + 1] = m.start[u] + (items ? length : 0);
            }
            struct embeddings e = train(&m, (struct lowrank_params){0}, NULL);
            assert_int_equal(e.item_count, items);
            assert_finite(&e);
            assert_int_equal(embeddings_rows(&e, &params, &rows, NULL), 0);
            assert_int_equal(rows.rows, items);
            assert_int_equal(csr_entries(&rows), 0);
            csr_deinit(&rows);
            embeddings_deinit(&e);
            csr_deinit(&m);
        }
    }
}

static void wrong_parameters_are_told(void **state)
{
    (void)state;
    struct csr units = random_units(1, 20, 10, 2, 3);
    struct embeddings e;
    struct error err = ERROR_INIT;
    struct lowrank_params wide = {.dimensions = 513}, long_run = {.iterations = 101};
    assert_int_equal(lowrank_train(&units, &wide, &e, NULL, &err), ERR_INVALID);
    assert_string_equal(err.text, "low rank: 513 dimensions are more than 512");
    error_clear(&err);
    assert_int_equal(lowrank_train(&units, &long_run, &e, NULL, &err), ERR_INVALID);
    assert_string_equal(err.text, "low rank: 101 iterations are more than 100");
    csr_deinit(&units);
}

static void it_can_be_cancelled_and_survives_every_failed_allocation(void **state)
{
    (void)state;
    struct csr units = random_units(2, 100, 60, 4, 3);
    struct embeddings e;
    struct progress progress;
    struct lowrank_params params = {.dimensions = 10};
    OOM_LOOP
    {
        int rc = lowrank_train(&units, &params, &e, NULL, NULL);
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
        if (rc == 0)
            embeddings_deinit(&e);
    }
    progress_init(&progress);
    params.progress = &progress;
    assert_int_equal(lowrank_train(&units, &params, &e, NULL, NULL), 0);
    embeddings_deinit(&e);
    assert_int_equal(progress.done, progress.total);
    progress_cancel(&progress);
    assert_int_equal(lowrank_train(&units, &params, &e, NULL, NULL), ERR_CANCELLED);
    csr_deinit(&units);
}

/* The last but one item of each sequence, by what comes before. */
static void beauty_ranks_as_an_exact_decomposition_does(void **state)
{
    (void)state;
    struct lastitem l;
    struct csr rows;
    if (!lastitem_load(&l, "sequences/beauty.txt.gz"))
        return;
    uint64_t *end = calloc(l.all.count + (size_t)1, sizeof *end);
    assert_non_null(end);
    for (uint32_t r = 0; r < l.all.count; r++) {
        uint64_t length = l.all.start[r + 1] - l.all.start[r] - 1;
        memmove(l.all.item + end[r], l.all.item + l.all.start[r], length * sizeof *l.all.item);
        end[r + 1] = end[r] + length;
    }
    free(l.all.start);
    l.all.start = end;
    struct embeddings e = train(&l.sets, (struct lowrank_params){0}, NULL);
    struct embeddings_rows_params params = {.k = 200, .weight = EMBEDDINGS_SCORE};
    assert_int_equal(embeddings_rows(&e, &params, &rows, NULL), 0);
    struct protocol_rows model = {&rows, 0.8f};
    struct outcome got = lastitem_rank(&l, protocol_by_rows, &model);
    print_message("HR@10 %.4f NDCG@10 %.4f\n", got.hit_rate, got.ndcg);
    assert_true(fabs(got.hit_rate - 0.0675) < 0.005);
    assert_true(fabs(got.ndcg - 0.0342) < 0.004);
    csr_deinit(&rows);
    embeddings_deinit(&e);
    lastitem_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_items_are_factorised_exactly),
        cmocka_unit_test(the_leading_vectors_of_many_items_are_found),
        cmocka_unit_test(threads_do_not_change_a_byte),
        cmocka_unit_test(what_is_beyond_the_rank_is_nothing),
        cmocka_unit_test(next_to_nothing_is_no_error),
        cmocka_unit_test(wrong_parameters_are_told),
        cmocka_unit_test(it_can_be_cancelled_and_survives_every_failed_allocation),
        cmocka_unit_test(beauty_ranks_as_an_exact_decomposition_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

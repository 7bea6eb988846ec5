/* Would a model do with smaller weights? The rows of a matrix with float32, float16 or int8 values
 * (int8: one scale a row): bytes of the matrix, the time to gather the rows of a basket of 5 and
 * choose the ten best at 1e5 items with rows of 200, and what rounding does to HR@10 and NDCG@10 on
 * UCI Online Retail (default recipe, nobody known). Columns (4 bytes) and counts (4 bytes) stay.
 *
 * bench_storage [items] [questions]. Prints "result" lines for tests/bench/run.sh. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "engine/sources.h"
#include "eval/contender_mix.h"
#include "eval/training.h"
#include "support/uci.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEIGHBOURS 200u
#define BASKET     5u
#define BEST       10u
#define NEAR       400u
#define TRIES      3

enum storage { FLOAT32, FLOAT16, INT8, STORAGE_COUNT };
static const char *const names[] = {"float32", "float16", "int8"};
static const uint32_t value_bytes[] = {4, 2, 1};

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "bench_storage: %s\n", what);
    exit(1);
}

/* The build asks no instructions for it of the processor (F16C), so that serving would read a table
 * of all 65,536 values. */
static float of_half(uint16_t bits)
{
    uint32_t sign = (bits >> 15) & 1u, exponent = (bits >> 10) & 31u, fraction = bits & 1023u;
    double value = exponent ? ldexp(1024.0 + fraction, (int)exponent - 25) : ldexp(fraction, -24);
    return (float)(sign ? -value : value);
}

static uint16_t to_half(float value)
{
    int exponent;
    double size = fabs((double)value);
    if (size == 0)
        return 0;
    frexp(size, &exponent);
    exponent = exponent - 1 < -14 ? -14 : exponent - 1;
    double steps = nearbyint(ldexp(size, 10 - exponent));
    uint32_t bits = exponent == -14 && steps < 1024
                        ? (uint32_t)steps
                        : ((uint32_t)(exponent + 14) << 10) + (uint32_t)steps;
    return (uint16_t)(bits | (value < 0 ? 0x8000u : 0));
}

static float scale_of_row(const struct csr *m, uint32_t row)
{
    float most = 0;
    for (uint64_t e = m->start[row]; e < m->start[row + 1]; e++)
        most = fmaxf(most, fabsf(m->value[e]));
    return most / 127;
}

/* What a reader would get back. */
static void round_values(struct csr *m, enum storage storage)
{
    for (uint32_t i = 0; i < m->rows && storage != FLOAT32; i++) {
        float scale = scale_of_row(m, i);
        for (uint64_t e = m->start[i]; e < m->start[i + 1]; e++)
            m->value[e] = storage == FLOAT16 ? of_half(to_half(m->value[e]))
                          : scale > 0        ? scale * nearbyintf(m->value[e] / scale)
                                             : 0;
    }
}

/* ---- quality ---- */

static void rank_with(const struct training *t, const struct recipe *recipe, const struct csr *rows,
                      enum storage storage)
{
    struct csr copy[MATRIX_COUNT] = {0};
    struct contender c;
    struct csr *m = &copy[MATRIX_ORDERS];
    double ndcg;
    uint64_t entries = csr_entries(rows);
    must(csr_alloc(m, rows->rows, rows->cols, entries, 1, NULL) == 0, "out of memory");
    memcpy(m->start, rows->start, ((size_t)rows->rows + 1) * sizeof *m->start);
    memcpy(m->column, rows->column, entries * sizeof *m->column);
    memcpy(m->value, rows->value, entries * sizeof *m->value);
    round_values(m, storage);
    must(contender_mix(names[storage], &recipe->mixes[MIX_BASKET], copy, NULL, &c, NULL) == 0,
         "out of memory");
    must(training_try(t, &c, BEST, &ndcg, NULL) == 0, "out of memory");
    printf("result storage.uci.%s.ndcg@10 %.5f share\n", names[storage], ndcg);
    contender_deinit(&c);
}

static void measure_quality(void)
{
    const struct training_params params = {
        .split = {.protocol = PROTOCOL_LEAVE_ONE_OUT, .anonymous = true, .seed = 1}};
    struct source_params how = {0};
    struct uci uci;
    struct dataset d;
    struct trainings t;
    struct sources sources;
    struct recipe recipe;
    struct csr rows = {0};
    uint32_t *both = NULL;
    if (!uci_load(&uci)) {
        printf("skipped: no shared data\n");
        return;
    }
    uci_dataset(&uci, uci.baskets.rows, &d);
    must(trainings_make(&d, &params, &t, NULL) == 0, "cannot split");
    recipe_default(&recipe);
    sources_init(&sources, &t.test.split.train, &recipe, &how);
    must(sources_make(&sources, MATRIX_ORDERS, NULL) == 0, "cannot learn");
    must(sources_combine(&sources, MATRIX_ORDERS, t.test.split.rank, &rows, &both, NULL) == 0,
         "cannot learn");
    sources_deinit(&sources);
    for (int s = 0; s < STORAGE_COUNT; s++)
        rank_with(&t.test, &recipe, &rows, (enum storage)s);
    free(both);
    csr_deinit(&rows);
    trainings_deinit(&t);
    dataset_deinit(&d);
    uci_free(&uci);
}

/* ---- time ---- */

struct store {
    uint32_t items;
    uint32_t *column;
    void *value[STORAGE_COUNT];
    float *scale; /* [items] of int8 */
    float *table; /* of float16 */
    float *score; /* [items] 0 where not touched */
    uint32_t *touched, count;
};

static void make_store(struct store *s, uint32_t items, struct rng *rng)
{
    uint64_t entries = (uint64_t)items * NEIGHBOURS;
    float *value = mem_array(entries, sizeof *value);
    uint16_t *half = mem_array(entries, sizeof *half);
    int8_t *small = mem_array(entries, sizeof *small);
    s->items = items;
    must(value && half && small && MEM_NEW(s->column, entries) && MEM_NEW(s->scale, items) &&
             MEM_NEW(s->table, 65536) && MEM_ZNEW(s->score, items) && MEM_NEW(s->touched, items),
         "out of memory");
    for (uint32_t bits = 0; bits < 65536; bits++)
        s->table[bits] = of_half((uint16_t)bits);
    for (uint64_t e = 0; e < entries; e++) {
        uint32_t i = (uint32_t)(e / NEIGHBOURS), x = (uint32_t)(e % NEIGHBOURS);
        double popular = exp(rng_unit(rng) * log((double)items)) - 1;
        s->column[e] =
            x % 5 < 3 ? (i / NEAR * NEAR + rng_below(rng, NEAR)) % items : (uint32_t)popular;
        value[e] = 0.001f + 0.999f * rng_unitf(rng) * rng_unitf(rng);
        s->scale[i] = 1.f / 127;
        half[e] = to_half(value[e]);
        small[e] = (int8_t)nearbyintf(value[e] * 127);
    }
    s->value[FLOAT32] = value;
    s->value[FLOAT16] = half;
    s->value[INT8] = small;
}

static void free_store(struct store *s)
{
    for (int x = 0; x < STORAGE_COUNT; x++)
        free(s->value[x]);
    free(s->column);
    free(s->scale);
    free(s->table);
    free(s->score);
    free(s->touched);
}

static void touch(struct store *s, uint32_t item, float gain)
{
    if (s->score[item] == 0)
        s->touched[s->count++] = item;
    s->score[item] += gain;
}

static void add_row(struct store *s, enum storage storage, uint32_t row)
{
    uint64_t begin = (uint64_t)row * NEIGHBOURS, end = begin + NEIGHBOURS;
    const float *whole = s->value[FLOAT32];
    const uint16_t *half = s->value[FLOAT16];
    const int8_t *small = s->value[INT8];
    for (uint64_t e = begin; e < end && storage == FLOAT32; e++)
        touch(s, s->column[e], whole[e]);
    for (uint64_t e = begin; e < end && storage == FLOAT16; e++)
        touch(s, s->column[e], s->table[half[e]]);
    for (uint64_t e = begin; e < end && storage == INT8; e++)
        touch(s, s->column[e], s->scale[row] * small[e]);
}

/* The sum of the best, so that the work is not for nothing. */
static float take_best(struct store *s)
{
    float best[BEST] = {0}, sum = 0;
    for (uint32_t x = 0; x < s->count; x++) {
        float score = s->score[s->touched[x]];
        s->score[s->touched[x]] = 0;
        if (score <= best[BEST - 1])
            continue;
        uint32_t at = BEST - 1;
        for (; at > 0 && best[at - 1] < score; at--)
            best[at] = best[at - 1];
        best[at] = score;
    }
    s->count = 0;
    for (uint32_t x = 0; x < BEST; x++)
        sum += best[x];
    return sum;
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double median_ns(struct store *s, enum storage storage, const uint32_t *baskets,
                        uint32_t questions, uint64_t *ns)
{
    float sum = 0;
    for (uint32_t q = 0; q < questions; q++) {
        uint64_t begin = clock_mono_ns();
        for (uint32_t x = 0; x < BASKET; x++)
            add_row(s, storage, baskets[q * BASKET + x]);
        sum += take_best(s);
        ns[q] = clock_mono_ns() - begin;
    }
    must(sum > 0, "nothing was found");
    qsort(ns, questions, sizeof *ns, ascending);
    uint32_t middle = questions / 2;
    return (double)ns[middle];
}

/* In turn, the best of a few rounds: what else runs on the machine hits all alike. */
static void measure_time(uint32_t items, uint32_t questions)
{
    struct rng rng;
    struct store s = {0};
    double best[STORAGE_COUNT] = {0};
    uint32_t *baskets = mem_array((size_t)questions * BASKET, sizeof *baskets);
    uint64_t *ns = mem_array(questions, sizeof *ns);
    must(baskets && ns, "out of memory");
    rng_seed(&rng, 1);
    make_store(&s, items, &rng);
    for (uint32_t x = 0; x < questions * BASKET; x++)
        baskets[x] = rng_below(&rng, items);
    for (int round = 0; round < TRIES; round++)
        for (int x = 0; x < STORAGE_COUNT; x++) {
            double median = median_ns(&s, (enum storage)x, baskets, questions, ns);
            best[x] = round == 0 || median < best[x] ? median : best[x];
        }
    for (int x = 0; x < STORAGE_COUNT; x++) {
        double bytes =
            (double)items * NEIGHBOURS * (8 + value_bytes[x]) + (x == INT8) * 4.0 * items;
        printf("result storage.%u.%s.matrix %.1f MB\n", items, names[x], bytes / 1e6);
        printf("result storage.%u.%s.answer_p50 %.2f us\n", items, names[x], best[x] / 1e3);
    }
    free(baskets);
    free(ns);
    free_store(&s);
}

int main(int argc, char **argv)
{
    uint64_t items = 100000, questions = 20000;
    bool good = argc < 2 || str_to_u64(str_of(argv[1]), &items);
    good = good && (argc < 3 || str_to_u64(str_of(argv[2]), &questions));
    must(good && items >= NEAR && items < 10000000 && questions > 0 && questions < 10000000,
         "expected items (at least 400) and questions");
    measure_time((uint32_t)items, (uint32_t)questions);
    measure_quality();
    return 0;
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "learn/sequence.h"
#include "support/madehistories.h"
#include "support/near.h"
#include "support/oom.h"
#include "support/protocol.h"
#include "support/rows.h"

#define ITEMS_MOST 40

/* "0 1 2|2 0": histories separated by |. */
static struct histories histories_of(const char *text, uint32_t items)
{
    struct histories h = {.count = 1, .item_count = items};
    h.start = calloc(strlen(text) + 2, sizeof *h.start);
    h.item = calloc(strlen(text) + 1, sizeof *h.item);
    assert_true(h.start && h.item);
    for (; *text; text++) {
        if (*text == '|') {
            h.start[h.count + 1] = h.start[h.count];
            h.count++;
        } else if (*text != ' ') {
            h.item[h.start[h.count]++] = (uint32_t)(*text - '0');
        }
    }
    return h;
}

static void make(const struct histories *h, const struct sequence_params *p, struct csr *rows,
                 uint32_t **after)
{
    struct error err = ERROR_INIT;
    int rc = sequence_rows(h, p, rows, after, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
}

/* Plain loops over every pair of places. */
struct plain {
    double sum[ITEMS_MOST][ITEMS_MOST];
    uint32_t after[ITEMS_MOST][ITEMS_MOST], units[ITEMS_MOST];
};

static uint32_t distance_of(const struct histories *h, const struct sequence_params *p, uint64_t a,
                            uint64_t b)
{
    uint32_t steps = 0;
    for (uint64_t e = a + 1; e <= b; e++)
        steps += !p->by_time || h->time_ms[e] != h->time_ms[e - 1];
    return steps;
}

static bool earlier(const struct histories *h, uint32_t u, uint64_t place)
{
    for (uint64_t e = h->start[u]; e < place; e++)
        if (h->item[e] == h->item[place])
            return true;
    return false;
}

static void count_history(const struct histories *h, const struct sequence_params *p, uint32_t u,
                          struct plain *out)
{
    bool seen[ITEMS_MOST][ITEMS_MOST] = {0};
    double power = p->gap_power != 0 ? (double)p->gap_power : 1;
    for (uint64_t a = h->start[u]; a < h->start[u + 1]; a++) {
        uint32_t i = h->item[a];
        out->units[i] += !earlier(h, u, a);
        if (!p->every_place && earlier(h, u, a))
            continue;
        for (uint64_t b = h->start[u]; b < h->start[u + 1]; b++) {
            uint32_t j = h->item[b];
            uint32_t z = a < b ? distance_of(h, p, a, b) : distance_of(h, p, b, a);
            if (j == i || z == 0)
                continue;
            if (z <= (p->distance ? p->distance : 10))
                out->sum[i][j] += (a < b ? 1 : (double)p->backward) * pow(z, -power) *
                                  (h->weight ? (double)h->weight[b] : 1);
            out->after[i][j] += a < b && !seen[i][j];
            seen[i][j] |= a < b;
        }
    }
}

struct found {
    double weight;
    uint32_t units, item;
};

static int by_weight(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    if (x->units != y->units)
        return x->units > y->units ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

static double counted(double sum, const struct sequence_params *p)
{
    return p->count_power != 0 ? pow(sum, (double)p->count_power) : sum;
}

static void row_is_the_best(const struct plain *plain, const struct sequence_params *p, uint32_t i,
                            uint32_t items, const struct csr *rows, const uint32_t *after)
{
    struct found list[ITEMS_MOST];
    uint32_t length = 0;
    for (uint32_t j = 0; j < items; j++) {
        double weight = counted(plain->sum[i][j], p) *
                        pow(plain->units[i], -(double)p->source_power) *
                        pow(plain->units[j] + 1, -(double)p->target_power);
        if (weight > 0)
            list[length++] = (struct found){weight, plain->units[j], j};
    }
    qsort(list, length, sizeof *list, by_weight);
    length = length < p->keep ? length : p->keep;
    assert_int_equal(rows->start[i + 1] - rows->start[i], length);
    for (uint32_t n = 0; n < length; n++) {
        uint64_t e = rows->start[i] + n;
        uint32_t j = rows->column[e];
        double weight = counted(plain->sum[i][j], p) *
                        pow(plain->units[i], -(double)p->source_power) *
                        pow(plain->units[j] + 1, -(double)p->target_power);
        assert_near((double)rows->value[e], weight, 1e-5);
        assert_near((double)rows->value[e], list[n].weight, 1e-5); /* a tie may stand otherwise */
        assert_int_equal(after[e], plain->after[i][j]);
    }
}

static void weigh(struct rng *r, struct histories *h)
{
    h->weight = calloc(h->start[h->count] + 1, sizeof *h->weight);
    assert_non_null(h->weight);
    for (uint64_t e = 0; e < h->start[h->count]; e++)
        h->weight[e] = 0.01f + rng_unitf(r);
}

static void rows_equal_plain_loops(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 1);
    for (int round = 0; round < 200; round++) {
        uint32_t items = 1 + rng_below(&r, ITEMS_MOST), *after;
        struct histories h = random_histories(&r, rng_below(&r, 40), items, 1 + rng_below(&r, 25));
        struct plain plain = {0};
        struct csr rows;
        struct sequence_params p = {.distance = rng_below(&r, 8),
                                    .every_place = round % 2,
                                    .by_time = round % 3 == 0,
                                    .gap_power = round % 5 ? 0 : 0.7f,
                                    .count_power = round % 3 ? 0 : 0.7f,
                                    .source_power = rng_unitf(&r),
                                    .target_power = rng_unitf(&r),
                                    .backward = round % 4 ? 0 : 0.5f,
                                    .keep = 1 + rng_below(&r, ITEMS_MOST),
                                    .threads = 1 + (uint32_t)round % 3};
        if (round % 7 == 0)
            weigh(&r, &h);
        make(&h, &p, &rows, &after);
        for (uint32_t u = 0; u < h.count; u++)
            count_history(&h, &p, u, &plain);
        assert_int_equal(csr_check(&rows, NULL), 0);
        assert_int_equal(rows.rows, items);
        for (uint32_t i = 0; i < items; i++)
            row_is_the_best(&plain, &p, i, items, &rows, after);
        free(after);
        csr_deinit(&rows);
        histories_deinit(&h);
    }
}

static void an_example_by_hand(void **state)
{
    (void)state;
    struct histories h = histories_of("0 1 2 0 1|2 0 2 1", 3);
    struct csr rows;
    uint32_t *after;
    make(&h, &(struct sequence_params){.source_power = 1}, &rows, &after);
    /* from 0: 1 at distances 1 and 4, then at 2; 2 at 2, then at 1; in two histories */
    assert_int_equal(rows.column[0], 1);
    assert_near((double)rows.value[0], (1 + 0.25 + 0.5) / 2, 1e-6);
    assert_int_equal(after[0], 2);
    assert_int_equal(rows.column[1], 2);
    assert_near((double)rows.value[1], (0.5 + 1) / 2, 1e-6);
    assert_int_equal(after[1], 2);
    /* from 1: 2 at 1, 0 at 2, in one history of its two */
    assert_int_equal(rows.start[2] - rows.start[1], 2);
    assert_int_equal(rows.column[rows.start[1]], 2);
    assert_near((double)rows.value[rows.start[1]], 0.5, 1e-6);
    assert_int_equal(after[rows.start[1]], 1);
    free(after);
    csr_deinit(&rows);
    histories_deinit(&h);
}

static void the_number_of_threads_does_not_matter(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 2);
    struct histories h = random_histories(&r, 3000, 1000, 30);
    struct sequence_params p = {.target_power = 0.25f, .source_power = 0.5f, .threads = 1};
    struct csr one, more;
    uint32_t *after, *after_more;
    make(&h, &p, &one, &after);
    for (p.threads = 2; p.threads <= 4; p.threads += 2) {
        make(&h, &p, &more, &after_more);
        assert_same_rows(&one, &more);
        assert_memory_equal(after, after_more, csr_entries(&one) * sizeof *after);
        free(after_more);
        csr_deinit(&more);
    }
    free(after);
    csr_deinit(&one);
    histories_deinit(&h);
}

static void parameters_out_of_range_are_refused(void **state)
{
    (void)state;
    struct histories h = histories_of("0 1", 2);
    struct csr rows;
    const struct sequence_params bad[] = {
        {.source_power = NAN}, {.count_power = NAN}, {.target_power = INFINITY}, {.gap_power = NAN},
        {.backward = -0.1f},   {.backward = 1.5f},   {.backward = NAN},          {.by_time = true}};
    for (size_t x = 0; x < sizeof bad / sizeof *bad; x++) {
        struct error err = ERROR_INIT;
        assert_int_equal(sequence_rows(&h, &bad[x], &rows, NULL, &err), ERR_INVALID);
        assert_true(err.text[0]);
    }
    histories_deinit(&h);
}

static void nothing_gives_nothing(void **state)
{
    (void)state;
    struct histories h = {.item_count = 3};
    struct csr rows;
    uint32_t *after;
    h.start = calloc(1, sizeof *h.start);
    make(&h, &(struct sequence_params){0}, &rows, &after);
    assert_int_equal(rows.rows, 3);
    assert_int_equal(csr_entries(&rows), 0);
    free(after);
    csr_deinit(&rows);
    h.item_count = 0;
    make(&h, &(struct sequence_params){0}, &rows, NULL);
    csr_deinit(&rows);
    histories_deinit(&h);
}

static void out_of_memory_is_an_error_everywhere(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 3);
    struct histories h = random_histories(&r, 30, 10, 12);
    struct csr rows;
    uint32_t *after;
    long failures = 0;
    struct sequence_params p = {.by_time = true, .backward = 0.5f, .threads = 2};
    OOM_LOOP
    {
        int rc = sequence_rows(&h, &p, &rows, &after, NULL);
        failures += oom_fired();
        /* giving memory back may fail: the rows are good all the same */
        assert_true(rc == 0 || (oom_fired() && rc == ERR_NOMEM));
        if (rc == 0) {
            assert_int_equal(csr_check(&rows, NULL), 0);
            free(after);
            csr_deinit(&rows);
        }
    }
    assert_true(failures > 20);
    histories_deinit(&h);
}

static void cancelling_is_heeded(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 4);
    struct histories h = random_histories(&r, 30, 10, 12);
    struct csr rows;
    struct progress progress;
    progress_init(&progress);
    struct sequence_params p = {.progress = &progress};
    make(&h, &p, &rows, NULL);
    assert_int_equal(progress.done, progress.total);
    csr_deinit(&rows);
    progress_cancel(&progress);
    assert_int_equal(sequence_rows(&h, &p, &rows, NULL, NULL), ERR_CANCELLED);
    histories_deinit(&h);
}

static void estimates_cover_what_is_made(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 5);
    struct histories h = random_histories(&r, 5000, 2000, 20);
    struct dataset_shape shape = {
        .orders = h.start[h.count], .lines = h.start[h.count], .items = 2000, .users = 5000};
    struct sequence_params p = {.threads = 1};
    struct csr rows;
    uint32_t *after;
    make(&h, &p, &rows, &after);
    uint64_t made = csr_bytes(&rows) + csr_entries(&rows) * sizeof *after;
    uint64_t said = sequence_estimate_bytes(&shape, &p);
    assert_true(said >= made && said <= 5 * made + (1 << 18));
    free(after);
    csr_deinit(&rows);
    histories_deinit(&h);
}

static void last_items_are_told_as_well_as_published(void **state)
{
    (void)state;
    struct lastitem data;
    struct csr rows;
    if (!lastitem_load(&data, "sequences/beauty.txt.gz"))
        skip();
    make(&data.train, &(struct sequence_params){.source_power = 1}, &rows, NULL);
    struct protocol_rows model = {&rows, 0.7f};
    struct outcome found = lastitem_rank(&data, protocol_by_rows, &model);
    assert_near(found.hit_rate, 0.0791, 0.004);
    assert_near(found.ndcg, 0.0494, 0.004);
    csr_deinit(&rows);
    lastitem_free(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_equal_plain_loops),
        cmocka_unit_test(an_example_by_hand),
        cmocka_unit_test(the_number_of_threads_does_not_matter),
        cmocka_unit_test(parameters_out_of_range_are_refused),
        cmocka_unit_test(nothing_gives_nothing),
        cmocka_unit_test(out_of_memory_is_an_error_everywhere),
        cmocka_unit_test(cancelling_is_heeded),
        cmocka_unit_test(estimates_cover_what_is_made),
        cmocka_unit_test(last_items_are_told_as_well_as_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Session neighbours: building the index and asking it, on made-up clicks of the size and shape of
 * Diginetica (906,140 clicks, 186,670 sessions, 43,097 items): visits wander through a
 * neighbourhood of items, popular items more often. Questions are the prefixes of later visits. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "learn/sessionknn.h"

#include <stdio.h>
#include <stdlib.h>

#define ITEMS     43097u
#define SESSIONS  186670u
#define QUESTIONS 20000u
#define LONGEST   40

static uint32_t draw_item(struct rng *rng)
{
    double u = rng_unit(rng);
    return (uint32_t)(u * u * u * ITEMS);
}

static uint32_t draw_session(struct rng *rng, uint32_t *item)
{
    uint32_t length = 2, at = draw_item(rng);
    while (length < LONGEST && rng_below(rng, 1000) < 742)
        length++;
    for (uint32_t x = 0; x < length; x++) {
        if (rng_below(rng, 100) < 15)
            at = draw_item(rng);
        item[x] = (at + rng_below(rng, 24)) % ITEMS;
    }
    return length;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void ask(const struct histories *rows, const char *name,
                const struct sessionknn_params *params)
{
    struct error err = ERROR_INIT;
    struct sessionknn k;
    struct rng rng;
    uint64_t *took, began = clock_mono_ns(), answered = 0;
    rng_seed(&rng, 2);
    if (sessionknn_build(rows, params, &k, &err) || !MEM_NEW(took, QUESTIONS))
        abort();
    printf("result sessionknn.%s.build %.2f s\n", name, (double)(clock_mono_ns() - began) / 1e9);
    printf("result sessionknn.%s.bytes %.1f MiB\n", name, (double)sessionknn_bytes(&k) / (1 << 20));
    struct sessionknn_scratch *s = sessionknn_scratch_new(&k, &err);
    if (!s)
        abort();
    double cpu = clock_cpu_s();
    for (uint32_t q = 0; q < QUESTIONS; q++) {
        uint32_t item[LONGEST], length = draw_session(&rng, item);
        struct sessionknn_answer a;
        uint64_t from = clock_mono_ns();
        sessionknn_ask(&k, item, 1 + rng_below(&rng, length), s, &a);
        took[q] = clock_mono_ns() - from;
        answered += a.count > 0;
    }
    cpu = clock_cpu_s() - cpu;
    qsort(took, QUESTIONS, sizeof *took, by_value);
    printf("result sessionknn.%s.mean %.1f us\n", name, cpu * 1e6 / QUESTIONS);
    uint64_t p50 = took[QUESTIONS / 2], p99 = took[QUESTIONS / 100 * 99];
    printf("result sessionknn.%s.p50 %.1f us\n", name, (double)p50 / 1e3);
    printf("result sessionknn.%s.p99 %.1f us\n", name, (double)p99 / 1e3);
    printf("result sessionknn.%s.answered %.3f share\n", name, (double)answered / QUESTIONS);
    sessionknn_scratch_free(s);
    sessionknn_deinit(&k);
    free(took);
}

int main(void)
{
    struct histories rows = {.count = SESSIONS, .item_count = ITEMS};
    struct rng rng;
    rng_seed(&rng, 1);
    if (!MEM_ZNEW(rows.start, SESSIONS + 1) || !MEM_NEW(rows.item, SESSIONS * (size_t)LONGEST))
        abort();
    for (uint32_t r = 0; r < SESSIONS; r++)
        rows.start[r + 1] = rows.start[r] + draw_session(&rng, rows.item + rows.start[r]);
    printf("result sessionknn.clicks %llu clicks\n", (unsigned long long)rows.start[SESSIONS]);
    ask(&rows, "vmis_k100_m500",
        &(struct sessionknn_params){SESSIONKNN_VMIS, .recent = 500, .neighbours = 100});
    ask(&rows, "vmis_k500_m5000",
        &(struct sessionknn_params){SESSIONKNN_VMIS, .recent = 5000, .neighbours = 500});
    ask(&rows, "stan_k500_m5000",
        &(struct sessionknn_params){SESSIONKNN_STAN, .recent = 5000, .neighbours = 500});
    ask(&rows, "stan_served", &(struct sessionknn_params){.form = SESSIONKNN_STAN});
    histories_deinit(&rows);
    return 0;
}

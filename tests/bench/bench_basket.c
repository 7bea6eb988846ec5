/* How good the basket surface is on UCI Online Retail: the first 80 % of the orders train, the
 * others ask (support/basketeval.h). Shown for the blend as built and for each source alone.
 *
 * bench_basket --tune never looks at those others: it splits the training part the same way once
 * more and prints the hit rate of a grid of weights there, best last. */
#include "base/clock.h"
#include "engine/build.h"
#include "support/basketeval.h"
#include "support/tinyshop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct weights {
    float source[SOURCE_COUNT];
};

static struct model *train(struct retail *r, size_t end, bool verbose)
{
    struct error err = ERROR_INIT;
    struct dataset d;
    struct build_params params = {0};
    struct build_report report;
    retail_dataset(r, 0, end, &d);
    struct model *m = model_build(&d, retail_name, r, &params, &report, &err);
    if (!m) {
        fprintf(stderr, "bench_basket: %s\n", err.text);
        exit(1);
    }
    if (verbose)
        printf("%u baskets, %llu lines, %u items\n", d.basket_count,
               (unsigned long long)csr_entries(&d.baskets), d.item_count);
    for (uint32_t x = 0; x < report.step_count && verbose; x++)
        printf("  %-15s %6.2f s %6.2f cpu s %9llu made, %6.1f MiB\n", report.steps[x].name,
               report.steps[x].wall_s, report.steps[x].cpu_s,
               (unsigned long long)report.steps[x].count,
               (double)report.steps[x].bytes / (1 << 20));
    if (verbose)
        printf("support %u%s, %llu rules cut, %u strong rules, estimate %llu MiB\n",
               report.min_support, report.support_raised ? " (raised)" : "",
               (unsigned long long)report.rules_cut, m->strong.count,
               (unsigned long long)report.estimate_bytes >> 20);
    dataset_deinit(&d);
    return m;
}

static void set_weights(struct model *m, struct weights w)
{
    for (int k = 0; k < SOURCE_COUNT; k++)
        m->sources[k].basket_weight = w.source[k];
}

static struct basketeval measure(struct retail *r, struct model *m, size_t begin, size_t end,
                                 uint32_t context_max)
{
    struct basketeval e;
    basketeval_run(r, m, begin, end, context_max, &e);
    return e;
}

static void print_row(struct retail *r, struct model *m, size_t begin, const char *name)
{
    struct basketeval all = measure(r, m, begin, r->orders.count, BASKETEVAL_ALL);
    struct basketeval few = measure(r, m, begin, r->orders.count, 3);
    printf(
        "%-8s HR@10 %.4f NDCG@10 %.4f coverage %.3f rules %.2f %.1f us; carts of 3: HR@10 %.4f\n",
        name, all.hit_rate, all.ndcg, all.coverage, all.rules, all.mean_us, few.hit_rate);
    printf("result basket_%s_hr10 %.4f share\n", name, all.hit_rate);
    printf("result basket_%s_ndcg10 %.4f share\n", name, all.ndcg);
}

static void time_load(const struct model *m)
{
    struct parts parts = {.count = 0};
    struct model_sink sink = parts_sink(&parts);
    struct model_source source = parts_source(&parts);
    struct error err = ERROR_INIT;
    uint64_t begin = clock_mono_ns();
    if (model_save(m, &sink, &err))
        exit(1);
    uint64_t middle = clock_mono_ns();
    struct model *loaded = model_load(&source, &err);
    uint64_t end = clock_mono_ns();
    if (!loaded)
        exit(1);
    printf("result model_save_memory %.1f ms\n", (double)(middle - begin) / 1e6);
    printf("result model_load_memory %.1f ms\n", (double)(end - middle) / 1e6);
    model_unref(loaded);
    parts_free(&parts);
}

static void compare(struct retail *r)
{
    size_t split = r->orders.count * 4 / 5;
    struct model *m = train(r, split, true);
    struct basketeval e = measure(r, m, split, r->orders.count, BASKETEVAL_ALL);
    printf("%u questions of %u orders\n", e.questions, e.orders);
    time_load(m);
    print_row(r, m, split, "blend");
    for (int k = 0; k < SOURCE_COUNT; k++) {
        struct weights alone = {0};
        alone.source[k] = 1;
        set_weights(m, alone);
        print_row(r, m, split, source_name((enum source_kind)k));
    }
    model_unref(m);
}

struct trial {
    struct weights w;
    struct basketeval all, few;
};

static int by_hit_rate(const void *a, const void *b)
{
    const struct trial *x = a, *y = b;
    return (x->all.hit_rate > y->all.hit_rate) - (x->all.hit_rate < y->all.hit_rate);
}

static void tune(struct retail *r)
{
    static const float grid[] = {0, 0.25f, 0.5f, 0.75f, 1, 1.5f, 2};
    static struct trial trials[49];
    size_t end = r->orders.count * 4 / 5, split = end * 4 / 5, count = 0;
    struct model *m = train(r, split, true);
    for (size_t c = 0; c < 7; c++) {
        for (size_t s = 0; s < 7; s++) {
            struct trial *t = &trials[count++];
            t->w = (struct weights){{1, grid[c], grid[s]}};
            set_weights(m, t->w);
            basketeval_run(r, m, split, end, BASKETEVAL_ALL, &t->all);
            basketeval_run(r, m, split, end, 3, &t->few);
        }
    }
    qsort(trials, count, sizeof *trials, by_hit_rate);
    for (size_t x = 0; x < count; x++)
        printf("llr 1 cosine %.2f sgns %.2f: HR@10 %.4f NDCG@10 %.4f; 3: %.4f\n",
               trials[x].w.source[SOURCE_COSINE], trials[x].w.source[SOURCE_SGNS],
               trials[x].all.hit_rate, trials[x].all.ndcg, trials[x].few.hit_rate);
    model_unref(m);
}

int main(int argc, char **argv)
{
    struct retail r;
    if (argc > 2 || (argc == 2 && strcmp(argv[1], "--tune") != 0)) {
        fprintf(stderr, "usage: bench_basket [--tune]\n");
        return 2;
    }
    if (!retail_read(&r))
        return 0;
    if (argc == 2)
        tune(&r);
    else
        compare(&r);
    retail_free(&r);
    return 0;
}

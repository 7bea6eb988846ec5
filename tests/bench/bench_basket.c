/* How good the basket surface is on UCI Online Retail: the first 80 % of the orders train, the
 * others ask (support/basketeval.h). Shown for the default recipe, with what each step of training
 * costs, and for single learners. */
#include "base/clock.h"
#include "engine/build.h"
#include "support/basketeval.h"
#include "support/tinyshop.h"

#include <stdio.h>
#include <stdlib.h>

static struct model *train(struct retail *r, const struct recipe *recipe, bool verbose)
{
    struct error err = ERROR_INIT;
    struct dataset d;
    struct build_params params = {.recipe = recipe};
    struct build_report report;
    retail_dataset(r, 0, r->orders.count * 4 / 5, &d);
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

static void print_row(struct retail *r, const struct model *m, const char *name)
{
    struct basketeval all, few;
    size_t begin = r->orders.count * 4 / 5;
    basketeval_run(r, m, begin, r->orders.count, BASKETEVAL_ALL, &all);
    basketeval_run(r, m, begin, r->orders.count, 3, &few);
    printf("%-10s HR@10 %.4f NDCG@10 %.4f coverage %.3f rules %.2f %.1f us; carts of 3: HR@10 "
           "%.4f\n",
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

static void show_alone(struct retail *r, enum learner_kind learner)
{
    struct recipe recipe;
    recipe_default(&recipe);
    recipe.ingredients[0] = (struct ingredient){.matrix = MATRIX_ORDERS,
                                                .learner = learner,
                                                .share = 1,
                                                .neighbours = 200,
                                                .lambda = 20,
                                                .rank = 64};
    recipe.ingredient_count = 1;
    struct model *m = train(r, &recipe, false);
    print_row(r, m, learner_name(learner));
    model_unref(m);
}

int main(void)
{
    static const enum learner_kind alone[] = {LEARNER_RIDGE, LEARNER_COSINE,     LEARNER_JACCARD,
                                              LEARNER_LLR,   LEARNER_CONFIDENCE, LEARNER_SGNS};
    struct retail r;
    if (!retail_read(&r))
        return 0;
    struct model *m = train(&r, NULL, true);
    time_load(m);
    print_row(&r, m, "default");
    model_unref(m);
    for (size_t x = 0; x < sizeof alone / sizeof *alone; x++)
        show_alone(&r, alone[x]);
    retail_free(&r);
    return 0;
}

/* basketd train: build, store and publish a model; or only say what it would take. */
#include "cli.h"
#include "service/trainer.h"

#include <stdio.h>

static double mib(uint64_t bytes)
{
    return (double)bytes / (1 << 20);
}

static int print_estimate(const struct train_need *need, bool json)
{
    const struct estimate *e = &need->build;
    const struct dataset_shape *shape = &need->shape;
    const struct {
        const char *name;
        uint64_t bytes;
    } parts[] = {{"dataset", e->dataset_bytes},     {"rehearsal", need->rehearsal_bytes},
                 {"itemsets", e->itemsets_bytes},   {"rules", e->rules_bytes},
                 {"histories", e->histories_bytes}, {"pairs", e->cooc_bytes},
                 {"rows", e->rows_bytes},           {"embeddings", e->sgns_bytes},
                 {"model", e->model_bytes},         {"peak", need->peak_bytes}};
    struct buf out;
    buf_init(&out, 0);
    if (json)
        buf_printf(&out, "{\"orders\":%llu,\"lines\":%llu,\"items\":%llu",
                   (unsigned long long)shape->orders, (unsigned long long)shape->lines,
                   (unsigned long long)shape->items);
    else
        buf_printf(&out, "%llu orders, %llu lines, %llu items\n", (unsigned long long)shape->orders,
                   (unsigned long long)shape->lines, (unsigned long long)shape->items);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (json)
            buf_printf(&out, ",\"%s_bytes\":%llu", parts[i].name,
                       (unsigned long long)parts[i].bytes);
        else
            buf_printf(&out, "%-11s %10.1f MiB\n", parts[i].name, mib(parts[i].bytes));
    }
    if (json && *need->not_rehearsed) {
        buf_text(&out, ",\"not_rehearsed\":");
        buf_json_str(&out, str_of(need->not_rehearsed));
    } else if (*need->not_rehearsed) {
        buf_printf(&out, "Not rehearsed: %s.\n", need->not_rehearsed);
    }
    buf_text(&out,
             json ? "}\n"
                  : "The peak is what training needs at most; parts live one after the other.\n");
    return cli_print(&out);
}

static void print_rehearsal(const struct rehearsal *r, struct buf *out)
{
    for (int s = 0; s < REHEARSED_COUNT; s++) {
        const struct rehearsed *of = &r->surface[s];
        buf_printf(out, "rehearsed %-8s ", mix_name(of->mix));
        if (!of->held) {
            buf_printf(out, "not: %s\n", of->why_not);
            continue;
        }
        buf_printf(out, "NDCG@10 %.4f, %.4f before fitting (%u questions)", of->fit.ndcg,
                   of->fit.ndcg_menu, of->fit.questions);
        if (of->gate.judged)
            buf_printf(out, "; %.4f on %u others, the live model %.4f", of->gate.ndcg_new,
                       of->gate.questions, of->gate.ndcg_live);
        buf_char(out, '\n');
    }
}

static int print_outcome(const struct train_outcome *o, bool json)
{
    struct buf out;
    buf_init(&out, 0);
    if (json) {
        train_outcome_json(o, &out);
        buf_char(&out, '\n');
        return cli_print(&out);
    }
    buf_printf(&out, "model %lld is %s: %llu orders, %llu lines, %llu items, %llu rules\n",
               (long long)o->model_id,
               o->rehearsal.refused ? "stored, not live (worse than the live one)" : "live",
               (unsigned long long)o->orders, (unsigned long long)o->lines,
               (unsigned long long)o->items, (unsigned long long)o->rules);
    for (uint32_t i = 0; i < o->build.step_count; i++) {
        const struct build_step *s = &o->build.steps[i];
        buf_printf(&out, "  %-12s %8.2f s %8.2f CPU s %9.1f MiB %12llu\n", s->name, s->wall_s,
                   s->cpu_s, mib(s->bytes), (unsigned long long)s->count);
    }
    buf_printf(&out,
               "%.2f s in all (reading %.2f, rehearsing %.2f, building %.2f, saving %.2f), peak "
               "%.0f MiB, model %.1f MiB\n",
               o->total_s, o->load_s, o->rehearsal_s, o->build_s, o->save_s, mib(o->peak_rss_bytes),
               mib(o->model_bytes));
    if (o->rehearsed)
        print_rehearsal(&o->rehearsal, &out);
    else
        buf_printf(&out, "not rehearsed: %s\n", o->not_rehearsed);
    buf_printf(&out, "min. support %u baskets%s\n", o->build.min_support,
               o->build.support_raised ? ", raised to stay within max-itemsets" : "");
    buf_printf(&out, "%llu rules were tested, %llu are kept\n",
               (unsigned long long)o->build.rules_tested, (unsigned long long)o->rules);
    if (o->build.rules_cut > 0)
        buf_printf(&out, "%llu weaker rules were left out (max-rules)\n",
                   (unsigned long long)o->build.rules_cut);
    if (o->skipped_orders > 0)
        buf_printf(&out, "%llu orders over max-order-items were not learnt from\n",
                   (unsigned long long)o->skipped_orders);
    return cli_print(&out);
}

static int train(struct shop *shop, bool json, struct error *err)
{
    struct train_outcome outcome = {0};
    struct progress progress;
    progress_init(&progress);
    struct watch *watch = watch_start(&progress, NULL, err);
    int rc = watch ? train_run(shop, &progress, &outcome, err) : err->code;
    watch_stop(watch);
    return rc ? cli_fail(err) : print_outcome(&outcome, json);
}

int cmd_train(struct settings *settings, int argc, char **argv)
{
    bool estimate_only = false, json = false;
    const struct cli_option options[] = {
        {.name = "estimate", .given = &estimate_only},
        {.name = "json", .given = &json},
    };
    struct error err = ERROR_INIT;
    if (!cli_options(options, 2, &argc, argv))
        return EXIT_USAGE;
    if (argc > 1)
        return cli_usage("train takes no '%s'", argv[1]);
    struct shop *shop = shop_open(settings, SHOP_COMMAND, &err);
    if (!shop)
        return cli_fail(&err);
    int status;
    if (estimate_only) {
        struct train_need need;
        status = train_estimate(shop, &need, &err) ? cli_fail(&err) : print_estimate(&need, json);
    } else {
        status = train(shop, json, &err);
    }
    shop_close(shop);
    return status;
}

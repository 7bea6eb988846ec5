/* Time and memory of each training step against the estimates:
 * bench_train [min_support] [items] [orders]: made-up orders, 200, 100000, 2000000 when left out.
 * Items follow a power law; half of the orders begin with a planted pattern of two to four items.
 * bench_train uci: UCI Online Retail from the shared data. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "data/histories.h"
#include "engine/build.h"
#include "learn/cooc.h"
#include "learn/ease.h"
#include "learn/lowrank.h"
#include "learn/popularity.h"
#include "learn/ridge.h"
#include "learn/sequence.h"
#include "learn/sgns.h"
#include "mine/rules.h"
#include "support/uci.h"

#include <fcntl.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATTERNS 20000

struct power_law {
    double *sum; /* [count] */
    uint32_t count;
};

static void power_law_init(struct power_law *p, uint32_t count, double exponent)
{
    double sum = 0;
    p->count = count;
    if (!MEM_NEW(p->sum, count))
        abort();
    for (uint32_t r = 0; r < count; r++)
        p->sum[r] = sum += pow(r + 1, -exponent);
}

static uint32_t power_law_draw(const struct power_law *p, struct rng *r)
{
    double at = rng_unit(r) * p->sum[p->count - 1];
    uint32_t low = 0, high = p->count - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (p->sum[middle] <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void make_orders(uint32_t items, uint32_t orders, struct dataset *d)
{
    static uint32_t pattern[PATTERNS][4], length[PATTERNS];
    struct power_law item, which;
    struct rng r;
    rng_seed(&r, 42);
    power_law_init(&item, items, 0.9);
    power_law_init(&which, PATTERNS, 0.8);
    for (uint32_t k = 0; k < PATTERNS; k++) {
        length[k] = 2 + rng_below(&r, 3);
        for (uint32_t i = 0; i < length[k]; i++)
            pattern[k][i] = power_law_draw(&item, &r) + 1;
    }
    if (dataset_init(d, NULL, NULL))
        abort();
    for (uint32_t o = 0; o < orders; o++) {
        uint32_t basket[64], size = 0, noise = 1 + rng_poisson(&r, 2.5);
        if (rng_below(&r, 2)) {
            uint32_t k = power_law_draw(&which, &r);
            memcpy(basket, pattern[k], sizeof pattern[k]);
            size = length[k];
        }
        while (noise-- > 0 && size < 64)
            basket[size++] = power_law_draw(&item, &r) + 1;
        if (dataset_add(d, 15000LL * o, 1 + o % (orders / 8 + 1), basket, size, NULL))
            abort();
    }
    if (dataset_finish(d, NULL))
        abort();
    free(item.sum);
    free(which.sum);
}

/* Reading of one step. */
struct step {
    const char *name;
    uint64_t begin_ns;
    double begin_cpu;
    uint64_t begin_bytes;
};

static uint64_t status_bytes(const char *field)
{
    char line[256];
    unsigned long long kilobytes = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, field, strlen(field)) == 0)
            sscanf(line + strlen(field), ": %llu", &kilobytes);
    if (file)
        fclose(file);
    return kilobytes * 1024;
}

static struct step step_begin(const char *name)
{
    malloc_trim(0); /* so that what earlier steps freed does not hide what this one takes */
    int file = open("/proc/self/clear_refs", O_WRONLY); /* 5: forget the largest resident size */
    if (file >= 0) {
        if (write(file, "5", 1) != 1)
            perror("clear_refs");
        close(file);
    }
    return (struct step){name, clock_mono_ns(), clock_cpu_s(), status_bytes("VmRSS")};
}

static void step_end(const struct step *s, uint64_t estimate, uint64_t count)
{
    double wall = (double)(clock_mono_ns() - s->begin_ns) / 1e9, cpu = clock_cpu_s() - s->begin_cpu;
    double peak = (double)(status_bytes("VmHWM") - s->begin_bytes) / 1e6;
    printf("%s: %llu made\n", s->name, (unsigned long long)count);
    printf("result train.%s %.2f s\n", s->name, wall);
    printf("result train.%s.cpu %.2f s\n", s->name, cpu);
    printf("result train.%s.peak %.1f MB\n", s->name, peak);
    if (estimate)
        printf("result train.%s.estimated %.1f MB\n", s->name, (double)estimate / 1e6);
}

static int mine_rules(const struct dataset *d, const struct dataset_shape *shape, uint32_t least)
{
    struct itemset_params ip = {.min_support = least};
    struct rule_params rp = {0};
    struct itemsets sets;
    struct rules rules;
    struct step s = step_begin("itemsets");
    if (itemsets_mine(&d->baskets, &ip, &sets, NULL))
        return 1;
    step_end(&s, itemsets_estimate_bytes(shape, &ip), sets.count);
    printf("  threshold %u%s\n", sets.min_support, sets.raised ? " (raised)" : "");
    s = step_begin("rules");
    if (rules_build(&sets, &rp, &rules, NULL))
        return 1;
    step_end(&s, rules_estimate_bytes(sets.count, &rp), rules.count);
    rules_deinit(&rules);
    itemsets_deinit(&sets);
    return 0;
}

static int learn_pairs(const struct dataset *d, const struct dataset_shape *shape)
{
    struct cooc_params cp = {0};
    struct cooc pairs;
    struct step s = step_begin("pairs");
    if (cooc_count(&d->baskets, &cp, &pairs, NULL))
        return 1;
    step_end(&s, cooc_estimate_bytes(shape, &cp), pairs.start[pairs.item_count]);
    for (int w = WEIGHT_COSINE; w <= WEIGHT_LLR; w++) {
        struct csr rows;
        s = step_begin(w == WEIGHT_COSINE ? "cosine_rows" : "llr_rows");
        if (cooc_rows(&pairs, &(struct cooc_rows_params){.weight = (enum weight)w, .k = 100}, &rows,
                      NULL))
            return 1;
        step_end(&s, cooc_rows_estimate_bytes(shape, 100), csr_entries(&rows));
        csr_deinit(&rows);
    }
    cooc_deinit(&pairs);
    return 0;
}

/* Rows of the vectors under `name`; takes the vectors. */
static int rank_vectors(const char *name, struct embeddings *e, enum embeddings_weight weight)
{
    struct csr rows;
    struct embeddings_rows_params params = {.k = 100, .weight = weight};
    struct step s = step_begin(name);
    if (embeddings_rows(e, &params, &rows, NULL))
        return 1;
    step_end(&s, embeddings_rows_estimate_bytes(e->item_count, e->dimensions, params.k),
             csr_entries(&rows));
    csr_deinit(&rows);
    embeddings_deinit(e);
    return 0;
}

/* As a large shop would: rows of counts pruned, ridge over them. */
static int learn_ridge(const struct dataset *d, const struct dataset_shape *shape)
{
    struct cooc_params cp = {.max_per_row = 500};
    struct cooc pairs;
    struct step s = step_begin("pairs_pruned");
    if (cooc_count(&d->baskets, &cp, &pairs, NULL))
        return 1;
    step_end(&s, cooc_estimate_bytes(shape, &cp), pairs.start[pairs.item_count]);
    for (uint32_t k = 50; k <= 200; k *= 2) {
        struct ridge_params rp = {.neighbours = k};
        struct ridge_report report;
        struct csr rows;
        s = step_begin(k == 50 ? "ridge_k50" : k == 100 ? "ridge_k100" : "ridge_k200");
        if (ridge_rows(&pairs, &rp, &rows, &report, NULL))
            return 1;
        step_end(&s, ridge_estimate_bytes(shape, &rp), csr_entries(&rows));
        printf("  %llu retried, %llu dropped\n", (unsigned long long)report.retried,
               (unsigned long long)report.dropped);
        csr_deinit(&rows);
    }
    cooc_deinit(&pairs);
    return 0;
}

static int learn_sequences(const struct dataset *d, const struct dataset_shape *shape)
{
    static const struct {
        const char *name;
        struct sequence_params params;
    } KINDS[] = {{"sequences", {.source_power = 0.5f}},
                 {"sequences_by_time", {.distance = 3, .by_time = true, .source_power = 0.5f}}};
    struct histories h;
    if (histories_of_users(d, &h, NULL))
        return 1;
    for (size_t x = 0; x < sizeof KINDS / sizeof *KINDS; x++) {
        struct csr rows;
        uint32_t *after;
        struct step s = step_begin(KINDS[x].name);
        if (sequence_rows(&h, &KINDS[x].params, &rows, &after, NULL))
            return 1;
        step_end(&s, sequence_estimate_bytes(shape, &KINDS[x].params), csr_entries(&rows));
        free(after);
        csr_deinit(&rows);
    }
    histories_deinit(&h);
    return 0;
}

/* Only where a full inverse is to be had. */
static int learn_ease(const struct dataset *d, const struct dataset_shape *shape)
{
    struct ease_params ep = {0};
    struct cooc pairs;
    struct csr rows;
    if (d->item_count > 15000)
        return 0;
    if (cooc_count(&d->baskets, &(struct cooc_params){0}, &pairs, NULL))
        return 1;
    struct step s = step_begin("ease");
    if (ease_rows(&pairs, &ep, &rows, NULL))
        return 1;
    step_end(&s, ease_estimate_bytes(shape, &ep), csr_entries(&rows));
    csr_deinit(&rows);
    cooc_deinit(&pairs);
    return 0;
}

static int learn_vectors(const struct dataset *d, const struct dataset_shape *shape)
{
    struct sgns_params sp = {0};
    struct embeddings e;
    struct step s = step_begin("embeddings");
    if (sgns_train(d, &sp, &e, NULL))
        return 1;
    step_end(&s, sgns_estimate_bytes(shape, &sp), e.item_count);
    return rank_vectors("embedding_rows", &e, EMBEDDINGS_ODDS);
}

static int learn_lowrank(const struct dataset *d, const struct dataset_shape *shape)
{
    struct lowrank_params params = {.dimensions = 64};
    struct embeddings e;
    struct step s = step_begin("lowrank");
    if (lowrank_train(&d->baskets, &params, &e, NULL, NULL))
        return 1;
    step_end(&s, lowrank_estimate_bytes(shape, &params), e.item_count);
    return rank_vectors("lowrank_rows", &e, EMBEDDINGS_SCORE);
}

static struct str name_of(void *context, uint32_t item_key)
{
    static char name[16];
    (void)context;
    snprintf(name, sizeof name, "%u", item_key);
    return str_of(name);
}

/* All of it, as the trainer does. */
static int build_model(const struct dataset *d, uint32_t least)
{
    struct build_params params = {.min_support = least};
    struct build_report report;
    struct step s = step_begin("model");
    struct model *m = model_build(d, name_of, NULL, &params, &report, NULL);
    if (!m)
        return 1;
    step_end(&s, report.estimate_bytes, model_bytes(m));
    for (uint32_t x = 0; x < report.step_count; x++)
        printf("  %-12s %7.2f s %7.2f cpu s %11llu made, %7.1f MB\n", report.steps[x].name,
               report.steps[x].wall_s, report.steps[x].cpu_s,
               (unsigned long long)report.steps[x].count, (double)report.steps[x].bytes / 1e6);
    model_unref(m);
    return 0;
}

static uint32_t argument(int argc, char **argv, int at, uint32_t otherwise)
{
    uint64_t value = otherwise;
    return argc > at && str_to_u64(str_of(argv[at]), &value) ? (uint32_t)value : otherwise;
}

static bool load_uci(struct dataset *d)
{
    struct uci uci;
    if (!uci_load(&uci)) {
        puts("skipped: no shared data");
        return false;
    }
    uci_dataset(&uci, uci.baskets.rows, d);
    uci_free(&uci);
    return true;
}

int main(int argc, char **argv)
{
    struct dataset d;
    struct dataset_shape shape;
    struct popularity popularity;
    bool uci = argc > 1 && strcmp(argv[1], "uci") == 0;
    struct step s = step_begin("orders");
    if (uci && !load_uci(&d))
        return 0;
    if (!uci)
        make_orders(argument(argc, argv, 2, 100000), argument(argc, argv, 3, 2000000), &d);
    dataset_shape_of(&d, &shape);
    step_end(&s, 0, shape.lines);
    printf("  %u items, %u orders, %llu pairs\n", d.item_count, d.basket_count,
           (unsigned long long)shape.pairs);
    s = step_begin("popularity");
    if (popularity_build(&d, 0, &popularity, NULL))
        return 1;
    step_end(&s, 0, popularity.item_count);
    popularity_deinit(&popularity);
    uint32_t least = argument(argc, argv, 1, uci ? 5 : 200);
    int bad = mine_rules(&d, &shape, least) || learn_pairs(&d, &shape) || learn_ridge(&d, &shape) ||
              learn_sequences(&d, &shape) || learn_ease(&d, &shape) || learn_vectors(&d, &shape) ||
              learn_lowrank(&d, &shape) || build_model(&d, least);
    dataset_deinit(&d);
    return bad;
}

/* Times the miner on the shared FIMI files against the published counts:
 * bench_mine [threads] [repeats]; 1 and 3 when left out. Counting (itemsets_count) and making
 * (itemsets_mine) apart. */
#include "base/clock.h"
#include "base/str.h"
#include "mine/itemsets.h"
#include "support/fimi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct task {
    const char *file;
    uint32_t min_support;
    uint64_t sets; /* not empty, of any length */
    double best_s; /* CPU seconds of the fastest peer, reading included */
};

static const struct task TASKS[] = {
    {"retail", 88, 7712, .11},          {"retail", 44, 19836, .19},
    {"retail", 9, 240852, .29},         {"retail", 5, 1506775, .40},
    {"T10I4D100K", 100, 27532, .22},    {"T10I4D100K", 20, 129875, .35},
    {"T10I4D100K", 10, 411365, .39},    {"mushroom", 812, 574513, .01},
    {"mushroom", 406, 3755705, .02},    {"chess", 1598, 1272932, .02},
    {"chess", 1278, 6472980, .05},      {"groceries", 10, 13492, .01},
    {"groceries", 5, 49580, .02},       {"online_retail", 104, 16352, .17},
    {"online_retail", 62, 192013, .34},
};

static double seconds(void)
{
    return (double)clock_mono_ns() / 1e9;
}

static int measure(const struct task *t, const struct csr *baskets, uint32_t threads,
                   uint32_t repeats)
{
    struct itemset_params p = {.min_support = t->min_support,
                               .max_length = UINT32_MAX,
                               .max_itemsets = UINT32_MAX - 1,
                               .threads = threads};
    double count_s = 1e9, make_s = 1e9;
    uint64_t count = 0;
    for (uint32_t r = 0; r < repeats; r++) {
        struct itemsets sets;
        struct error err = ERROR_INIT;
        double begin = seconds();
        if (itemsets_count(baskets, &p, &count, &err))
            return 1;
        double middle = seconds();
        if (itemsets_mine(baskets, &p, &sets, &err))
            return 1;
        double end = seconds();
        if (sets.count != count)
            return 1;
        count_s = middle - begin < count_s ? middle - begin : count_s;
        make_s = end - middle < make_s ? end - middle : make_s;
        itemsets_deinit(&sets);
    }
    printf("%-14s %5u %9llu sets%s, best peer, with reading: %.2f s\n", t->file, t->min_support,
           (unsigned long long)count, count == t->sets ? "" : " WRONG", t->best_s);
    printf("result mine.count.%s.%u.threads%u %.4f s\n", t->file, t->min_support, threads, count_s);
    printf("result mine.make.%s.%u.threads%u %.4f s\n", t->file, t->min_support, threads, make_s);
    return count != t->sets;
}

static uint32_t argument(int argc, char **argv, int at, uint32_t otherwise)
{
    uint64_t value;
    return argc > at && str_to_u64(str_of(argv[at]), &value) ? (uint32_t)value : otherwise;
}

int main(int argc, char **argv)
{
    uint32_t threads = argument(argc, argv, 1, 1), repeats = argument(argc, argv, 2, 3);
    const char *loaded = "";
    struct csr baskets = {0};
    int bad = 0;
    for (size_t i = 0; i < sizeof TASKS / sizeof *TASKS; i++) {
        if (strcmp(loaded, TASKS[i].file) != 0) {
            csr_deinit(&baskets);
            if (!fimi_read(TASKS[i].file, &baskets)) {
                puts("skipped: no shared data");
                return 0;
            }
            loaded = TASKS[i].file;
        }
        bad += measure(&TASKS[i], &baskets, threads, repeats);
    }
    csr_deinit(&baskets);
    return bad != 0;
}

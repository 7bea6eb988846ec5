/* Times making rules on the shared FIMI files against the published counts: bench_rules [threads].
 * Plain rules as other miners give them (the time of the fastest peer is of mining and rules, from
 * the file), and with every test: q over all candidates and improvement over all sub-rules. */
#include "base/clock.h"
#include "base/str.h"
#include "mine/rules.h"
#include "support/fimi.h"

#include <stdio.h>

struct task {
    const char *file;
    uint32_t min_support;
    double confidence;
    uint64_t rules; /* without the peers' rules of an empty left side */
    double best_s;
};

static const struct task TASKS[] = {
    {"groceries", 10, 0.2, 21633, .03},      {"retail", 44, 0.2, 22356, .36},
    {"retail", 9, 0.5, 370233, 1.67},        {"online_retail", 104, 0.3, 26360, .18},
    {"online_retail", 62, 0.3, 605472, .69},
};

static double seconds(void)
{
    return (double)clock_mono_ns() / 1e9;
}

static int count(void *context, const struct rule *rule)
{
    uint64_t *productive = context;
    *productive += rule->productive;
    return 0;
}

static int measure(const struct task *t, const struct csr *baskets, uint32_t threads)
{
    struct itemset_params mining = {.min_support = t->min_support,
                                    .max_length = UINT32_MAX,
                                    .max_itemsets = UINT32_MAX - 1,
                                    .threads = threads};
    struct rule_params p = {.min_confidence = t->confidence,
                            .min_lift = 1e-9,
                            .max_fisher_p = 1,
                            .max_antecedent = UINT32_MAX,
                            .threads = threads};
    struct itemsets sets;
    struct rule_tally plain, tested;
    uint64_t productive = 0;
    double begin = seconds();
    if (itemsets_mine(baskets, &mining, &sets, NULL))
        return 1;
    double mined = seconds();
    if (rules_visit(&sets, &p, count, &productive, &plain, NULL))
        return 1;
    double made = seconds();
    p.with_q = p.with_improvement = true;
    if (rules_visit(&sets, &p, count, &productive, &tested, NULL))
        return 1;
    double told = seconds();
    itemsets_deinit(&sets);
    printf("%-14s %5u %9llu rules%s, %llu productive, of %llu candidates; sets %.3f s, best peer, "
           "with sets and reading: %.2f s\n",
           t->file, t->min_support, (unsigned long long)plain.found,
           plain.found == t->rules ? "" : " WRONG", (unsigned long long)productive,
           (unsigned long long)plain.candidates, mined - begin, t->best_s);
    printf("result rules.plain.%s.%u.threads%u %.4f s\n", t->file, t->min_support, threads,
           made - mined);
    printf("result rules.tested.%s.%u.threads%u %.4f s\n", t->file, t->min_support, threads,
           told - made);
    return plain.found != t->rules || tested.found != t->rules;
}

int main(int argc, char **argv)
{
    uint64_t threads = 1;
    int bad = 0;
    if (argc > 1 && !str_to_u64(str_of(argv[1]), &threads))
        return 2;
    for (size_t i = 0; i < sizeof TASKS / sizeof *TASKS; i++) {
        struct csr baskets;
        if (!fimi_read(TASKS[i].file, &baskets)) {
            puts("skipped: no shared data");
            return 0;
        }
        bad |= measure(&TASKS[i], &baskets, (uint32_t)threads);
        csr_deinit(&baskets);
    }
    return bad;
}

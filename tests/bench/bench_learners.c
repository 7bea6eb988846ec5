/* Basket completion on UCI Online Retail, the first 80 % of the baskets for training: HR@10 and
 * NDCG@10 of each learner against published figures (outside their interval: exit 1). Up to three
 * random items of each test basket are asked for in turn, given all its others; all items are
 * ranked; ties: more orders, then the smaller number. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "learn/cooc.h"
#include "learn/sgns.h"
#include "support/uci.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TARGETS   3
#define NOT_KNOWN UINT32_MAX

struct protocol {
    struct uci uci;
    struct dataset train;
    uint32_t *index; /* [codes] the training set's index of a code, NOT_KNOWN */
    uint32_t first_test;
};

struct score {
    double hits, ndcg;
    uint32_t queries;
};

/* Adds the scores of all items for the context. */
typedef void (*scorer)(const void *model, const uint32_t *context, uint32_t count, float *scores);

static void score_rows(const void *model, const uint32_t *context, uint32_t count, float *scores)
{
    const struct csr *rows = model;
    for (uint32_t c = 0; c < count; c++)
        for (uint64_t e = rows->start[context[c]]; e < rows->start[context[c] + 1]; e++)
            scores[rows->column[e]] += rows->value[e];
}

static void score_vectors(const void *model, const uint32_t *context, uint32_t count, float *scores)
{
    const struct embeddings *e = model;
    float sum[512] = {0};
    for (uint32_t c = 0; c < count; c++)
        for (uint32_t k = 0; k < e->dimensions; k++)
            sum[k] += e->in[(size_t)context[c] * e->dimensions + k];
    for (uint32_t j = 0; j < e->item_count; j++)
        for (uint32_t k = 0; k < e->dimensions; k++)
            scores[j] += sum[k] * e->out[(size_t)j * e->dimensions + k];
}

static uint32_t rank_of(const struct dataset *d, const float *scores, uint32_t target)
{
    uint32_t rank = 0;
    for (uint32_t j = 0; j < d->item_count; j++) {
        if (scores[j] != scores[target])
            rank += scores[j] > scores[target];
        else if (d->item_orders[j] != d->item_orders[target])
            rank += d->item_orders[j] > d->item_orders[target];
        else
            rank += j < target;
    }
    return rank;
}

static void ask(const struct protocol *p, scorer score, const void *model, uint32_t *items,
                uint32_t count, struct score *out, float *scores)
{
    uint32_t target = items[0];
    memset(scores, 0, p->train.item_count * sizeof *scores);
    score(model, items + 1, count - 1, scores);
    for (uint32_t i = 1; i < count; i++)
        scores[items[i]] = -1e30f;
    uint32_t rank = rank_of(&p->train, scores, target);
    out->queries++;
    if (rank < 10) {
        out->hits++;
        out->ndcg += 1 / log2(rank + 2);
    }
}

static struct score evaluate(const struct protocol *p, scorer score, const void *model)
{
    struct score out = {0};
    struct rng r;
    uint32_t items[4096];
    float *scores;
    MEM_NEW(scores, p->train.item_count);
    rng_seed(&r, 1);
    for (uint32_t b = p->first_test; scores && b < p->uci.baskets.rows; b++) {
        uint32_t count = 0;
        for (uint64_t e = p->uci.baskets.start[b]; e < p->uci.baskets.start[b + 1]; e++)
            if (p->index[p->uci.baskets.column[e]] != NOT_KNOWN)
                items[count++] = p->index[p->uci.baskets.column[e]];
        for (uint32_t t = 0; t < TARGETS && t < count && count >= 2; t++) {
            /* the first t places hold earlier targets: each item is asked for once */
            uint32_t pick = t + rng_below(&r, count - t), swap = items[pick];
            items[pick] = items[t];
            items[t] = items[0];
            items[0] = swap;
            ask(p, score, model, items, count, &out, scores);
            swap = items[0];
            items[0] = items[t];
            items[t] = swap;
        }
    }
    free(scores);
    return out;
}

/* False: outside the published figure's interval. */
static bool report(const char *name, struct score s, double published, double seconds)
{
    double hr = s.hits / s.queries, margin = 1.96 * sqrt(hr * (1 - hr) / s.queries);
    printf("%s: %u queries, HR@10 %.4f +-%.4f (published %.4f), NDCG@10 %.4f\n", name, s.queries,
           hr, margin, published, s.ndcg / s.queries);
    printf("result learn.%s.hr10 %.4f share\n", name, hr);
    printf("result learn.%s.ndcg10 %.4f share\n", name, s.ndcg / s.queries);
    printf("result learn.%s.training %.2f s\n", name, seconds);
    return published == 0 || fabs(hr - published) <= margin;
}

static double since(uint64_t begin)
{
    return (double)(clock_mono_ns() - begin) / 1e9;
}

static bool check_pairs(const struct protocol *p)
{
    static const struct {
        const char *name;
        enum weight weight;
        double published;
    } WEIGHTS[] = {{"cosine", WEIGHT_COSINE, 0.1678},
                   {"llr", WEIGHT_LLR, 0.2086},
                   {"jaccard", WEIGHT_JACCARD, 0.1931}};
    struct cooc pairs;
    struct cooc_params params = {0};
    uint64_t begin = clock_mono_ns();
    bool good = true;
    if (cooc_count(&p->train.baskets, &params, &pairs, NULL))
        return false;
    double counting = since(begin);
    for (size_t w = 0; w < sizeof WEIGHTS / sizeof *WEIGHTS; w++) {
        struct csr rows;
        begin = clock_mono_ns();
        if (cooc_rows(&pairs, WEIGHTS[w].weight, 200, &rows, NULL))
            return false;
        double seconds = counting + since(begin);
        good &=
            report(WEIGHTS[w].name, evaluate(p, score_rows, &rows), WEIGHTS[w].published, seconds);
        csr_deinit(&rows);
    }
    cooc_deinit(&pairs);
    return good;
}

static bool check_vectors(const struct protocol *p)
{
    struct embeddings e;
    struct csr rows;
    struct sgns_params params = {0};
    uint64_t begin = clock_mono_ns();
    if (sgns_train(&p->train, &params, &e, NULL))
        return false;
    double seconds = since(begin);
    bool good = report("embeddings", evaluate(p, score_vectors, &e), 0.1693, seconds);
    begin = clock_mono_ns();
    if (embeddings_rows(&e, 200, NULL, &rows, NULL))
        return false;
    good &= report("embedding_rows", evaluate(p, score_rows, &rows), 0, seconds + since(begin));
    csr_deinit(&rows);
    embeddings_deinit(&e);
    return good;
}

static bool load(struct protocol *p)
{
    p->first_test = (uint32_t)(p->uci.baskets.rows * 0.8);
    uci_dataset(&p->uci, p->first_test, &p->train);
    if (!MEM_NEW(p->index, p->uci.codes.count))
        return false;
    memset(p->index, 0xff, p->uci.codes.count * sizeof *p->index);
    for (uint32_t i = 0; i < p->train.item_count; i++)
        p->index[p->train.item_key[i] - 1] = i;
    return true;
}

int main(void)
{
    struct protocol p = {0};
    if (!uci_load(&p.uci)) {
        puts("skipped: no shared data");
        return 0;
    }
    if (!load(&p))
        return 1;
    printf("training: %u baskets, %llu lines, %u items; %u test baskets\n", p.train.basket_count,
           (unsigned long long)csr_entries(&p.train.baskets), p.train.item_count,
           p.uci.baskets.rows - p.first_test);
    bool good = check_pairs(&p) & check_vectors(&p);
    free(p.index);
    dataset_deinit(&p.train);
    uci_free(&p.uci);
    return good ? 0 : 1;
}

/* Each learner against published figures (outside their interval: exit 1), by the protocols of
 * support/protocol.h: HR@10, NDCG@10, time of training. */
#include "base/clock.h"
#include "learn/cooc.h"
#include "learn/ease.h"
#include "learn/lowrank.h"
#include "learn/ridge.h"
#include "learn/sequence.h"
#include "learn/sgns.h"
#include "support/protocol.h"

#include <math.h>
#include <stdio.h>

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

/* False: outside the published figure's interval. */
static bool report(const char *name, struct outcome s, double published, double seconds)
{
    double hr = s.hit_rate, margin = 1.96 * sqrt(hr * (1 - hr) / s.questions);
    printf("%s: %u questions, HR@10 %.4f +-%.4f (published %.4f), NDCG@10 %.4f, coverage %.2f\n",
           name, s.questions, hr, margin, published, s.ndcg, s.coverage);
    printf("result learn.%s.hr10 %.4f share\n", name, hr);
    printf("result learn.%s.ndcg10 %.4f share\n", name, s.ndcg);
    printf("result learn.%s.training %.2f s\n", name, seconds);
    return published == 0 || fabs(hr - published) <= margin;
}

static double since(uint64_t begin)
{
    return (double)(clock_mono_ns() - begin) / 1e9;
}

static struct outcome rank_rows(const struct completion *c, const struct csr *rows)
{
    struct protocol_rows model = {rows, 1};
    return completion_rank(c, protocol_by_rows, &model);
}

static bool check_pairs(const struct completion *c)
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
    if (cooc_count(&c->train.baskets, &params, &pairs, NULL))
        return false;
    double counting = since(begin);
    for (size_t w = 0; w < sizeof WEIGHTS / sizeof *WEIGHTS; w++) {
        struct csr rows;
        begin = clock_mono_ns();
        if (cooc_rows(&pairs, &(struct cooc_rows_params){.weight = WEIGHTS[w].weight, .k = 200},
                      &rows, NULL))
            return false;
        double seconds = counting + since(begin);
        good &= report(WEIGHTS[w].name, rank_rows(c, &rows), WEIGHTS[w].published, seconds);
        csr_deinit(&rows);
    }
    cooc_deinit(&pairs);
    return good;
}

static bool check_ridge(const struct completion *c, float unit_power)
{
    static const struct {
        const char *name;
        uint32_t neighbours;
        float lambda, unit_power;
        double published;
    } RIDGES[] = {{"ridge.k50.l200", 50, 200, 0, 0.3068},
                  {"ridge.k50.l50", 50, 50, 0, 0.3191},
                  {"ridge.k100.l50", 100, 50, 0, 0.3208},
                  {"ridge.k200.l50", 200, 50, 0, 0.3224},
                  {"ridge.k200.l20.by_size", 200, 20, 0.5f, 0}};
    struct cooc pairs;
    struct cooc_params counting = {.unit_power = unit_power};
    bool good = true;
    if (cooc_count(&c->train.baskets, &counting, &pairs, NULL))
        return false;
    for (size_t x = 0; x < sizeof RIDGES / sizeof *RIDGES; x++) {
        struct csr rows;
        struct ridge_report done;
        if (RIDGES[x].unit_power != unit_power)
            continue;
        struct ridge_params params = {
            .neighbours = RIDGES[x].neighbours, .lambdas = &RIDGES[x].lambda, .lambda_count = 1};
        uint64_t begin = clock_mono_ns();
        if (ridge_rows(&pairs, &params, &rows, &done, NULL))
            return false;
        double seconds = since(begin);
        good &= report(RIDGES[x].name, rank_rows(c, &rows), RIDGES[x].published, seconds);
        printf("  %llu retried, %llu dropped\n", (unsigned long long)done.retried,
               (unsigned long long)done.dropped);
        csr_deinit(&rows);
    }
    cooc_deinit(&pairs);
    return good;
}

static bool check_ease(const struct completion *c)
{
    struct cooc pairs;
    struct csr rows;
    if (cooc_count(&c->train.baskets, &(struct cooc_params){0}, &pairs, NULL))
        return false;
    uint64_t begin = clock_mono_ns();
    if (ease_rows(&pairs, &(struct ease_params){.lambda = 200}, &rows, NULL))
        return false;
    double seconds = since(begin);
    bool good = report("ease.l200", rank_rows(c, &rows), 0.3077, seconds);
    csr_deinit(&rows);
    cooc_deinit(&pairs);
    return good;
}

static bool check_vectors(const struct completion *c)
{
    struct embeddings e;
    struct csr rows;
    struct sgns_params params = {0};
    uint64_t begin = clock_mono_ns();
    if (sgns_train(&c->train, &params, &e, NULL))
        return false;
    double seconds = since(begin);
    bool good = report("embeddings", completion_rank(c, score_vectors, &e), 0.1693, seconds);
    begin = clock_mono_ns();
    if (embeddings_rows(&e, &(struct embeddings_rows_params){.k = 200}, &rows, NULL))
        return false;
    good &= report("embedding_rows", rank_rows(c, &rows), 0, seconds + since(begin));
    csr_deinit(&rows);
    embeddings_deinit(&e);
    return good;
}

static bool check_completion(void)
{
    struct completion c;
    if (!completion_load(&c))
        return true;
    printf("training: %u baskets, %llu lines, %u items; %u test baskets\n", c.train.basket_count,
           (unsigned long long)csr_entries(&c.train.baskets), c.train.item_count,
           c.uci.baskets.rows - c.first_test);
    bool good = check_pairs(&c) & check_ridge(&c, 0) & check_ridge(&c, 0.5f) & check_ease(&c) &
                check_vectors(&c);
    completion_free(&c);
    return good;
}

static bool check_lowrank(const struct lastitem *l)
{
    struct embeddings e;
    struct csr rows;
    uint64_t begin = clock_mono_ns();
    if (lowrank_train(&l->sets, &(struct lowrank_params){0}, &e, NULL, NULL))
        return false;
    double vectors = since(begin);
    struct embeddings_rows_params params = {.k = 200, .weight = EMBEDDINGS_SCORE};
    if (embeddings_rows(&e, &params, &rows, NULL))
        return false;
    double seconds = since(begin);
    struct protocol_rows model = {&rows, 0.8f};
    bool good = report("beauty.lowrank", lastitem_rank(l, protocol_by_rows, &model), 0, seconds);
    printf("  vectors %.2f s\n", vectors);
    csr_deinit(&rows);
    embeddings_deinit(&e);
    return good;
}

static bool check_sequences(const struct lastitem *l)
{
    static const struct {
        const char *name;
        struct sequence_params params;
        float decay;
        double published;
    } RULES[] = {{"beauty.sequence", {.source_power = 1}, 0.7f, 0.0791},
                 {"beauty.sequence.far",
                  {.distance = 50, .gap_power = 0.7f, .source_power = 0.5f, .target_power = 0.1f},
                  0.6f,
                  0}};
    bool good = true;
    for (size_t x = 0; x < sizeof RULES / sizeof *RULES; x++) {
        struct csr rows;
        uint64_t begin = clock_mono_ns();
        if (sequence_rows(&l->train, &RULES[x].params, &rows, NULL, NULL))
            return false;
        double seconds = since(begin);
        struct protocol_rows model = {&rows, RULES[x].decay};
        struct outcome found = lastitem_rank(l, protocol_by_rows, &model);
        good &= report(RULES[x].name, found, RULES[x].published, seconds);
        csr_deinit(&rows);
    }
    return good;
}

static bool check_last_item(void)
{
    struct lastitem l;
    struct cooc pairs;
    struct csr rows;
    if (!lastitem_load(&l, "sequences/beauty.txt.gz"))
        return true;
    uint64_t begin = clock_mono_ns();
    struct ridge_params params = {.neighbours = 50, .lambdas = (float[]){100}, .lambda_count = 1};
    if (cooc_count(&l.sets, &(struct cooc_params){0}, &pairs, NULL) ||
        ridge_rows(&pairs, &params, &rows, NULL, NULL))
        return false;
    double seconds = since(begin);
    struct protocol_rows model = {&rows, 0.7f};
    bool good =
        report("beauty.ridge", lastitem_rank(&l, protocol_by_rows, &model), 0.0793, seconds);
    csr_deinit(&rows);
    cooc_deinit(&pairs);
    good &= check_lowrank(&l);
    good &= check_sequences(&l);
    lastitem_free(&l);
    return good;
}

int main(void)
{
    bool good = check_completion();
    good &= check_last_item();
    return good ? 0 : 1;
}

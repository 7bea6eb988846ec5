/* A round draws baskets until it has its number of pairs, then the pairs, piece by piece: each
 * piece has its own generator, so who draws it does not matter. Noise is drawn by Vose's alias
 * method. */
#include "sgns_internal.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* More blocks let more threads work; smaller ones make worse noise. */
#define ITEMS_PER_BLOCK 64
#define ROUND_PAIRS_MAX (1u << 20)
#define ROUND_PAIRS_MIN 1024
#define ROUNDS_AT_LEAST 64
#define BASKETS_A_PIECE 64

void deal_seed(struct rng *r, uint64_t seed, enum deal_stream stream, uint64_t number)
{
    rng_seed(r, seed + 0x9E3779B97F4A7C15u * (stream + 8 * number));
}

/* Ordered pairs a basket gives when it is drawn. */
static uint32_t basket_pairs(const struct deal *deal, uint32_t basket)
{
    uint64_t size = deal->d->baskets.start[basket + 1] - deal->d->baskets.start[basket];
    if (size < 2)
        return 0;
    return (uint32_t)(size * (size - 1 < deal->pairs ? size - 1 : deal->pairs));
}

static void draw_baskets(struct deal *deal, struct rng *r)
{
    deal->basket_count = deal->pair_count = 0;
    while (deal->pair_count < deal->round_pairs) {
        uint32_t basket = deal->usable[rng_below(r, deal->usable_count)];
        deal->basket[deal->basket_count] = basket;
        deal->first_pair[deal->basket_count++] = deal->pair_count;
        deal->pair_count += basket_pairs(deal, basket);
    }
}

static void draw_pairs_of(struct deal *deal, struct rng *r, uint32_t drawn)
{
    uint32_t basket = deal->basket[drawn];
    const uint32_t *items = deal->d->baskets.column + deal->d->baskets.start[basket];
    uint32_t size = (uint32_t)(deal->d->baskets.start[basket + 1] - deal->d->baskets.start[basket]);
    uint32_t count = basket_pairs(deal, basket), each = count ? count / size : 0;
    struct deal_pair *to = deal->drawn + deal->first_pair[drawn];
    for (uint32_t k = 0; k < count; k++) {
        uint32_t in = k / each, out = rng_below(r, size - 1);
        *to++ = (struct deal_pair){items[in], items[out + (out >= in)]};
    }
}

static void draw_pieces(void *context, uint32_t worker)
{
    struct deal *deal = context;
    uint64_t begin, end;
    (void)worker;
    while (cursor_take(&deal->cursor, &begin, &end)) {
        struct rng r;
        deal_seed(&r, deal->seed, STREAM_PIECE, deal->round << 20 | begin / BASKETS_A_PIECE);
        for (uint64_t drawn = begin; drawn < end; drawn++)
            draw_pairs_of(deal, &r, (uint32_t)drawn);
    }
}

uint32_t deal_block_start(const struct deal *deal, uint32_t block)
{
    return (uint32_t)((uint64_t)deal->d->item_count * block / deal->blocks);
}

/* Vose's tables: columns below the mean are filled up by those above. `small` and `large` are two
 * stacks in one array, from both ends. */
static void make_noise(struct deal_noise *table, uint32_t count, const float *weight,
                       uint32_t *stack, double *scaled)
{
    double total = 0;
    uint32_t small = 0, large = count;
    for (uint32_t k = 0; k < count; k++)
        total += weight[table[k].item];
    for (uint32_t k = 0; k < count; k++) {
        scaled[k] = (double)weight[table[k].item] * count / total;
        if (scaled[k] < 1)
            stack[small++] = k;
        else
            stack[--large] = k;
    }
    while (small > 0 && large < count) {
        uint32_t low = stack[--small], high = stack[large++];
        table[low].accept = (uint32_t)(scaled[low] * UINT32_MAX);
        table[low].alias = table[high].item;
        scaled[high] -= 1 - scaled[low];
        if (scaled[high] < 1)
            stack[small++] = high;
        else
            stack[--large] = high;
    }
    for (; large < count; large++)
        table[stack[large]].accept = UINT32_MAX;
    while (small > 0) /* left by rounding only */
        table[stack[--small]].accept = UINT32_MAX;
}

/* New random blocks, with a noise table each. */
static bool deal_items(struct deal *deal, struct rng *r)
{
    uint32_t items = deal->d->item_count, *stack;
    double *scaled;
    for (uint32_t k = items; k > 1; k--) {
        uint32_t other = rng_below(r, k), swap = deal->order[other];
        deal->order[other] = deal->order[k - 1];
        deal->order[k - 1] = swap;
    }
    MEM_NEW(stack, items);
    MEM_NEW(scaled, items);
    bool good = stack && scaled;
    for (uint32_t b = 0; good && b < deal->blocks; b++) {
        uint32_t begin = deal_block_start(deal, b), end = deal_block_start(deal, b + 1);
        for (uint32_t k = begin; k < end; k++) {
            deal->block_of[deal->order[k]] = (uint8_t)b;
            deal->noise[k] = (struct deal_noise){deal->order[k], deal->order[k], 0};
        }
        make_noise(deal->noise + begin, end - begin, deal->noise_weight, stack, scaled);
    }
    free(stack);
    free(scaled);
    return good;
}

static void deal_pairs(struct deal *deal)
{
    uint32_t strata = deal->blocks * deal->blocks;
    uint32_t *next = deal->stratum + 1; /* counts, then where a stratum grows, at last its end */
    memset(deal->stratum, 0, sizeof deal->stratum);
    for (uint32_t k = 0; k < deal->pair_count; k++)
        next[deal->block_of[deal->drawn[k].in] * deal->blocks +
             deal->block_of[deal->drawn[k].out]]++;
    uint32_t before = 0;
    for (uint32_t s = 0; s < strata; s++) {
        uint32_t count = next[s];
        next[s] = before;
        before += count;
    }
    for (uint32_t k = 0; k < deal->pair_count; k++) {
        struct deal_pair pair = deal->drawn[k];
        deal->dealt[next[deal->block_of[pair.in] * deal->blocks + deal->block_of[pair.out]]++] =
            pair;
    }
}

/* Lists the usable baskets and counts the pairs of the whole training; *largest: of one basket. */
static void count_pairs(struct deal *deal, uint32_t *largest)
{
    uint64_t pairs = 0;
    *largest = 0;
    for (uint32_t b = 0; b < deal->d->basket_count; b++) {
        uint32_t of_basket = basket_pairs(deal, b);
        if (of_basket)
            deal->usable[deal->usable_count++] = b;
        *largest = of_basket > *largest ? of_basket : *largest;
        pairs += of_basket;
    }
    pairs *= deal->epochs;
    deal->total_pairs = pairs < deal->max_pairs ? pairs : deal->max_pairs;
}

uint32_t deal_round_pairs(uint64_t total)
{
    uint64_t pairs = total / ROUNDS_AT_LEAST;
    pairs = pairs < ROUND_PAIRS_MAX ? pairs : ROUND_PAIRS_MAX;
    return (uint32_t)(pairs > ROUND_PAIRS_MIN ? pairs : ROUND_PAIRS_MIN);
}

int deal_init(struct deal *deal)
{
    uint32_t items = deal->d->item_count, largest;
    if (!MEM_NEW(deal->usable, deal->d->basket_count))
        return ERR_NOMEM;
    count_pairs(deal, &largest);
    deal->round_pairs = deal_round_pairs(deal->total_pairs);
    deal->blocks = items / ITEMS_PER_BLOCK < BLOCKS_MAX ? items / ITEMS_PER_BLOCK : BLOCKS_MAX;
    deal->blocks = deal->blocks ? deal->blocks : 1;
    MEM_NEW(deal->noise_weight, items);
    MEM_NEW(deal->order, items);
    MEM_NEW(deal->block_of, items);
    MEM_NEW(deal->noise, items);
    MEM_NEW(deal->basket, deal->round_pairs); /* each gives two pairs or more */
    MEM_NEW(deal->first_pair, deal->round_pairs);
    MEM_NEW(deal->drawn, (size_t)deal->round_pairs + largest);
    MEM_NEW(deal->dealt, (size_t)deal->round_pairs + largest);
    if (!deal->noise_weight || !deal->order || !deal->block_of || !deal->noise || !deal->basket ||
        !deal->first_pair || !deal->drawn || !deal->dealt)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < items; i++) {
        deal->noise_weight[i] = powf((float)deal->d->item_orders[i], deal->power);
        deal->order[i] = i;
    }
    return 0;
}

void deal_deinit(struct deal *deal)
{
    free(deal->usable);
    free(deal->noise_weight);
    free(deal->order);
    free(deal->block_of);
    free(deal->noise);
    free(deal->basket);
    free(deal->first_pair);
    free(deal->drawn);
    free(deal->dealt);
}

int deal_round(struct deal *deal)
{
    struct rng r;
    deal_seed(&r, deal->seed, STREAM_ROUND, deal->round);
    draw_baskets(deal, &r);
    cursor_init(&deal->cursor, deal->basket_count, BASKETS_A_PIECE);
    parallel_run(deal->workers, draw_pieces, deal);
    if (!deal_items(deal, &r))
        return ERR_NOMEM;
    deal_pairs(deal);
    return 0;
}

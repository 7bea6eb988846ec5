/* While orders arrive, the builder appends their sorted distinct item keys to one flat array, with
 * time, user and end beside it. Finishing is four linear passes:
 *
 *   1. a bitmap of the keys seen, with the number of set bits before each block, gives each key its
 *      dense index (rank); ascending keys give ascending indices, so baskets stay sorted;
 *   2. a stable radix sort orders the baskets by time, skipped when they came in time order
 *      (time_order.c);
 *   3. baskets are copied in that order with keys replaced by ranks, items counted on the way;
 *   4. users get dense indices in the order of their first basket.
 *
 * Events go to a builder of their own (sessions.c), which gives store keys back: their items are
 * marked in the same bitmap.
 *
 * The bitmap has one bit per key up to the largest: store keys are handed out 1, 2, 3, …, so it
 * stays small and in cache. Memory at the peak: 8 bytes a line, about 60 bytes an order. */
#include "data/dataset.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "time_order.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MAX_ORDER_ITEMS 2000
#define INSERTION_SORT_MAX      32
#define BLOCK_WORDS             8 /* 512 bits: one cache line */

struct dataset_builder {
    uint32_t max_order_items;
    uint32_t max_key;
    VEC(uint32_t) keys;             /* all orders' keys, one order after the other */
    VEC(uint64_t) end;              /* [orders] into keys */
    VEC(int64_t) time;              /* [orders] */
    VEC(uint64_t) user;             /* [orders] */
    struct session_builder *events; /* NULL until the first event */
    struct session_limits session_limits;
};

struct rank {
    uint64_t *bits;
    uint32_t *before; /* [blocks] set bits before the block */
    uint64_t blocks;
};

static int out_of_memory(struct error *err)
{
    return error_set(err, ERR_NOMEM, "dataset: out of memory");
}

int dataset_init(struct dataset *d, const struct dataset_limits *limits, struct error *err)
{
    *d = (struct dataset){.weights = limits && limits->weights ? *limits->weights
                                                               : event_weights_default()};
    if (!MEM_ZNEW(d->builder, 1))
        return out_of_memory(err);
    uint32_t most = limits ? limits->max_order_items : 0;
    d->builder->max_order_items = most ? most : DEFAULT_MAX_ORDER_ITEMS;
    if (limits)
        d->builder->session_limits = limits->sessions;
    return 0;
}

static void builder_free(struct dataset_builder *b)
{
    if (!b)
        return;
    VEC_FREE(&b->keys);
    VEC_FREE(&b->end);
    VEC_FREE(&b->time);
    VEC_FREE(&b->user);
    session_builder_free(b->events);
    free(b);
}

void dataset_deinit(struct dataset *d)
{
    builder_free(d->builder);
    free(d->item_key);
    free(d->item_orders);
    csr_deinit(&d->baskets);
    free(d->time_ms);
    free(d->user);
    sessions_deinit(&d->sessions);
    *d = (struct dataset){0};
}

static int compare_keys(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void sort_keys(uint32_t *keys, uint32_t count)
{
    if (count > INSERTION_SORT_MAX) {
        qsort(keys, count, sizeof *keys, compare_keys);
        return;
    }
    for (uint32_t i = 1; i < count; i++) {
        uint32_t key = keys[i], j = i;
        for (; j > 0 && keys[j - 1] > key; j--)
            keys[j] = keys[j - 1];
        keys[j] = key;
    }
}

static uint32_t sort_distinct(uint32_t *keys, uint32_t count)
{
    sort_keys(keys, count);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (kept == 0 || keys[i] != keys[kept - 1])
            keys[kept++] = keys[i];
    return kept;
}

int dataset_add(struct dataset *d, int64_t time_ms, uint64_t user_key, const uint32_t *item_keys,
                uint32_t count, struct error *err)
{
    struct dataset_builder *b = d->builder;
    assert(b);
    if (count == 0)
        return 0;
    if (b->end.count >= UINT32_MAX - 1)
        return error_set(err, ERR_TOO_LARGE, "dataset: more than %u orders", UINT32_MAX - 1);
    size_t orders = b->end.count + 1;
    if (!VEC_RESERVE(&b->keys, b->keys.count + count) || !VEC_RESERVE(&b->end, orders) ||
        !VEC_RESERVE(&b->time, orders) || !VEC_RESERVE(&b->user, orders))
        return out_of_memory(err);
    uint32_t *keys = b->keys.at + b->keys.count;
    memcpy(keys, item_keys, count * sizeof *keys);
    uint32_t distinct = sort_distinct(keys, count);
    assert(keys[0] != 0 && keys[distinct - 1] != UINT32_MAX);
    if (distinct > b->max_order_items) {
        d->skipped_orders++;
        return 0;
    }
    if (keys[distinct - 1] > b->max_key)
        b->max_key = keys[distinct - 1];
    b->keys.count += distinct;
    b->end.at[b->end.count++] = b->keys.count;
    b->time.at[b->time.count++] = time_ms;
    b->user.at[b->user.count++] = user_key;
    return 0;
}

int dataset_add_basket(struct dataset *to, const struct dataset *d, uint32_t b, uint32_t *room,
                       struct error *err)
{
    uint32_t count = 0;
    for (uint64_t e = d->baskets.start[b]; e < d->baskets.start[b + 1]; e++)
        room[count++] = d->item_key[d->baskets.column[e]];
    return dataset_add(to, d->time_ms[b], dataset_user_key(d, b), room, count, err);
}

int dataset_add_event(struct dataset *d, const struct event *e, struct error *err)
{
    struct dataset_builder *b = d->builder;
    assert(b);
    assert(e->item != 0 && e->item != UINT32_MAX);
    if (!b->events && !(b->events = session_builder_new(&b->session_limits, err)))
        return ERR_NOMEM;
    int rc = session_builder_add(b->events, e, err);
    if (rc == 0 && e->item > b->max_key)
        b->max_key = e->item;
    return rc;
}

int dataset_add_sessions(struct dataset *to, const struct dataset *d, uint32_t count,
                         struct error *err)
{
    struct dataset_builder *b = to->builder;
    assert(b && !b->events && !to->sessions.rows.start);
    int rc = sessions_copy(&d->sessions, count, &to->sessions, err);
    if (rc)
        return rc;
    uint32_t *item = to->sessions.rows.item;
    for (uint64_t e = 0; e < sessions_events(&to->sessions); e++) {
        item[e] = d->item_key[item[e]];
        b->max_key = item[e] > b->max_key ? item[e] : b->max_key;
    }
    return 0;
}

static uint32_t rank_of(const struct rank *r, uint32_t key)
{
    uint32_t word = key / 64, block = word / BLOCK_WORDS;
    uint32_t rank = r->before[block];
    for (uint32_t w = block * BLOCK_WORDS; w < word; w++)
        rank += (uint32_t)__builtin_popcountll(r->bits[w]);
    uint64_t below = r->bits[word] & ((1ULL << (key % 64)) - 1);
    return rank + (uint32_t)__builtin_popcountll(below);
}

static void rank_deinit(struct rank *r)
{
    free(r->bits);
    free(r->before);
}

static void mark(struct rank *r, const uint32_t *keys, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        r->bits[keys[i] / 64] |= 1ULL << (keys[i] % 64);
}

/* Marks every key, numbers the blocks; *distinct: how many there are. */
static bool rank_build(struct rank *r, const struct dataset_builder *b, const struct sessions *s,
                       uint32_t *distinct)
{
    r->blocks = (uint64_t)b->max_key / (64 * BLOCK_WORDS) + 1;
    MEM_ZNEW(r->bits, r->blocks * BLOCK_WORDS);
    MEM_NEW(r->before, r->blocks);
    if (!r->bits || !r->before)
        return false;
    mark(r, b->keys.at, b->keys.count);
    mark(r, s->rows.item, sessions_events(s));
    uint32_t count = 0;
    for (uint64_t block = 0; block < r->blocks; block++) {
        r->before[block] = count;
        for (uint32_t w = 0; w < BLOCK_WORDS; w++)
            count += (uint32_t)__builtin_popcountll(r->bits[block * BLOCK_WORDS + w]);
    }
    *distinct = count;
    return true;
}

static void list_keys(const struct rank *r, uint32_t *item_key)
{
    uint32_t item = 0;
    for (uint64_t w = 0; w < r->blocks * BLOCK_WORDS; w++)
        for (uint64_t bits = r->bits[w]; bits; bits &= bits - 1)
            item_key[item++] = (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(bits);
}

static int number_users(struct dataset *d, const uint32_t *order, struct error *err)
{
    const uint64_t *key = d->builder->user.at;
    struct u64map users;
    u64map_init(&users);
    int rc = 0;
    for (uint32_t i = 0; i < d->basket_count && rc == 0; i++) {
        d->user[i] = DATASET_NO_USER;
        if (key[order[i]] == 0)
            continue;
        d->user[i] = u64map_get(&users, key[order[i]]);
        if (d->user[i] != MAP_NONE)
            continue;
        d->user[i] = d->user_count;
        if (u64map_set(&users, key[order[i]], d->user_count))
            d->user_count++;
        else
            rc = out_of_memory(err);
    }
    u64map_deinit(&users);
    return rc;
}

static void fill_baskets(struct dataset *d, const struct rank *rank, const uint32_t *order)
{
    const struct dataset_builder *b = d->builder;
    uint64_t at = 0;
    for (uint32_t i = 0; i < d->basket_count; i++) {
        uint32_t from = order[i];
        uint64_t begin = from ? b->end.at[from - 1] : 0;
        d->time_ms[i] = b->time.at[from];
        for (uint64_t k = begin; k < b->end.at[from]; k++) {
            uint32_t item = rank_of(rank, b->keys.at[k]);
            d->baskets.column[at++] = item;
            d->item_orders[item]++;
        }
        d->baskets.start[i + 1] = at;
    }
    assert(at == b->keys.count);
}

static int finish_sessions(struct dataset *d, struct error *err)
{
    struct dataset_builder *b = d->builder;
    if (d->sessions.rows.start)
        return 0; /* another dataset's */
    if (!b->events && !(b->events = session_builder_new(NULL, err)))
        return ERR_NOMEM;
    int rc = session_builder_finish(b->events, &d->sessions, err);
    session_builder_free(b->events);
    b->events = NULL;
    return rc;
}

static void number_event_items(struct dataset *d, const struct rank *rank)
{
    struct histories *rows = &d->sessions.rows;
    rows->item_count = d->item_count;
    for (uint64_t e = 0; e < sessions_events(&d->sessions); e++)
        rows->item[e] = rank_of(rank, rows->item[e]);
}

int dataset_finish(struct dataset *d, struct error *err)
{
    struct dataset_builder *b = d->builder;
    assert(b);
    struct rank rank = {0};
    uint32_t *order = NULL;
    int rc = finish_sessions(d, err);
    if (rc)
        goto done;
    rc = ERR_NOMEM;
    d->basket_count = (uint32_t)b->end.count;
    if (!rank_build(&rank, b, &d->sessions, &d->item_count))
        goto done;
    MEM_NEW(d->item_key, d->item_count);
    MEM_ZNEW(d->item_orders, d->item_count);
    MEM_NEW(d->time_ms, d->basket_count);
    MEM_NEW(d->user, d->basket_count);
    if (!d->item_key || !d->item_orders || !d->time_ms || !d->user)
        goto done;
    order = order_by_time(b->time.at, d->basket_count);
    if (!order)
        goto done;
    rc = csr_alloc(&d->baskets, d->basket_count, d->item_count, b->keys.count, 0, err);
    if (rc)
        goto done;
    list_keys(&rank, d->item_key);
    fill_baskets(d, &rank, order);
    number_event_items(d, &rank);
    rc = number_users(d, order, err);
done:
    free(order);
    rank_deinit(&rank);
    builder_free(b);
    d->builder = NULL;
    return rc ? error_set(err, rc, "dataset: out of memory") : 0;
}

size_t dataset_bytes(const struct dataset *d)
{
    size_t items = (size_t)d->item_count * (sizeof *d->item_key + sizeof *d->item_orders);
    size_t baskets = (size_t)d->basket_count * (sizeof *d->time_ms + sizeof *d->user);
    return items + baskets + csr_bytes(&d->baskets) + sessions_bytes(&d->sessions);
}

/* The end of a branch with few items left: a table of 2^k counters, one for each combination of the
 * survivors. The rows are added up by what they hold; then each combination gets the sum over its
 * supersets (Yates' transform, k 2^(k-1) additions), which is its support. Counters have 16 bits,
 * four to a word and eight to a vector; that no sum is more than the support of the prefix keeps
 * them from running over.
 *
 * Closed sets: the same transform with AND instead of + over words that hold a row's survivors and,
 * above them, what it holds of the past: what all baskets of a combination share, its closure. It
 * is closed if that is itself. Maximal sets: the past gets counters too, and a combination is
 * maximal if no single further item leaves it frequent.
 *
 * Combinations are walked depth first, so that a set differs from the one before in its last items
 * only, and supersets of infrequent ones are never looked at. */
#include "itemsets_search.h"

#include <string.h>

/* 2^14 counters: 32 KiB, the level-1 cache. */
#define TABLE_BITS 14
/* Closures take eight bytes. */
#define CLOSURE_BITS 12
/* Additions of a table that cost as much as one step of a sweep. */
#define TABLE_ADDS   96
#define CLOSURE_ADDS 30
/* More rows are not searched for those of a combination. */
#define ROWS_MAX 2048

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the first counter of a word is its low end");
typedef uint16_t counters __attribute__((vector_size(16), may_alias));
typedef uint64_t word __attribute__((may_alias));

/* Of a combination: to be given out; not itself, but maybe those behind it; none of them. */
enum verdict { WANTED, PASSING, USELESS };

struct table {
    uint16_t *sums;    /* [2^bits] */
    uint64_t *closure; /* [2^bits] or NULL */
    uint16_t *rows;    /* [place_count] what each row holds of the survivors, or NULL */
    const struct place *places;
    uint32_t place_count;
    uint32_t bits; /* survivors, and for maximal sets the past above them */
    uint32_t own;  /* survivors */
    uint32_t least;
    uint32_t local[TABLE_BITS];
    uint32_t apart[TABLE_BITS]; /* survivors that may not be with this one */
};

bool table_pays(const struct worker *w, uint64_t steps, uint32_t place_count, uint32_t support)
{
    uint64_t bits = w->survivor_count, room = steps + 16, adds = TABLE_ADDS;
    uint32_t most = TABLE_BITS;
    if (w->job->target == TARGET_MAXIMAL)
        bits += w->past_count;
    if (w->job->root->extent && place_count > ROWS_MAX)
        return false;
    if (w->job->target == TARGET_CLOSED && w->keeps_past) {
        if (w->past_count > 64 - CLOSURE_BITS)
            return false;
        most = CLOSURE_BITS;
        adds = CLOSURE_ADDS;
    }
    return support <= UINT16_MAX && bits <= most && (bits << bits) / 2 <= adds * room;
}

/* sums[m] becomes the sum of sums[s] over all s that contain m. */
static void add_supersets(uint16_t *sums, uint32_t bits)
{
    uint32_t size = 1u << bits;
    /* Two, four counters: within a word, where no carry crosses from one to the next. */
    word *words = (word *)sums;
    for (uint32_t i = 0; i < (size + 3) / 4; i++) {
        uint64_t x = words[i];
        x += x >> 16 & 0x0000ffff0000ffffu;
        words[i] = x + (x >> 32);
    }
    if (size > 4)
        for (uint32_t i = 0; i < size / 4; i += 2)
            words[i] += words[i + 1];
    counters *vectors = (counters *)sums;
    for (uint32_t half = 1; half < size / 8; half *= 2)
        for (uint32_t m = 0; m < size / 8; m += 2 * half)
            for (uint32_t k = m; k < m + half; k++)
                vectors[k] += vectors[k + half];
}

static void and_supersets(uint64_t *closure, uint32_t bits)
{
    uint32_t size = 1u << bits;
    for (uint32_t half = 1; half < size; half *= 2)
        for (uint32_t m = 0; m < size; m += 2 * half)
            for (uint32_t k = m; k < m + half; k++)
                closure[k] &= closure[k + half];
}

static uint64_t count_frequent(const uint16_t *sums, uint32_t bits, uint32_t least)
{
    uint32_t size = 1u << bits;
    uint64_t count = 0;
    const counters *vectors = (const counters *)sums;
    counters tally = {0};
    if (least > UINT16_MAX)
        return 0;
    uint16_t bar = (uint16_t)least;
    for (uint32_t k = 0; k < size / 8; k++)
        tally -= (counters)(vectors[k] >= bar); /* true is -1 */
    for (uint32_t i = 0; i < 8; i++)
        count += tally[i];
    for (uint32_t m = size & ~7u; m < size; m++)
        count += sums[m] >= least;
    return count - (sums[0] >= least);
}

static void fill_table(const struct worker *w, const struct node *node, struct table *t,
                       const struct place *places, uint32_t place_count)
{
    const uint32_t *number = w->number;
    for (uint32_t i = 0; i < place_count; i++) {
        uint32_t mask = 0;
        const uint32_t *begin = node->data + places[i].at;
        for (const uint32_t *p = begin; *p != ROW_END; p++)
            mask |= number[*p];
        if (w->job->target == TARGET_MAXIMAL)
            for (const uint32_t *p = begin - 1; *p != ROW_END; p--)
                mask |= number[*p];
        t->sums[mask] = (uint16_t)(t->sums[mask] + places[i].weight);
        if (t->rows)
            t->rows[i] = (uint16_t)mask;
        if (!t->closure)
            continue;
        uint64_t row = mask;
        for (const uint32_t *p = begin - 1; *p != ROW_END; p--)
            if (number[*p])
                row |= 1ULL << (t->own + number[*p] - 1);
        t->closure[mask] &= row;
    }
}

static bool keep_apart(const struct worker *w, const struct node *node, struct table *t)
{
    if (!w->job->parent || !w->all)
        return false;
    bool any = false;
    for (uint32_t a = 0; a < t->own; a++)
        for (uint32_t b = 0; b < a; b++)
            if (related(w->job->parent, node->item[t->local[a]], node->item[t->local[b]])) {
                t->apart[a] |= 1u << b;
                any = true;
            }
    return any;
}

/* Whether the baskets of the combination, which is w->item up to `length`, share no more. */
static enum verdict judge_by_baskets(struct worker *w, const struct table *t, uint32_t mask,
                                     uint32_t length)
{
    uint32_t highest = 31 - (uint32_t)__builtin_clz(mask);
    bool whole = true;
    for (uint32_t b = 0; b < t->own; b++) {
        if ((mask >> b & 1) || t->sums[mask | 1u << b] != t->sums[mask])
            continue;
        if (b < highest)
            return USELESS;
        whole = false;
    }
    if (!whole)
        return PASSING;
    struct baskets baskets = {t->places, t->place_count, t->rows, (uint16_t)mask};
    return nothing_shared(w, length, &baskets) ? WANTED : USELESS;
}

static enum verdict judge(struct worker *w, const struct table *t, uint32_t mask, uint32_t length)
{
    if (w->all)
        return WANTED;
    if (t->rows)
        return judge_by_baskets(w, t, mask, length);
    if (t->closure) {
        uint64_t extra = t->closure[mask] ^ mask;
        if (extra == 0)
            return WANTED;
        uint64_t later = ((1ULL << t->own) - 1) & ~((2ULL << (31 - __builtin_clz(mask))) - 1);
        return extra & ~later ? USELESS : PASSING;
    }
    for (uint32_t b = 0; b < t->bits; b++)
        if (!(mask >> b & 1) && t->sums[mask | 1u << b] >= t->least)
            return PASSING;
    return WANTED;
}

static void walk_table(struct worker *w, const struct node *node, const struct table *t)
{
    uint32_t length = w->length, mask = 0, last[TABLE_BITS], depth = 0, bit = 0;
    uint32_t room = w->all ? w->job->max_length - w->length : t->own;
    for (;;) {
        /* Try `bit` behind the `depth` bits chosen. */
        if (bit == t->own || depth == room) {
            if (depth == 0)
                return;
            bit = last[--depth];
            mask &= ~(1u << bit);
            bit++;
            continue;
        }
        uint32_t more = mask | 1u << bit;
        if (t->sums[more] < t->least || (t->apart[bit] & mask)) {
            bit++;
            continue;
        }
        push(w, length + depth, node->item[t->local[bit]]);
        enum verdict verdict = judge(w, t, more, length + depth + 1);
        if (verdict == WANTED)
            found(w, length + depth + 1, t->sums[more]);
        if (verdict != USELESS) {
            mask = more;
            last[depth++] = bit;
        }
        bit++;
        if (w->status)
            return;
    }
}

void grow_table(struct worker *w, struct node *node, const struct place *places,
                uint32_t place_count)
{
    bool closed = w->job->target == TARGET_CLOSED && w->keeps_past,
         maximal = w->job->target == TARGET_MAXIMAL;
    struct table t = {.own = w->survivor_count,
                      .bits = w->survivor_count + (maximal ? w->past_count : 0),
                      .least = atomic_load_explicit(w->job->threshold, memory_order_relaxed)};
    size_t size = (size_t)1 << t.bits;
    t.sums = scratch(w, size < 8 ? 8 : size, sizeof *t.sums);
    t.closure = closed ? scratch(w, size, sizeof *t.closure) : NULL;
    if (w->job->root->extent) {
        t.rows = scratch(w, place_count, sizeof *t.rows);
        t.places = places;
        t.place_count = place_count;
    }
    if (w->status)
        return;
    memset(t.sums, 0, (size < 8 ? 8 : size) * sizeof *t.sums);
    if (closed)
        memset(t.closure, 0xff, size * sizeof *t.closure);
    for (uint32_t b = 0; b < t.own; b++) {
        t.local[b] = w->survivors[b].local;
        w->number[t.local[b]] = 1u << b;
    }
    for (uint32_t b = 0; b < w->past_count; b++)
        w->number[w->past[b]] = maximal ? 1u << (t.own + b) : b + 1;
    fill_table(w, node, &t, places, place_count);
    for (uint32_t b = 0; b < t.own; b++)
        w->number[t.local[b]] = 0;
    for (uint32_t b = 0; b < w->past_count; b++)
        w->number[w->past[b]] = 0;
    add_supersets(t.sums, t.bits);
    if (closed)
        and_supersets(t.closure, t.bits);
    w->work += size;
    bool apart = keep_apart(w, node, &t), all = w->all && !apart;
    if (all && !w->job->visitor && w->job->min_length <= w->length + 1 &&
        w->job->max_length - w->length >= t.own + w->extra_count)
        count_found(w, count_frequent(t.sums, t.bits, t.least));
    else
        walk_table(w, node, &t);
}

/* One split of one set. Thresholds come first, as they cost nothing; then Fisher's test, by its
 * bound where that decides; then the tests against sub-rules with one item fewer, each two look-ups
 * and mostly a bound; last, and only for what passed all of it, the confidences of all sub-rules,
 * for which the supports of all subsets of the set are looked up once: 2^length, never more than
 * there are sets in the table. */
#include "rules_internal.h"

#include "mine/fisher.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define SCALE 1000000000u
/* Up to here all subsets are looked up before the first test: the splits share them. */
#define SHORT_SET 5

__extension__ typedef unsigned __int128 u128;

int rule_set_init(struct rule_set *s, const struct rule_finder *f)
{
    *s = (struct rule_set){.finder = f};
    if (f->limits.with_improvement && !MEM_NEW(s->support, (size_t)1 << f->longest))
        return ERR_NOMEM;
    return 0;
}

void rule_set_deinit(struct rule_set *s)
{
    free(s->support);
}

void rule_set_load(struct rule_set *s, uint64_t set)
{
    const struct rule_finder *f = s->finder;
    const struct itemsets *sets = f->sets;
    s->set = set;
    s->items = sets->item + sets->start[set];
    s->length = (uint32_t)(sets->start[set + 1] - sets->start[set]);
    s->both = sets->support[set];
    s->left_only = s->right_only = 0;
    s->key = 0;
    s->filled = false;
    for (uint32_t i = 0; i < s->length; i++) {
        s->keys[i] = supports_key(&f->supports, s->items[i]);
        s->key += s->keys[i];
        uint8_t side = f->sides ? f->sides[s->items[i]] : SIDE_ANY;
        /* An item of neither side is on both lists: then no split is left. */
        if (side == SIDE_ANTECEDENT || side == SIDE_NONE)
            s->left_only |= 1u << i;
        if (side == SIDE_CONSEQUENT || side == SIDE_NONE)
            s->right_only |= 1u << i;
    }
}

static uint32_t full_mask(const struct rule_set *s)
{
    return (1u << s->length) - 1;
}

/* Baskets with the items of the mask. */
static uint32_t support_of(const struct rule_set *s, uint32_t mask)
{
    if (s->filled)
        return s->support[mask];
    if (mask == 0)
        return s->finder->sets->basket_count;
    if (mask == full_mask(s))
        return s->both;
    uint64_t key = 0;
    for (uint32_t left = mask; left; left &= left - 1)
        key += s->keys[__builtin_ctz(left)];
    return supports_get(&s->finder->supports, key);
}

static void fill(struct rule_set *s)
{
    uint32_t full = full_mask(s);
    for (uint32_t mask = 0; mask <= full; mask++)
        s->support[mask] = support_of(s, mask);
    s->filled = true;
}

struct counts rule_set_counts(const struct rule_set *s, uint32_t right)
{
    return (struct counts){s->finder->sets->basket_count, support_of(s, full_mask(s) & ~right),
                           support_of(s, right), s->both};
}

static bool p_at_most(const struct counts *t, struct p_limit limit)
{
    return fisher_ln_bound(t->n, t->x, t->y, t->c) <= limit.ln ||
           fisher_p(t->n, t->x, t->y, t->c) <= limit.p;
}

/* Of the baskets that hold the left side without the item of mask `one`: x those that hold that
 * item too, y those with the right side. */
static struct counts step_counts(const struct rule_set *s, uint32_t right, uint32_t one,
                                 const struct counts *t)
{
    uint32_t rest = full_mask(s) & ~right & ~one;
    return (struct counts){support_of(s, rest), t->x, support_of(s, rest | right), t->c};
}

/* The sub-rule's confidence as a fraction. */
struct fraction {
    uint64_t top, bottom;
};

static bool is_more(struct fraction a, struct fraction b)
{
    return a.top * b.bottom > b.top * a.bottom;
}

static struct fraction best_sub_rule(struct rule_set *s, uint32_t right)
{
    uint32_t left = full_mask(s) & ~right;
    struct fraction best = {0, 1};
    if (!s->filled)
        fill(s);
    for (uint32_t part = (left - 1) & left;; part = (part - 1) & left) {
        struct fraction f = {s->support[part | right], s->support[part]};
        if (is_more(f, best))
            best = f;
        if (part == 0)
            return best;
    }
}

static bool is_productive(struct rule_set *s, uint32_t right, const struct counts *t)
{
    uint32_t left = full_mask(s) & ~right;
    if (s->length <= SHORT_SET && !s->filled)
        fill(s);
    for (uint32_t more = left; more; more &= more - 1) {
        struct counts step = step_counts(s, right, more & -more, t);
        if (step.c * step.n <= step.x * step.y || !p_at_most(&step, s->finder->alpha))
            return false;
    }
    return is_more((struct fraction){t->c, t->x}, best_sub_rule(s, right));
}

bool rule_passes(struct rule_set *s, uint32_t right, const struct counts *t)
{
    const struct rule_finder *f = s->finder;
    if (t->c * SCALE < t->x * f->limits.confidence)
        return false;
    if ((u128)(t->c * t->n) * SCALE < (u128)(t->x * t->y) * f->limits.lift)
        return false;
    if (f->p_limit.p < 1 && !p_at_most(t, f->p_limit))
        return false;
    return !f->limits.productive || is_productive(s, right, t);
}

static void describe_improvement(struct rule_set *s, uint32_t right, const struct counts *t,
                                 struct rule_found *out)
{
    struct fraction own = {t->c, t->x}, best = best_sub_rule(s, right);
    out->improvement =
        (double)own.top / (double)own.bottom - (double)best.top / (double)best.bottom;
    out->improvement_p = 0;
    for (uint32_t more = full_mask(s) & ~right; more; more &= more - 1) {
        struct counts step = step_counts(s, right, more & -more, t);
        double p = fisher_p(step.n, step.x, step.y, step.c);
        out->improvement_p = p > out->improvement_p ? p : out->improvement_p;
    }
    out->productive = is_more(own, best) && out->improvement_p <= s->finder->limits.alpha;
}

void rule_describe(struct rule_set *s, uint32_t right, struct rule_found *out)
{
    const struct rule_finder *f = s->finder;
    struct counts t = rule_set_counts(s, right);
    *out = (struct rule_found){.set = s->set,
                               .right = right,
                               .body = (uint32_t)t.x,
                               .head = (uint32_t)t.y,
                               .fisher_p = fisher_p(t.n, t.x, t.y, t.c),
                               .q = (double)NAN,
                               .improvement = (double)NAN,
                               .improvement_p = (double)NAN};
    if (f->limits.with_q)
        out->q = fdr_q(&f->fdr, out->fisher_p);
    if (f->limits.with_improvement)
        describe_improvement(s, right, &t, out);
}

struct splits splits_of(const struct rule_set *s)
{
    const struct rule_limits *l = &s->finder->limits;
    return (struct splits){.length = s->length,
                           .left_only = s->left_only,
                           .right_only = s->right_only,
                           .most_left = l->max_antecedent,
                           .most_right = l->max_consequent};
}

/* The next number with as many bits (HAKMEM 175); from 0, or behind the last one of its size, the
 * first with one more. */
static void advance(struct splits *s)
{
    if (s->right) {
        uint64_t low = s->right & -s->right, carried = s->right + low;
        s->right = carried | (s->right ^ carried) >> 2 >> __builtin_ctzll(low);
    }
    if (s->right == 0 || s->right >> s->length) {
        s->size++;
        s->right = (UINT64_C(1) << s->size) - 1;
    }
}

bool splits_next(struct splits *s)
{
    if (s->size == 0 && s->length > s->most_left)
        s->size = s->length - s->most_left - 1;
    for (;;) {
        advance(s);
        if (s->size > s->most_right || s->size >= s->length)
            return false;
        if ((s->right & s->left_only) == 0 && (s->right_only & ~s->right) == 0)
            return true;
    }
}

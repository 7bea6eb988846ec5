/* From cells to candidates, best first: those that have more for than against them.
 *
 * The blend is linear and weighed while it is gathered, so what is left is the order. One pass
 * keeps the best few more than are asked for; mostly they fill the answer. When filters drop more,
 * the others are made a heap and popped until the answer is full, so that filters only ever see
 * candidates that may be in it.
 *
 * similar weighs a candidate by its category's nearness to the context: substitutes stand in the
 * same shelf, complements need not. Names are compared as the JSON text the store wrote, where
 * equal names have equal text. */
#include "recommend_internal.h"

/* Weight of a category that shares nothing, and of one the catalogue does not know. */
#define AFFINITY_FAR     0.25f
#define AFFINITY_UNKNOWN 0.5f
/* Context items whose categories are looked at; an item page has one. */
#define AFFINITY_CONTEXT_MAX 8
/* Candidates weighed together. */
#define PIECE 16

static struct topk_entry entry_of(const struct request *r, struct candidate c)
{
    return (struct topk_entry){c.score, item_rank(r, c.item), c.item};
}

static bool before(const struct request *r, struct candidate a, struct candidate b)
{
    if (a.score != b.score)
        return a.score > b.score;
    uint32_t rank_a = item_rank(r, a.item), rank_b = item_rank(r, b.item);
    return rank_a != rank_b ? rank_a < rank_b : a.item < b.item;
}

static void sift_down(const struct request *r, uint32_t at)
{
    struct candidate *heap = r->s->found;
    uint32_t count = r->s->found_count;
    struct candidate moving = heap[at];
    for (uint32_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && before(r, heap[child + 1], heap[child]))
            child++;
        if (!before(r, heap[child], moving))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moving;
}

/* Cuts the next name off a path like ["Home","Kitchen"]; the raw text between its quotes. */
static bool next_name(struct str *path, struct str *name)
{
    size_t at = 0;
    while (at < path->len && path->ptr[at] != '"')
        at++;
    if (at == path->len)
        return false;
    size_t begin = ++at;
    while (at < path->len && path->ptr[at] != '"')
        at += path->ptr[at] == '\\' ? 2 : 1;
    if (at >= path->len)
        return false;
    *name = (struct str){path->ptr + begin, at - begin};
    *path = (struct str){path->ptr + at + 1, path->len - at - 1};
    return true;
}

/* Share of the deeper path that both have in common, from the outermost name in. */
static float shared_path(struct str a, struct str b)
{
    if (str_eq(a, b))
        return 1;
    struct str name_a, name_b;
    uint32_t shared = 0, depth = 0;
    bool same = true;
    for (;;) {
        bool more_a = next_name(&a, &name_a), more_b = next_name(&b, &name_b);
        if (!more_a && !more_b)
            break;
        same = same && more_a && more_b && str_eq(name_a, name_b);
        shared += same;
        depth++;
    }
    return depth ? (float)shared / (float)depth : 0;
}

static struct str category_of(const struct request *r, uint32_t item)
{
    const struct catalog_item *known = catalog_at(r->c, item_slot(r, item));
    return known ? known->category : STR_NONE;
}

static float affinity(const struct request *r, uint32_t item, const struct str *paths,
                      uint32_t count)
{
    struct str own = category_of(r, item);
    if (own.len == 0)
        return AFFINITY_UNKNOWN;
    float nearest = 0;
    for (uint32_t x = 0; x < count; x++) {
        float shared = shared_path(own, paths[x]);
        nearest = shared > nearest ? shared : nearest;
    }
    return AFFINITY_FAR + (1 - AFFINITY_FAR) * nearest;
}

/* Entry and text of each are fetched for a whole piece before the first is read: one wait, not one
 * per candidate. */
static void weigh_piece(struct request *r, uint32_t begin, uint32_t end, const struct str *paths,
                        uint32_t path_count)
{
    struct candidate *found = r->s->found;
    for (uint32_t x = begin; x < end; x++)
        prefetch_entry(r, found[x].item);
    for (uint32_t x = begin; x < end; x++)
        __builtin_prefetch(category_of(r, found[x].item).ptr);
    for (uint32_t x = begin; x < end; x++)
        found[x].score *= affinity(r, found[x].item, paths, path_count);
}

static void weigh_by_category(struct request *r)
{
    struct scratch *s = r->s;
    struct str paths[AFFINITY_CONTEXT_MAX];
    uint32_t count = 0;
    for (uint32_t x = s->context_count; x > 0 && count < AFFINITY_CONTEXT_MAX; x--) {
        struct str path = category_of(r, s->context[x - 1]);
        if (path.len)
            paths[count++] = path;
    }
    if (count == 0)
        return;
    for (uint32_t x = 0; x < s->found_count; x += PIECE) {
        uint32_t end = s->found_count - x < PIECE ? s->found_count : x + PIECE;
        weigh_piece(r, x, end, paths, count);
    }
}

/* An item without orders counts as one with one. */
static void lift_the_tail(struct request *r, double novelty)
{
    struct scratch *s = r->s;
    float power = -(float)novelty;
    for (uint32_t x = 0; x < s->found_count; x++) {
        uint32_t orders = item_orders(r, s->found[x].item);
        s->found[x].score *= orders > 1 ? powf((float)orders, power) : 1;
    }
}

static void sort_head(struct request *r)
{
    struct scratch *s = r->s;
    struct topk best;
    uint32_t wanted = diversify_pool(r->q);
    topk_init(&best, s->head, wanted + HEAD_SPARE(wanted));
    for (uint32_t x = 0; x < s->found_count; x++) {
        struct candidate c = s->found[x];
        if (best.count == best.k && c.score < s->head[0].score)
            continue; /* as topk_offer would find, without looking the rank up */
        topk_offer(&best, c.item, c.score, item_rank(r, c.item));
    }
    topk_sort(&best);
    s->head_count = best.count;
    s->head_at = 0;
}

void blend_candidates(struct request *r)
{
    struct scratch *s = r->s;
    uint32_t count = 0;
    for (uint32_t x = 0; x < s->found_count; x++) {
        struct candidate c = {s->cells[s->found[x].item].score, s->found[x].item};
        if (c.score > 0)
            s->found[count++] = c;
        else
            s->cells[c.item].score = 0; /* below 0 a cell means a place in the answer */
    }
    s->found_count = r->out->candidates = count;
    if (r->q->surface == SURFACE_SIMILAR)
        weigh_by_category(r);
    double novelty = r->q->novelty < 0 ? r->mix->novelty : r->q->novelty;
    if (novelty > 0)
        lift_the_tail(r, novelty);
    sort_head(r);
    s->is_heap = false;
}

/* What comes after the head, as a heap. */
static void heap_others(struct request *r)
{
    struct scratch *s = r->s;
    struct topk_entry last = s->head[s->head_count - 1];
    uint32_t others = 0;
    for (uint32_t x = 0; x < s->found_count; x++) {
        struct topk_entry entry = entry_of(r, s->found[x]);
        if (topk_compare(&last, &entry) < 0)
            s->found[others++] = s->found[x];
    }
    s->found_count = others;
    for (uint32_t x = others / 2; x > 0; x--)
        sift_down(r, x - 1);
    s->is_heap = true;
}

bool blend_next(struct request *r, struct candidate *out)
{
    struct scratch *s = r->s;
    if (s->head_at < s->head_count) {
        const struct topk_entry *next = &s->head[s->head_at++];
        *out = (struct candidate){next->score, next->item};
        return true;
    }
    if (!s->is_heap && s->found_count > s->head_count)
        heap_others(r);
    if (!s->is_heap || s->found_count == 0)
        return false;
    *out = s->found[0];
    s->found[0] = s->found[--s->found_count];
    if (s->found_count)
        sift_down(r, 0);
    return true;
}

/* A binary heap with the worst kept entry at the root, so that most offers cost one comparison. NaN
 * has no place in the order: at the root it would keep every better one out. */
#include "base/topk.h"

#include <math.h>
#include <stdbool.h>

static bool better(const struct topk_entry *a, const struct topk_entry *b)
{
    if (a->score != b->score)
        return a->score > b->score;
    if (a->tie != b->tie)
        return a->tie < b->tie;
    return a->item < b->item;
}

void topk_init(struct topk *t, struct topk_entry *entries, uint32_t k)
{
    *t = (struct topk){.entries = entries, .k = k};
}

static void sift_up(struct topk_entry *e, uint32_t at)
{
    struct topk_entry moving = e[at];
    while (at > 0 && better(&e[(at - 1) / 2], &moving)) {
        e[at] = e[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    e[at] = moving;
}

static void sift_down(struct topk_entry *e, uint32_t count)
{
    struct topk_entry moving = e[0];
    uint32_t at = 0;
    for (;;) {
        uint64_t child = 2 * (uint64_t)at + 1;
        if (child >= count)
            break;
        if (child + 1 < count && better(&e[child], &e[child + 1]))
            child++;
        if (!better(&moving, &e[child]))
            break;
        e[at] = e[child];
        at = (uint32_t)child;
    }
    e[at] = moving;
}

void topk_offer(struct topk *t, uint32_t item, float score, uint32_t tie)
{
    struct topk_entry entry = {score, tie, item};
    if (isnan(score))
        return;
    if (t->count < t->k) {
        t->entries[t->count] = entry;
        sift_up(t->entries, t->count++);
    } else if (t->k > 0 && better(&entry, &t->entries[0])) {
        t->entries[0] = entry;
        sift_down(t->entries, t->count);
    }
}

int topk_compare(const void *a, const void *b)
{
    return better(a, b) ? -1 : better(b, a) ? 1 : 0;
}

/* Heapsort: nothing is allocated, unlike in qsort. */
void topk_sort(struct topk *t)
{
    for (uint32_t last = t->count; last-- > 1;) {
        struct topk_entry worst = t->entries[0];
        t->entries[0] = t->entries[last];
        sift_down(t->entries, last);
        t->entries[last] = worst;
    }
}

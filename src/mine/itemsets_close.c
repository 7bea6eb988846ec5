/* Whether a set is closed, from the baskets themselves: what is common to those that hold it. Every
 * basket has a signature, a word with a bit for each of its items, so a few ANDs rule out nearly
 * all items; what is left of one short basket are candidates, and each further basket drops those
 * it has not. In sparse baskets a handful of them is enough, so the cost is some words a set, and
 * nothing needs to be kept. */
#include "itemsets_search.h"

#include <assert.h>

uint64_t item_signature(uint32_t item)
{
    return 1ULL << (item * 0x9E3779B9u >> 26);
}

/* The candidates of the shortest basket looked at: items of the common signature outside the set.
 */
static uint32_t first_candidates(struct worker *w, uint32_t length, const struct extent *row,
                                 uint64_t shared)
{
    const struct root *root = w->job->root;
    uint32_t count = 0;
    for (uint32_t i = 0; i < row->length; i++) {
        uint32_t rank = root->data[row->at + i], item = root->item[rank];
        w->common[count] = rank;
        count += (item_signature(item) & shared) != 0;
    }
    uint32_t kept = 0;
    for (uint32_t c = 0; c < count; c++) {
        uint32_t i = 0;
        while (i < length && w->item[i] != root->item[w->common[c]])
            i++;
        w->common[kept] = w->common[c];
        kept += i == length;
    }
    return kept;
}

static bool has(const uint32_t *row, uint32_t length, uint32_t rank)
{
    while (length > 1) {
        uint32_t half = length / 2;
        row += row[half] <= rank ? half : 0;
        length -= half;
    }
    return *row == rank;
}

static bool counts(const struct baskets *b, uint32_t i)
{
    return !b->holds || (b->holds[i] & b->mask) == b->mask;
}

/* Keeps the candidates that the row has; returns how many. */
static uint32_t keep_shared(struct worker *w, uint32_t count, const struct extent *row)
{
    uint32_t kept = 0;
    for (uint32_t c = 0; c < count; c++) {
        w->common[kept] = w->common[c];
        kept += has(w->job->root->data + row->at, row->length, w->common[c]);
    }
    return kept;
}

bool nothing_shared(struct worker *w, uint32_t length, const struct baskets *b)
{
    const struct extent *extent = w->job->root->extent, *best = NULL;
    uint64_t own = 0, shared = UINT64_MAX;
    for (uint32_t i = 0; i < length; i++)
        own |= item_signature(w->item[i]);
    for (uint32_t i = 0; i < b->place_count && shared != own; i++) {
        if (!counts(b, i))
            continue;
        const struct extent *row = &extent[b->places[i].basket];
        shared &= row->signature;
        best = !best || row->length < best->length ? row : best;
    }
    assert(best); /* some basket holds the set */
    uint32_t count = first_candidates(w, length, best, shared);
    for (uint32_t i = 0; i < b->place_count && count; i++)
        if (counts(b, i))
            count = keep_shared(w, count, &extent[b->places[i].basket]);
    return count == 0;
}

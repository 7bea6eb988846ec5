/* From the context to scored cells: a sparse vector-matrix product into a dense accumulator.
 *
 * A cell's stamp tells whether it belongs to this request, so nothing is cleared between requests;
 * the first touch appends the item to the list of candidates. Cost: one random 8-byte cell per
 * entry of the context's rows, plus what the trie matches.
 *
 * Rules go first: then every cell is either empty, a context item or one that holds the strength of
 * its best rule so far. */
#include "recommend_internal.h"

#include <string.h>

static void offer_rules(void *context, uint32_t begin, uint32_t end)
{
    struct request *r = context;
    struct scratch *s = r->s;
    for (uint32_t x = begin; x < end; x++) {
        struct strong_rule rule = r->m->strong.rule[x];
        struct cell *cell = &s->cells[rule.consequent];
        if (cell->stamp != s->stamp) {
            *cell = (struct cell){s->stamp, rule.strength};
            s->rule_at[rule.consequent] = s->ruled_count;
            s->ruled[s->ruled_count++] = (struct ruled){rule.consequent, x};
            s->found[s->found_count++].item = rule.consequent;
        } else if (rule.strength >= cell->score) {
            struct ruled *best = &s->ruled[s->rule_at[rule.consequent]];
            if (rule.strength > cell->score || x < best->strong)
                best->strong = x;
            cell->score = rule.strength;
        }
    }
}

static void sort_ascending(uint32_t *items, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        uint32_t item = items[i], at = i;
        for (; at > 0 && items[at - 1] > item; at--)
            items[at] = items[at - 1];
        items[at] = item;
    }
}

void gather_rules(struct request *r)
{
    struct scratch *s = r->s;
    uint32_t items[RULE_CONTEXT_MAX];
    uint32_t count = s->context_count < RULE_CONTEXT_MAX ? s->context_count : RULE_CONTEXT_MAX;
    memcpy(items, s->context + s->context_count - count, count * sizeof *items);
    sort_ascending(items, count);
    ruletrie_match(&r->m->strong.trie, items, count, offer_rules, r);
    for (uint32_t x = 0; x < s->ruled_count; x++)
        s->cells[s->ruled[x].item].score *= r->m->rule_weight;
}

static void add_row(struct scratch *s, const struct csr *rows, uint32_t item, float scale)
{
    struct cell *cells = s->cells;
    struct candidate *found = s->found;
    uint32_t stamp = s->stamp, count = s->found_count;
    for (uint64_t e = rows->start[item]; e < rows->start[item + 1]; e++) {
        uint32_t j = rows->column[e];
        float add = scale * rows->value[e];
        if (cells[j].stamp == stamp) {
            cells[j].score += add;
        } else {
            cells[j] = (struct cell){stamp, add};
            found[count++].item = j;
        }
    }
    s->found_count = count;
}

/* A row is a few hundred bytes anywhere in a matrix far larger than the caches: it is fetched while
 * the one before it is added. */
static void prefetch_row(const struct csr *rows, uint32_t item)
{
    const uint64_t end = rows->start[item + 1], per_line = 64 / sizeof *rows->column;
    for (uint64_t e = rows->start[item]; e < end; e += per_line) {
        __builtin_prefetch(rows->column + e);
        __builtin_prefetch(rows->value + e);
    }
}

void gather_rows(struct request *r)
{
    struct scratch *s = r->s;
    for (int k = 0; k < SOURCE_COUNT; k++) {
        const struct csr *rows = &r->m->sources[k].rows;
        float weight = surface_weight(&r->m->sources[k], r->q->surface);
        if (weight <= 0)
            continue;
        for (uint32_t x = 0; x < s->context_count; x++) {
            if (x + 1 < s->context_count)
                prefetch_row(rows, s->context[x + 1]);
            add_row(s, rows, s->context[x], weight / (float)s->context_count);
        }
    }
}

/* Rules sorted by left side, a shorter one before what it begins, are already a trie written down:
 * a node is a range of rules with a common beginning, the rules that end there come first, and the
 * others fall into one range for each next item. Going through the nodes breadth first and
 * appending each one's children keeps children side by side. Cost of building: O(rules x length).
 *
 * Matching walks the basket and the children together; where one side is much longer it is searched
 * by halves. Depth is at most RULE_ITEMS_MAX. */
#include "mine/ruletrie.h"

#include "base/mem.h"
#include "base/vec.h"

#include <assert.h>
#include <stdlib.h>

#define NO_NODE UINT32_MAX

struct draft {
    uint32_t item, depth;       /* depth: items from the root to here, this one included */
    uint32_t begin, end;        /* rules whose left side begins like this */
    uint32_t ends, child_start; /* rules [begin, ends) end here */
};

typedef VEC(struct draft) drafts;

static uint32_t body_length(const struct rules *r, uint32_t rule)
{
    return (uint32_t)(r->start[rule + 1] - r->start[rule]);
}

/* Appends a node for each item at `depth` in the rules [begin, end), all longer than depth. */
static bool add_children(drafts *nodes, const struct rules *r, uint32_t begin, uint32_t end,
                         uint32_t depth)
{
    while (begin < end) {
        uint32_t item = r->antecedent[r->start[begin] + depth], last = begin + 1;
        while (last < end && r->antecedent[r->start[last] + depth] == item)
            last++;
        struct draft node = {.item = item, .depth = depth + 1, .begin = begin, .end = last};
        if (!VEC_PUSH(nodes, node))
            return false;
        begin = last;
    }
    return true;
}

static bool draft_nodes(drafts *nodes, const struct rules *r)
{
    if (!add_children(nodes, r, 0, r->count, 0))
        return false;
    for (size_t k = 0; k < nodes->count; k++) {
        struct draft node = nodes->at[k];
        uint32_t ends = node.begin;
        while (ends < node.end && body_length(r, ends) == node.depth)
            ends++;
        nodes->at[k].ends = ends;
        nodes->at[k].child_start = (uint32_t)nodes->count;
        if (!add_children(nodes, r, ends, node.end, node.depth))
            return false;
    }
    return true;
}

static bool freeze(struct ruletrie *t, const drafts *nodes, uint32_t item_count)
{
    assert(nodes->count < UINT32_MAX);
    t->node_count = (uint32_t)nodes->count;
    t->root_span = item_count;
    MEM_NEW(t->root, item_count);
    MEM_NEW(t->item, nodes->count);
    MEM_NEW(t->child_start, nodes->count + 1);
    MEM_NEW(t->rule_start, nodes->count);
    MEM_NEW(t->rule_end, nodes->count);
    if (!t->root || !t->item || !t->child_start || !t->rule_start || !t->rule_end)
        return false;
    for (uint32_t i = 0; i < item_count; i++)
        t->root[i] = NO_NODE;
    for (uint32_t k = 0; k < t->node_count; k++) {
        const struct draft *node = &nodes->at[k];
        t->item[k] = node->item;
        t->child_start[k] = node->child_start;
        t->rule_start[k] = node->begin;
        t->rule_end[k] = node->ends;
        if (node->depth == 1)
            t->root[node->item] = k;
    }
    t->child_start[t->node_count] = t->node_count;
    return true;
}

int ruletrie_build(const struct rules *rules, uint32_t item_count, struct ruletrie *out,
                   struct error *err)
{
    struct ruletrie made = {0};
    drafts nodes = {0};
    bool good = draft_nodes(&nodes, rules) && freeze(&made, &nodes, item_count);
    VEC_FREE(&nodes);
    if (good) {
        *out = made;
        return 0;
    }
    ruletrie_deinit(&made);
    return error_set(err, ERR_NOMEM, "rule index: out of memory");
}

void ruletrie_deinit(struct ruletrie *t)
{
    free(t->root);
    free(t->item);
    free(t->child_start);
    free(t->rule_start);
    free(t->rule_end);
    *t = (struct ruletrie){0};
}

size_t ruletrie_bytes(const struct ruletrie *t)
{
    return ((size_t)t->root_span + 4 * (size_t)t->node_count + 1) * sizeof *t->item;
}

struct match {
    const struct ruletrie *trie;
    const uint32_t *items;
    uint32_t count;
    rule_visitor visit;
    void *context;
};

/* First place in the ascending list at or behind `from` whose value is not below `value`: steps
 * that double, then halves. */
static uint32_t gallop(const uint32_t *list, uint32_t from, uint32_t end, uint32_t value)
{
    uint32_t step = 1, low = from;
    while (end - from > step && list[from + step] < value) {
        low = from + step;
        step *= 2;
    }
    uint32_t high = end - from > step ? from + step : end;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (list[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The node is matched by items before `next`. */
static void match_node(const struct match *m, uint32_t node, uint32_t next)
{
    const struct ruletrie *t = m->trie;
    if (t->rule_start[node] < t->rule_end[node])
        m->visit(m->context, t->rule_start[node], t->rule_end[node]);
    uint32_t child = t->child_start[node], end = t->child_start[node + 1];
    while (child < end && next < m->count) {
        if (t->item[child] < m->items[next])
            child = gallop(t->item, child, end, m->items[next]);
        else if (m->items[next] < t->item[child])
            next = gallop(m->items, next, m->count, t->item[child]);
        else
            match_node(m, child++, ++next);
    }
}

void ruletrie_match(const struct ruletrie *t, const uint32_t *items, uint32_t count,
                    rule_visitor visit, void *context)
{
    struct match match = {t, items, count, visit, context};
    for (uint32_t i = 0; i < count; i++) {
        assert(i == 0 || items[i - 1] < items[i]);
        if (items[i] < t->root_span && t->root[items[i]] != NO_NODE)
            match_node(&match, t->root[items[i]], i + 1);
    }
}

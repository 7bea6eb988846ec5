/* Rules sorted by left side, a shorter one before what it begins, are already a trie written down:
 * a node is a range of rules with a common beginning, the rules that end there come first, and the
 * others fall into one range for each next item. Going through the nodes breadth first and
 * appending each one's children keeps children side by side. Cost of building: O(rules x length).
 *
 * Matching walks the basket and the children together; where one side is much longer it is searched
 * by halves. It waits for memory most of the time, so nodes are asked for in groups before they are
 * read. Depth is at most RULE_ITEMS_MAX. */
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
    MEM_NEW(t->node, nodes->count + 1);
    if (!t->root || !t->item || !t->node)
        return false;
    for (uint32_t i = 0; i < item_count; i++)
        t->root[i] = NO_NODE;
    for (uint32_t k = 0; k < t->node_count; k++) {
        const struct draft *node = &nodes->at[k];
        t->item[k] = node->item;
        t->node[k] = (struct ruletrie_node){node->child_start, node->begin, node->ends};
        if (node->depth == 1)
            t->root[node->item] = k;
    }
    t->node[t->node_count] = (struct ruletrie_node){.child_start = t->node_count};
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
    free(t->node);
    *t = (struct ruletrie){0};
}

size_t ruletrie_bytes(const struct ruletrie *t)
{
    return ((size_t)t->root_span + t->node_count) * sizeof *t->item +
           ((size_t)t->node_count + 1) * sizeof *t->node;
}

struct match {
    const struct ruletrie *trie;
    const uint32_t *items;
    uint32_t count;
    rule_visitor visit;
    void *context;
};

/* First place in the ascending list behind `from`, whose value is below `value`, with a value not
 * below it: steps that double, then halves, which the compiler makes without a branch to guess. */
static uint32_t gallop(const uint32_t *list, uint32_t from, uint32_t end, uint32_t value)
{
    uint32_t step = 1;
    while (end - from > step && list[from + step] < value) {
        from += step;
        step *= 2;
    }
    const uint32_t *base = list + from; /* below `value` */
    uint32_t length = end - from < step ? end - from : step;
    while (length > 1) {
        uint32_t half = length / 2;
        base += (base[half] < value) * half;
        length -= half;
    }
    return (uint32_t)(base - list) + 1;
}

/* Children found in the basket, up to a number: their nodes come from memory while others are still
 * looked for. */
#define AHEAD 16
struct matched {
    uint32_t node, next; /* matched by items before `next` */
};

static void match_nodes(const struct match *m, const struct matched *matched, uint32_t count);

static void match_children(const struct match *m, struct matched parent)
{
    const struct ruletrie *t = m->trie;
    uint32_t child = t->node[parent.node].child_start, end = t->node[parent.node + 1].child_start;
    uint32_t next = parent.next, count = 0;
    struct matched found[AHEAD];
    while (child < end && next < m->count) {
        if (t->item[child] < m->items[next]) {
            child = gallop(t->item, child, end, m->items[next]);
        } else if (m->items[next] < t->item[child]) {
            next = gallop(m->items, next, m->count, t->item[child]);
        } else {
            __builtin_prefetch(&t->node[child]);
            found[count++] = (struct matched){child++, ++next};
            if (count == AHEAD) {
                match_nodes(m, found, count);
                count = 0;
            }
        }
    }
    match_nodes(m, found, count);
}

static void match_nodes(const struct match *m, const struct matched *matched, uint32_t count)
{
    const struct ruletrie *t = m->trie;
    for (uint32_t k = 0; k < count; k++)
        __builtin_prefetch(&t->item[t->node[matched[k].node].child_start]);
    for (uint32_t k = 0; k < count; k++) {
        const struct ruletrie_node *node = &t->node[matched[k].node];
        if (node->rule_start < node->rule_end)
            m->visit(m->context, node->rule_start, node->rule_end);
        if (matched[k].next < m->count)
            match_children(m, matched[k]);
    }
}

void ruletrie_match(const struct ruletrie *t, const uint32_t *items, uint32_t count,
                    rule_visitor visit, void *context)
{
    struct match match = {t, items, count, visit, context};
    struct matched found[AHEAD];
    uint32_t roots = 0;
    for (uint32_t i = 0; i < count; i++) {
        assert(i == 0 || items[i - 1] < items[i]);
        if (items[i] >= t->root_span || t->root[items[i]] == NO_NODE)
            continue;
        __builtin_prefetch(&t->node[t->root[items[i]]]);
        found[roots++] = (struct matched){t->root[items[i]], i + 1};
        if (roots == AHEAD) {
            match_nodes(&match, found, roots);
            roots = 0;
        }
    }
    match_nodes(&match, found, roots);
}

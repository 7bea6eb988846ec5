/* All rules whose antecedent is contained in a basket, at a cost that follows the matches.
 *
 * A trie over antecedents frozen to flat arrays, breadth first: a node has an item, the range of
 * its children (ascending items) and the range of the rules that end there (rules are sorted by
 * antecedent, so a node's rules are neighbours). Immutable; any thread. */
#ifndef MINE_RULETRIE_H
#define MINE_RULETRIE_H

#include "mine/rules.h"

struct ruletrie {
    uint32_t node_count;
    uint32_t root_span; /* items 0..root_span-1 are looked up directly at the first level */
    uint32_t *root;     /* [root_span] node of a first item, UINT32_MAX none */
    uint32_t *item;     /* [node_count] */
    struct ruletrie_node {
        uint32_t child_start;          /* to the next one's */
        uint32_t rule_start, rule_end; /* rules ending at the node */
    } * node;                          /* [node_count + 1] */
};

int ruletrie_build(const struct rules *rules, uint32_t item_count, struct ruletrie *out,
                   struct error *err) WARN_UNUSED;
void ruletrie_deinit(struct ruletrie *t);
size_t ruletrie_bytes(const struct ruletrie *t);

/* Visits rule ranges [begin, end) whose antecedent is a subset of `items` (ascending, distinct). */
typedef void (*rule_visitor)(void *context, uint32_t begin, uint32_t end);
void ruletrie_match(const struct ruletrie *t, const uint32_t *items, uint32_t count,
                    rule_visitor visit, void *context);
#endif

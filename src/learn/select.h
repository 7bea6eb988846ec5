/* The best of many scores: gathered as numbers and cut by selection, which costs far less than a
 * heap where much is offered and k is large. */
#ifndef LEARN_SELECT_H
#define LEARN_SELECT_H

#include <stdint.h>

/* A number that is larger for what goes before: the larger score, among equal ones the smaller
 * item. No NaN. */
uint64_t select_entry(uint32_t item, float score);
uint32_t select_item(uint64_t entry);
float select_score(uint64_t entry);

/* Moves the k largest of `count` distinct numbers to the front, the smallest of them last of these;
 * 1 <= k <= count. Cost: O(count) as a rule. */
void select_best(uint64_t *entry, uint32_t count, uint32_t k);

#endif

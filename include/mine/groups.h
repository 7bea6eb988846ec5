/* Items with groups (category levels), so that "kettle -> tea" is found where only "red kettle" and
 * "blue kettle" were bought: every basket also gets the groups of its items, near and far, as
 * further columns (Srikant & Agrawal, Mining Generalized Association Rules, VLDB 1995). Any
 * thread. */
#ifndef MINE_GROUPS_H
#define MINE_GROUPS_H

#include "mine/itemsets.h"

/* `parent` [cols]: the group of a column or ITEM_NONE; columns from baskets->cols on are groups
 * only. ERR_INVALID: a parent out of range, or an item that is its own group by some way. */
int groups_add(const struct csr *baskets, const uint32_t *parent, uint32_t cols, struct csr *out,
               struct error *err) WARN_UNUSED;
#endif

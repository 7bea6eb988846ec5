/* Itemsets as text while they are found: an itemset_visitor (mine/itemsets.h) whose lanes come out
 * in order, in bounded memory.
 *
 *   FIMI    milk bread (12)                                  items as the search went, or sorted
 *   TSV     milk,bread TAB 12 TAB 0.0012                     below a header line
 *   NDJSON  {"items":["milk","bread"],"count":12,"support":0.0012}
 *
 * Only what changed since the set before is formatted. */
#ifndef SERVICE_SETWRITER_H
#define SERVICE_SETWRITER_H

#include "mine/itemsets.h"
#include "service/itemtext.h"
#include "service/laneout.h"

struct setwriter_options {
    const struct baskets *items; /* whose names are shown */
    const uint32_t *column;      /* of the items that are given out; NULL: they are columns */
    uint32_t basket_count;       /* what shares are of */
    enum text_format format;
    bool sorted; /* a set's items ascend by column: equal sets are equal lines, at a cost */
    struct progress *progress; /* a group may stand for more sets than anyone waits for */
};

struct setwriter;

/* `out` and `column` must outlive it. Errors as itemtext_init. */
struct setwriter *setwriter_new(struct laneout *out, const struct setwriter_options *options,
                                struct error *err) WARN_UNUSED;
void setwriter_free(struct setwriter *w);
struct itemset_visitor setwriter_visitor(struct setwriter *w);
uint64_t setwriter_count(const struct setwriter *w); /* sets written by the lanes closed so far */

/* Sets that were kept, in their order. ERR_IO … */
int setwriter_sets(struct setwriter *w, const struct itemsets *sets, struct error *err) WARN_UNUSED;

#endif

/* `basketd mine`: a file of baskets -> itemsets or rules as text, without a store. One call, on the
 * caller's thread and as many more as asked. */
#ifndef SERVICE_MINING_H
#define SERVICE_MINING_H

#include "mine/itemsets.h"
#include "service/basketfile.h"
#include "service/setwriter.h"

struct mining_request {
    const char *path;   /* "-": standard input */
    const char *output; /* NULL: standard output */
    enum reader_format format;
    enum text_format output_format;
    double support_share; /* > 0: of the baskets, at most 1; else */
    uint32_t support;     /* baskets, >= 1 */
    bool stats;           /* fill the report's `items`, which takes a pass over the entries */
    bool count_only;      /* prints the number of sets, nothing else */
    enum itemset_target target;
    uint32_t min_length, max_length; /* 0: no limit */
    uint64_t max_itemsets;           /* 0: no budget */
    uint64_t memory_bytes;           /* 0: no budget */
    const char *const *with;         /* NULL-terminated lists of items; or NULL */
    const char *const *without;
    uint32_t threads; /* 0: one per core */
    struct progress *progress;
};

struct mining_report {
    bool usage; /* the failure is one of the request, not of the data or the machine */
    struct basketfile_report input;
    uint32_t baskets, items; /* items: with at least one basket */
    uint64_t entries, repeats;
    uint32_t support; /* the threshold in force */
    bool raised;      /* a budget raised it above what was asked */
    uint64_t results, bytes_written;
    double read_s, mine_s; /* mining and writing, which are one */
};

/* The report is filled as far as it got. ERR_INVALID, ERR_IO, ERR_FULL, ERR_NOMEM, ERR_CANCELLED.
 */
int mining_run(const struct mining_request *request, struct mining_report *report,
               struct error *err) WARN_UNUSED;
#endif

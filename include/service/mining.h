/* `basketd mine`: a file of baskets -> itemsets or rules as text, without a store. One call, on the
 * caller's thread and as many more as asked. */
#ifndef SERVICE_MINING_H
#define SERVICE_MINING_H

#include "mine/itemsets.h"
#include "mine/topsets.h"
#include "service/basketfile.h"
#include "service/rulewriter.h"
#include "service/setwriter.h"

struct mining_request {
    const char *path;   /* "-": standard input */
    const char *output; /* NULL: standard output */
    enum reader_format format;
    enum text_format output_format; /* TEXT_AUTO: FIMI for FIMI, TSV for records, whose items may
                                       have blanks in their names */
    double support_share;           /* > 0: of the baskets, at most 1; else */
    uint32_t support; /* baskets; 0: one, and for the best rules as many as proves to be enough */
    bool stats;       /* fill the report's `items`, which takes a pass over the entries */
    bool sorted;      /* items of a set in their order; so is one part of many, see below */
    bool count_only;  /* prints the number of results, nothing else */
    enum itemset_target target;
    uint32_t min_length, max_length; /* 0: no limit */
    uint64_t max_itemsets;           /* 0: no budget */
    uint64_t memory_bytes;           /* 0: no budget */
    /* One part of the result (sharding.h): of a whole file the sets whose largest rank is `group`
     * modulo `groups` (0: all); or `path` has the lines that `basketd shard` wrote, sorted so that
     * those of a group stand together, and `flist` is the file it wrote with them (NULL: whole
     * file). The F-list then gives support and groups; all sets only. */
    uint32_t groups, group;
    bool one_group; /* `group` is given; else, of shards, all groups of the file */
    const char *flist;
    const char *item_groups; /* file of groupfile.h; NULL: none */
    const char *const *with; /* NULL-terminated lists of items; or NULL */
    const char *const *without;
    uint64_t top; /* the best, best first; 0: all. Sets: no budget is looked at */
    enum measure by;
    enum set_measure by_set;

    bool rules;            /* instead of sets */
    double min_confidence; /* (0,1] */
    double min_lift;       /* 0: any */
    double max_p, max_q;   /* 0: any */
    bool productive;
    uint32_t antecedents, consequents; /* most items of a side; 0: any, one */
    const char *const *antecedent_only, *const *consequent_only; /* lists of items, not NULL */
    struct rule_columns columns;
    bool adjust_size; /* columns of the odds ratio among baskets of like size, see strata.h */

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
    bool unproved;    /* a budget ended the search for the best rules; rarer ones may be better */
    uint64_t itemsets, candidates; /* of rules: sets they were made of, rules looked at */
    uint64_t results, bytes_written;
    double read_s, mine_s; /* mining and writing, which are one */
};

/* The report is filled as far as it got. ERR_INVALID, ERR_IO, ERR_FULL, ERR_NOMEM, ERR_CANCELLED.
 */
int mining_run(const struct mining_request *request, struct mining_report *report,
               struct error *err) WARN_UNUSED;
#endif

/* /rules: browse the rule index: filter, sort, page. Measures are those of mine/measures. Reads
 * only its arguments; any thread that holds a reference on the model. Cost: a page without
 * conditions follows its length; thresholds add one scan of the rules (for `total`); an antecedent
 * costs what matches in the trie. */
#ifndef ENGINE_BROWSE_H
#define ENGINE_BROWSE_H

#include "engine/model.h"

int rule_sort_parse(struct str name); /* "lift" …, an enum rule_sort; -1 unknown */

struct rule_query {
    const struct str *antecedent; /* rules whose antecedent is a subset of these; NULL: any */
    uint32_t antecedent_count;
    struct str consequent;      /* len 0: any */
    const struct str *contains; /* rules that have all of these on either side */
    uint32_t contains_count;
    double min_support, min_confidence, min_lift; /* inclusive */
    enum rule_sort sort;                          /* ties: larger count, then lower index */
    bool ascending;                               /* exactly the reverse order */
    uint32_t limit;                               /* >= 1 */
    uint32_t after; /* where the page starts: 0, or `next` of the page before (same query, same
                       model): the cursor's content */
};

struct rule_page {
    uint32_t *rules; /* [count] rule indices, in order; the caller frees */
    uint32_t count;
    uint32_t total; /* all that match */
    uint32_t next;  /* `after` of the next page; 0: this is the last */
};
int browse_rules(const struct model *m, const struct rule_query *q, struct rule_page *out,
                 struct error *err) WARN_UNUSED;
#endif

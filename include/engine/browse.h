/* /rules: browse the rule index: filter, sort, page. Measures are those of mine/measures. */
#ifndef ENGINE_BROWSE_H
#define ENGINE_BROWSE_H

#include "engine/model.h"

enum rule_sort {
    SORT_LIFT,
    SORT_CONFIDENCE,
    SORT_SUPPORT,
    SORT_COUNT,
    SORT_LEVERAGE,
    SORT_CONVICTION,
    SORT_COUNT_OF
};
int rule_sort_parse(struct str name); /* "lift" …; -1 unknown */

struct rule_query {
    const struct str *antecedent; /* rules whose antecedent is a subset of these; NULL: any */
    uint32_t antecedent_count;
    struct str consequent;      /* len 0: any */
    const struct str *contains; /* rules that have all of these on either side */
    uint32_t contains_count;
    double min_support, min_confidence, min_lift;
    enum rule_sort sort;
    bool ascending;
    uint32_t limit;
    uint32_t
        after; /* number of rules to skip in this order: the cursor's content (with the model id) */
};

struct rule_page {
    uint32_t *rules; /* [count] rule indices, in order; the caller frees */
    uint32_t count;
    uint32_t total; /* all that match */
};
int browse_rules(const struct model *m, const struct rule_query *q, struct rule_page *out,
                 struct error *err) WARN_UNUSED;
#endif

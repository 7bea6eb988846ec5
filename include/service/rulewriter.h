/* Rules as text, one by one as rules_visit and its like give them out.
 *
 *   FIMI    milk bread -> butter (412 0.41 6.2)              count, confidence, lift
 *   TSV     milk,bread TAB butter TAB 412 TAB …              below a header line; empty: undefined
 *   NDJSON  {"antecedent":["milk","bread"],"consequent":["butter"],"count":412,…}   null: undefined
 */
#ifndef SERVICE_RULEWRITER_H
#define SERVICE_RULEWRITER_H

#include "base/buf.h"
#include "mine/rules.h"
#include "mine/strata.h"
#include "service/itemtext.h"
#include "service/laneout.h"

/* What stands behind the count in TSV and NDJSON: the measures, and what rules.h works out. */
enum rule_column {
    RULE_Q = MEASURE_COUNT,
    RULE_IMPROVEMENT,
    RULE_IMPROVEMENT_P,
    RULE_PRODUCTIVE,
    RULE_COLUMN_COUNT
};

struct rule_columns {
    unsigned char column[RULE_COLUMN_COUNT]; /* each once */
    unsigned count;
};

/* "lift,q" or "all"; false: `unknown` is the word that is no column. */
bool rule_columns_parse(struct str list, struct rule_columns *out, struct str *unknown);
bool rule_columns_have(const struct rule_columns *columns, unsigned column);
/* Every name, with a blank before each. */
void rule_columns_names(struct buf *out);

struct rulewriter;

struct rulewriter_options {
    const struct baskets *items; /* whose names are shown */
    enum text_format format;
    const struct rule_columns *columns;
    /* TSV and NDJSON: adds adjusted_odds_ratio, adjusted_low and adjusted_high (strata.h), at the
     * cost of a pass over the baskets of the rule's rarest items. NULL: does not. */
    const struct strata *strata;
};

/* `out` and `strata` must outlive it. Errors as itemtext_init. */
struct rulewriter *rulewriter_new(struct laneout *out, const struct rulewriter_options *options,
                                  struct error *err) WARN_UNUSED;
int rulewriter_take(void *writer, const struct rule *rule); /* a rule_taker */
void rulewriter_free(struct rulewriter *w);                 /* closes its lane */

#endif

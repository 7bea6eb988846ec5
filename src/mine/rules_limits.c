/* Thresholds are compared in integers: c/x >= t as c 10^9 >= x floor(t 10^9), so that a confidence
 * of exactly the threshold stays whatever its binary fraction. */
#include "rules_internal.h"

#define DEFAULT_MIN_CONFIDENCE 0.1
#define DEFAULT_MIN_LIFT       1.0
#define DEFAULT_MAX_P          0.05
#define DEFAULT_MAX_ANTECEDENT 3
#define DEFAULT_MAX_RULES      1000000u
#define MIN_LIFT_MAX           1e9

/* Rounded down, so that 2/3 written with any number of digits keeps 2 of 3. */
static uint64_t billionths(double value)
{
    return (uint64_t)(value * 1e9 + 1e-3);
}

static uint32_t items_limit(uint32_t asked, uint32_t unasked)
{
    uint32_t limit = asked ? asked : unasked;
    return limit < RULE_ITEMS_MAX ? limit : RULE_ITEMS_MAX;
}

int rule_limits_of(const struct rule_params *p, struct rule_limits *out, struct error *err)
{
    double confidence = p->min_confidence != 0 ? p->min_confidence : DEFAULT_MIN_CONFIDENCE;
    double lift = p->min_lift != 0 ? p->min_lift : DEFAULT_MIN_LIFT;
    double fisher_p = p->max_fisher_p != 0 ? p->max_fisher_p : DEFAULT_MAX_P;
    double max_q = p->max_q != 0 ? p->max_q : 1;
    double alpha = p->alpha != 0 ? p->alpha : DEFAULT_MAX_P;
    uint64_t rules = p->max_rules ? p->max_rules : DEFAULT_MAX_RULES;
    if (!(confidence > 0 && confidence <= 1))
        return error_set(err, ERR_INVALID, "rules: minimum confidence %g is not in (0,1]",
                         confidence);
    if (!(lift > 0 && lift <= MIN_LIFT_MAX))
        return error_set(err, ERR_INVALID, "rules: minimum lift %g is not in (0,1e9]", lift);
    if (!(fisher_p > 0))
        return error_set(err, ERR_INVALID, "rules: maximum p %g is not above 0", fisher_p);
    if (!(max_q > 0))
        return error_set(err, ERR_INVALID, "rules: maximum q %g is not above 0", max_q);
    if (!(alpha > 0 && alpha <= 1))
        return error_set(err, ERR_INVALID, "rules: alpha %g is not in (0,1]", alpha);
    *out = (struct rule_limits){
        .confidence = billionths(confidence),
        .lift = billionths(lift),
        .fisher_p = fisher_p,
        .max_q = max_q,
        .alpha = alpha,
        .max_antecedent = items_limit(p->max_antecedent, DEFAULT_MAX_ANTECEDENT),
        .max_consequent = items_limit(p->max_consequent, 1),
        .max_rules = rules < UINT32_MAX - 1 ? (uint32_t)rules : UINT32_MAX - 1,
        .productive = p->productive,
        .with_q = p->with_q || max_q < 1,
        .with_improvement = p->with_improvement || p->productive};
    return 0;
}

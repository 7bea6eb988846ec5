/* `basketd evaluate`: orders of the store or of a file -> how well models suggest. One call, on the
 * caller's thread and as many more as asked. */
#ifndef SERVICE_EVALUATING_H
#define SERVICE_EVALUATING_H

#include "eval/report.h"
#include "service/evaldata.h"

#define EVALUATING_LEARNERS_MAX 12

struct evaluating_request {
    struct evaldata_request input;
    struct evaluation_params params; /* split.id_rank, timed and entrants are set by the run;
                                        protocol and task as asked or by the kind of data */
    bool protocol_given, task_given;
    struct str models; /* names with commas between: these and the baselines; empty: all; of a
                          curve one, empty: blend */
    const char *const *learners; /* ended by NULL: of a recipe, alone (entrant_of_learner); NULL:
                                    none */
    bool canaries;               /* run them too */
    struct str against;          /* name of one of them; empty: the best baseline */
};

struct evaluating_report {
    struct evaluation evaluation;
    struct evaluation_params params; /* in force; its pointers are not to be followed */
    struct canary_result canaries[CANARY_COUNT];
    struct report_input input; /* borrows the request's path and the canaries above */
    uint64_t rejected;
    char first_problem[256];
    bool usage; /* the request itself was wrong */
};

/* ERR_INVALID: the request or the data; the reader's errors; ERR_CANCELLED; ERR_NOMEM. */
int evaluating_run(const struct evaluating_request *request, struct evaluating_report *report,
                   struct error *err) WARN_UNUSED;
#endif

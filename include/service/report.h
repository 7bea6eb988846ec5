/* What an ingest reports: counts of every kind and the first bad lines. */
#ifndef SERVICE_REPORT_H
#define SERVICE_REPORT_H

#include "base/arena.h"
#include "base/buf.h"
#include "ingest/record.h"

struct ingest_problem {
    uint64_t line;
    struct str field, reason;
};

struct ingest_report {
    struct ingest_counts counts;
    struct ingest_problem problems[LIMIT_ERRORS_KEPT]; /* the first ones; copies in `arena` */
    uint32_t problem_count;
    uint64_t problem_total;
    struct arena arena;
};

void ingest_report_init(struct ingest_report *r);
void ingest_report_deinit(struct ingest_report *r);
/* One that finds no memory is counted and not kept. */
void ingest_report_add(struct ingest_report *r, const struct record_problem *p);
/* Adds the numbers of `more` to `sum`. */
void ingest_counts_add(struct ingest_counts *sum, const struct ingest_counts *more);

/* The JSON object of the answer, of a job's report and of `import --json`:
 * {"orders":{"read":..,"accepted":..,"replaced":..,"duplicate":..,"cancelled":..,"returned":..,
 *            "merged":..,"excluded":..,"rejected":..},
 *  "lines":{…},"items":{…},"events":{…},"cancels":{…},       each with the same nine members
 *  "error_count":2,"errors":[{"line":3,"field":"price","reason":"…"}]}   the first 100 */
void ingest_report_json(const struct ingest_report *r, struct buf *out);

#endif

/* What the parts of mining share. */
#ifndef SERVICE_MINING_INTERNAL_H
#define SERVICE_MINING_INTERNAL_H

#include "service/mining.h"
#include "service/sharding.h"
#include "service/textfile.h"

struct mining {
    const struct mining_request *request;
    struct mining_report *report;
    enum text_format format; /* of the output */
    struct baskets baskets;
    struct flist flist;    /* of shards */
    struct textfile lines; /* likewise */
    struct itemset_params params;
    uint32_t *with, *without; /* columns */
    uint32_t *size_of;        /* size_bin of each basket before groups are added; NULL: not asked */
    uint32_t *parent;         /* by column; NULL: no groups */
};

/* Marks the failure as one of the request; its code. */
int mining_bad_request(struct mining *m, struct error *err);
/* What output shows the names of. */
const struct baskets *mining_items(const struct mining *m);
/* The columns of the named items, of shards their ranks; allocated. */
int mining_find_items(struct mining *m, const char *option, const char *const *names,
                      uint32_t **out, uint32_t *count, struct error *err) WARN_UNUSED;

/* Sets to `out`; NULL: only counts them into the report. */
int mining_sets(struct mining *m, struct laneout *out, struct error *err) WARN_UNUSED;
/* Rules likewise. */
int mining_rules(struct mining *m, struct laneout *out, struct error *err) WARN_UNUSED;

#endif

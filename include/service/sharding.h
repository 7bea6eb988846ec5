/* `basketd shard`: baskets cut into group-dependent shards, so that many machines mine one result
 * (Li et al., PFP: Parallel FP-Growth for Query Recommendation, RecSys 2008).
 *
 * The F-list holds the frequent items by rank: count descending, then the items' order (numbers by
 * value, then names by bytes); rank 0 is the most frequent one. Item of rank r belongs to group
 * r modulo Q. For every basket and every group g that it has frequent items of, one line
 *     g TAB ranks
 * goes out: its ranks in ascending order up to the largest one of group g. A set whose largest rank
 * is in group g is in as many lines of group g as baskets have it, so the groups' results, mined
 * one by one, are together exactly the result of the whole. One thread at a time. */
#ifndef SERVICE_SHARDING_H
#define SERVICE_SHARDING_H

#include "service/basketfile.h"

struct shard_request {
    const char *path;   /* "-": standard input */
    const char *output; /* NULL: standard output */
    const char *flist;  /* file to write */
    enum reader_format format;
    double support_share; /* > 0: of the baskets, at most 1; else */
    uint32_t support;     /* baskets, >= 1 */
    uint32_t shards;      /* >= 1 */
    uint32_t threads;     /* 0: one per core */
    struct progress *progress;
};

struct shard_report {
    bool usage; /* the failure is one of the request */
    struct basketfile_report input;
    uint32_t baskets, items; /* frequent ones */
    uint32_t support;
    uint64_t lines;
};

int shard_run(const struct shard_request *request, struct shard_report *report,
              struct error *err) WARN_UNUSED;

/* The F-list as a file: a header
 *     baskets 9835 support 10 shards 8          (TAB between all)
 * and a line "item TAB count" for each rank. */
struct flist {
    uint32_t baskets, support, shards;
    struct baskets items; /* no rows; columns in the items' order */
    uint32_t *column;     /* by rank */
};

/* ERR_INVALID names the line. */
int flist_read(const char *path, struct progress *progress, struct flist *out,
               struct error *err) WARN_UNUSED;
int flist_parse(struct str text, struct flist *out, struct error *err) WARN_UNUSED; /* likewise */
void flist_deinit(struct flist *f);

/* A share or a count as baskets, at least 1. ERR_INVALID: more than there are. */
int support_in_baskets(double share, uint32_t support, uint32_t baskets, uint32_t *out,
                       struct error *err) WARN_UNUSED;
#endif

/* The lines "group TAB ranks" of a sharded file, group by group as basket matrices. */
#ifndef SERVICE_SHARDLINES_H
#define SERVICE_SHARDLINES_H

#include "base/str.h"
#include "base/vec.h"
#include "data/csr.h"

struct shardlines {
    struct str rest; /* what is not read yet */
    uint64_t line;   /* number of the last line read */
    uint32_t shards, ranks;
    bool *seen; /* [shards] groups that are over */
    bool ended; /* there is no further group */
    uint32_t group;
    struct csr rows; /* of the group; borrowed from the arrays below */
    VEC(uint32_t) column;
    VEC(uint64_t) start;
};

int shardlines_init(struct shardlines *l, struct str text, uint32_t shards, uint32_t ranks,
                    struct error *err) WARN_UNUSED;
void shardlines_deinit(struct shardlines *l);

/* Reads the next group, `only`: that one, passing over others; sets `group` and `rows`, or `ended`.
 * ERR_INVALID names the line: not such a line, a group or rank that is none, ranks not ascending, a
 * group whose lines do not stand together. */
int shardlines_next(struct shardlines *l, const uint32_t *only, struct error *err) WARN_UNUSED;

#endif

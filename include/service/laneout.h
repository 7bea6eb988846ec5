/* Text that several threads write at a time and that still comes out in one order: the bytes of
 * each lane together, lanes in the order of the list. The first open lane writes as it goes; the
 * others keep their bytes until their turn, all together at most LANEOUT_PENDING_BYTES and a block
 * each; beyond that they wait until they are first. A lane belongs to one thread at a time. */
#ifndef SERVICE_LANEOUT_H
#define SERVICE_LANEOUT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LANEOUT_PENDING_BYTES (32u << 20)

struct laneout;

struct outlane {
    char *at, *end; /* write from `at`, which is then moved on */
    struct laneout *out;
    struct outlane *next;       /* in the order of the output */
    struct outblock *block;     /* that `at` lies in; NULL: none yet */
    struct outblock *full;      /* waiting for the lane's turn, oldest first */
    struct outblock **full_end; /* where the next one is hung on */
    bool closed;
};

/* Does not own `fd`. NULL: out of memory. */
struct laneout *laneout_new(int fd);
void laneout_free(struct laneout *o); /* no lane may be open */

/* A lane directly behind `after`, which is open; NULL: behind all others. NULL: out of memory. */
struct outlane *laneout_open(struct laneout *o, struct outlane *after) WARN_UNUSED;

/* Room for `bytes` at lane->at; false: the output has failed, or no memory. */
bool laneout_more(struct outlane *lane, size_t bytes) WARN_UNUSED;
static inline bool laneout_reserve(struct outlane *lane, size_t bytes)
{
    return (size_t)(lane->end - lane->at) >= bytes || laneout_more(lane, bytes);
}

/* Frees the lane. False: the output has failed. */
bool laneout_close(struct outlane *lane);

/* After all lanes are closed: writes what is left. The first failure: ERR_IO, ERR_FULL, ERR_NOMEM.
 */
int laneout_finish(struct laneout *o, struct error *err) WARN_UNUSED;
uint64_t laneout_bytes(const struct laneout *o); /* written so far */

#endif

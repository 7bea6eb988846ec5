/* What the writer's open transaction has changed in the catalogue: provisional until the COMMIT, so
 * that a rollback leaves no phantom item or user. Versions of items are appended, newest first per
 * id, and a mark undoes back to an op's start. Also a small cache of user keys. Writer thread only.
 */
#ifndef SERVICE_STAGING_H
#define SERVICE_STAGING_H

#include "base/arena.h"
#include "data/catalog.h"
#include "store/db.h"

#include <pthread.h>

struct staging;

/* `catalog` and its lock are borrowed; reading needs no lock on the writer thread. */
struct staging *staging_new(struct catalog *catalog, pthread_rwlock_t *lock,
                            struct error *err) WARN_UNUSED;
void staging_free(struct staging *s);

/* The item as the transaction sees it; `slot` CATALOG_NONE: never seen. NULL: never seen or
 * removed. Borrowed until the next change. */
const struct catalog_item *staging_find(const struct staging *s, struct str item_id,
                                        uint32_t *slot);
/* The slot of an id; a new one begins an item that knows nothing but its id. */
int staging_slot(struct staging *s, struct str item_id, uint32_t *slot,
                 struct error *err) WARN_UNUSED;
/* A new version of an item that has a slot; copies. `item->known` false: removed. */
int staging_put(struct staging *s, uint32_t slot, const struct catalog_item *item,
                struct error *err) WARN_UNUSED;
/* Only moves the time of the newest order row; not written to the database by itself. */
int staging_touch(struct staging *s, uint32_t slot, int64_t order_ms,
                  struct error *err) WARN_UNUSED;

/* users.key of an id, added when `add`; 0: unknown. */
int staging_user(struct staging *s, struct db *db, struct str user_id, bool add, uint64_t *key,
                 struct error *err) WARN_UNUSED;
void staging_forget_users(struct staging *s);

void staging_mark(struct staging *s); /* an op begins */
int staging_flush(struct staging *s, struct db *db,
                  struct error *err) WARN_UNUSED; /* it ends well: write rows */
void staging_undo(struct staging *s);             /* it failed */
/* After the COMMIT: everything into the catalogue, under its lock. ERR_NOMEM: reload it. */
int staging_apply(struct staging *s, struct error *err) WARN_UNUSED;
void staging_discard(struct staging *s); /* the transaction failed */

#endif

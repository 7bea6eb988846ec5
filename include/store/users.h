/* Users: external id <-> key. Erasing forgets the id; the user's orders are unlinked (user 0) or
 * deleted, events deleted, in the caller's transaction; secure_delete overwrites the pages. */
#ifndef STORE_USERS_H
#define STORE_USERS_H

#include "store/db.h"

int users_key(struct db *db, struct str user_id, bool add, uint64_t *key,
              struct error *err) WARN_UNUSED; /* 0: unknown */

/* At most `limit` users with a key above *after, ascending; then *after is the last one's. *ended:
 * there are no more. A visitor's non-zero return stops the scan and is returned. */
typedef int (*user_visitor)(void *context, uint64_t key, struct str user_id, struct error *err);
int users_scan_after(struct db *db, uint64_t *after, uint32_t limit, user_visitor visit,
                     void *context, bool *ended, struct error *err) WARN_UNUSED;

struct user_stats {
    uint64_t orders, events;
    int64_t first_ms, last_ms;
};
int users_stats(struct db *db, uint64_t key, struct user_stats *out, struct error *err) WARN_UNUSED;
int users_erase(struct db *db, uint64_t key, bool delete_orders, struct user_stats *erased,
                struct error *err) WARN_UNUSED;
#endif

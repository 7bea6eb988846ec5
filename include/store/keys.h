/* API keys: only the BLAKE2b hash is stored. "bk_<id>_<secret>": the id finds the row. */
#ifndef STORE_KEYS_H
#define STORE_KEYS_H

#include "store/db.h"

enum key_scope { SCOPE_READ = 1, SCOPE_INGEST = 2, SCOPE_ADMIN = 4, SCOPE_METRICS = 8 };
#define KEY_HASH_BYTES 32

struct key_row {
    char id[17]; /* 16 lower-case hex digits */
    unsigned char hash[KEY_HASH_BYTES];
    unsigned scopes; /* enum key_scope bits; admin includes all */
    struct str label;
    int64_t created_ms, revoked_ms; /* 0: valid */
};
int keys_add(struct db *db, const struct key_row *row, struct error *err) WARN_UNUSED;
int keys_revoke(struct db *db, struct str id, int64_t now_ms,
                struct error *err) WARN_UNUSED; /* ERR_NOT_FOUND */
typedef int (*key_visitor)(void *context, const struct key_row *row, struct error *err);
int keys_scan(struct db *db, key_visitor visit, void *context, struct error *err) WARN_UNUSED;
#endif

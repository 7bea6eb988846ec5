/* API keys in memory: "bk_<id>_<secret>", scopes, constant-time check. The id is 16 hex digits, the
 * secret 32 random bytes in base64url; the store keeps BLAKE2b-256 of the whole text. Loaded at
 * start; changes act after their commit. Read under its own rwlock. */
#ifndef SERVICE_ACCESS_H
#define SERVICE_ACCESS_H

#include "base/buf.h"
#include "service/shop.h"

enum access_scope {
    ACCESS_OPEN = 0,
    ACCESS_READ = 1,
    ACCESS_INGEST = 2,
    ACCESS_ADMIN = 4, /* includes all others */
    ACCESS_METRICS = 8
};

enum access_verdict { ACCESS_GRANTED, ACCESS_MISSING, ACCESS_UNKNOWN, ACCESS_WRONG_SCOPE };

#define ACCESS_KEY_BYTES 64 /* room for a whole key with its NUL */

/* Also true when every key is revoked: revoking the last one must not open the shop. */
bool access_has_keys(struct shop *shop);
/* `key` as sent (empty: none). With no keys configured everything is granted (loopback only). `id`
 * out[17]: the key's public id for logs, "" if none. Any thread. */
enum access_verdict access_check(struct shop *shop, struct str key, enum access_scope need,
                                 char id[17]);
bool access_scopes_parse(struct str list, unsigned *scopes); /* "read,ingest" */

/* Commands: makes a key and prints nothing; `text` gets the only copy of the full key. */
int access_add(struct shop *shop, unsigned scopes, struct str label, char text[ACCESS_KEY_BYTES],
               struct error *err) WARN_UNUSED;
int access_revoke(struct shop *shop, struct str id, struct error *err) WARN_UNUSED;
/* Lines "id  scopes  created  revoked  label", or {"keys":[{…}]}. */
int access_list(struct shop *shop, struct buf *out, bool json, struct error *err) WARN_UNUSED;

/* For the service floor. */
struct access *access_new(struct error *err) WARN_UNUSED;
void access_free(struct access *access);
int access_load(struct access *access, struct db *db, struct error *err) WARN_UNUSED;
#endif

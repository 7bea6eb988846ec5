/* API keys; the caller hashes. */
#include "store/keys.h"

#include "store/sql.h"

#include <string.h>

static const char ADD[] = "INSERT INTO keys (key_id, hash, scopes, label, created_ms, revoked_ms) "
                          "VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
static const char REVOKE[] = "UPDATE keys SET revoked_ms = ?2 WHERE key_id = ?1 AND revoked_ms = 0";
static const char EXISTS[] = "SELECT 1 FROM keys WHERE key_id = ?1";
static const char SCAN[] = "SELECT key_id, hash, scopes, label, created_ms, revoked_ms "
                           "FROM keys ORDER BY created_ms, key_id";

int keys_add(struct db *db, const struct key_row *row, struct error *err)
{
    sqlite3_stmt *s;
    int rc = sql_prepare(db, ADD, &s, err);
    if (rc)
        return rc;
    sql_bind_str(s, 1, str_of(row->id));
    sqlite3_bind_blob(s, 2, row->hash, KEY_HASH_BYTES, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, row->scopes);
    sql_bind_str(s, 4, row->label);
    sqlite3_bind_int64(s, 5, row->created_ms);
    sqlite3_bind_int64(s, 6, row->revoked_ms);
    return sql_run(db, s, err);
}

int keys_revoke(struct db *db, struct str id, int64_t now_ms, struct error *err)
{
    sqlite3_stmt *s;
    int rc = sql_prepare(db, REVOKE, &s, err);
    if (rc)
        return rc;
    sql_bind_str(s, 1, id);
    sqlite3_bind_int64(s, 2, now_ms);
    rc = sql_run(db, s, err);
    if (rc || sqlite3_changes(db->handle) > 0)
        return rc;
    rc = sql_prepare(db, EXISTS, &s, err);
    if (rc)
        return rc;
    sql_bind_str(s, 1, id);
    rc = sql_row(db, s, err);
    sqlite3_reset(s);
    if (rc < 0)
        return rc;
    return rc ? 0 : error_set(err, ERR_NOT_FOUND, "key %.*s: not found", STR_ARG(id));
}

static bool read_key(sqlite3_stmt *s, struct key_row *row)
{
    struct str id = sql_column_str(s, 0);
    const void *hash = sqlite3_column_blob(s, 1);
    *row = (struct key_row){
        .scopes = (unsigned)sqlite3_column_int(s, 2),
        .label = sql_column_str(s, 3),
        .created_ms = sqlite3_column_int64(s, 4),
        .revoked_ms = sqlite3_column_int64(s, 5),
    };
    if (id.len >= sizeof row->id || !hash || sqlite3_column_bytes(s, 1) != KEY_HASH_BYTES)
        return false;
    memcpy(row->id, id.ptr, id.len);
    memcpy(row->hash, hash, KEY_HASH_BYTES);
    return true;
}

int keys_scan(struct db *db, key_visitor visit, void *context, struct error *err)
{
    sqlite3_stmt *s;
    struct key_row row;
    int rc = sql_prepare(db, SCAN, &s, err);
    if (rc)
        return rc;
    while ((rc = sql_row(db, s, err)) == 1) {
        rc = read_key(s, &row) ? visit(context, &row, err)
                               : error_set(err, ERR_CORRUPT, "%s: a key is damaged", db->name);
        if (rc)
            break;
    }
    sqlite3_reset(s);
    return rc;
}

/* Statements and errors. The cache is an open hash table from the address of the SQL constant to
 * the prepared statement: a lookup is one comparison, and no text is ever compared or hashed.
 *
 * SQLite undoes a whole transaction by itself after some errors (disk full, I/O, out of memory).
 * What follows would then run outside of a transaction and commit one by one, so the connection
 * remembers the loss and refuses every statement until the owner ends the transaction. */
#include "store/sql.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static enum err code_of(int rc, int system_errno)
{
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return ERR_NOMEM;
    case SQLITE_FULL:
        return ERR_FULL;
    case SQLITE_IOERR:
        if (rc == SQLITE_IOERR_NOMEM)
            return ERR_NOMEM;
        return system_errno == ENOSPC || system_errno == EDQUOT ? ERR_FULL : ERR_IO;
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return ERR_IO;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_INTERRUPT:
        return ERR_CANCELLED;
    case SQLITE_TOOBIG:
        return ERR_TOO_LARGE;
    case SQLITE_CONSTRAINT:
        return ERR_CONFLICT;
    default:
        return ERR_DB;
    }
}

void sql_lose(struct db *db, int code)
{
    if (!db->begun || db->lost)
        return;
    db->lost = code;
    snprintf(db->lost_text, sizeof db->lost_text, "%s", sqlite3_errmsg(db->handle));
}

int sql_fail(struct db *db, struct error *err)
{
    int rc = sqlite3_extended_errcode(db->handle);
    enum err code = code_of(rc, sqlite3_system_errno(db->handle));
    if (sqlite3_get_autocommit(db->handle))
        sql_lose(db, code);
    return error_set(err, code, "%s: %s (SQLite %d)", db->name, sqlite3_errmsg(db->handle), rc);
}

static struct sql_cached *slot_of(struct db *db, const char *sql)
{
    size_t at = ((uintptr_t)sql * 0x9E3779B97F4A7C15u) >> 57;
    while (db->cache[at].sql && db->cache[at].sql != sql)
        at = (at + 1) % SQL_CACHE;
    return &db->cache[at];
}
_Static_assert(SQL_CACHE == 1 << (64 - 57), "slot_of takes the top bits");

int sql_usable(const struct db *db, struct error *err)
{
    if (db->lost == OK)
        return 0;
    return error_set(err, db->lost, "%s: the transaction was undone: %s", db->name, db->lost_text);
}

int sql_prepare(struct db *db, const char *sql, sqlite3_stmt **out, struct error *err)
{
    int rc = sql_usable(db, err);
    if (rc)
        return rc;
    struct sql_cached *slot = slot_of(db, sql);
    if (!slot->sql) {
        if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &slot->statement,
                               NULL))
            return sql_fail(db, err);
        slot->sql = sql;
    }
    assert(!sqlite3_stmt_busy(slot->statement));
    sqlite3_clear_bindings(slot->statement);
    *out = slot->statement;
    return 0;
}

int sql_row(struct db *db, sqlite3_stmt *statement, struct error *err)
{
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        return 1;
    int result = rc == SQLITE_DONE ? 0 : sql_fail(db, err);
    sqlite3_reset(statement);
    return result;
}

int sql_run(struct db *db, sqlite3_stmt *statement, struct error *err)
{
    int rc = sql_row(db, statement, err);
    assert(rc <= 0);
    return rc;
}

int sql_do(struct db *db, const char *sql, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = sql_prepare(db, sql, &statement, err);
    return rc ? rc : sql_run(db, statement, err);
}

int sql_integer(struct db *db, const char *sql, int64_t *out, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = sql_prepare(db, sql, &statement, err);
    if (rc == 0)
        rc = sql_row(db, statement, err);
    if (rc < 0)
        return rc;
    *out = rc ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_reset(statement);
    return 0;
}

/* A failed bind leaves null, which the columns' NOT NULL refuses. */
void sql_bind_str(sqlite3_stmt *statement, int index, struct str s)
{
    sqlite3_bind_text64(statement, index, s.ptr ? s.ptr : "", s.len, SQLITE_STATIC, SQLITE_UTF8);
}

void sql_bind_str_or_null(sqlite3_stmt *statement, int index, struct str s)
{
    if (s.len > 0)
        sql_bind_str(statement, index, s);
}

void sql_bind_i64_or_null(sqlite3_stmt *statement, int index, int64_t value)
{
    if (value != INT64_MIN)
        sqlite3_bind_int64(statement, index, value);
}

struct str sql_column_str(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return (struct str){text, text ? (size_t)sqlite3_column_bytes(statement, column) : 0};
}

int64_t sql_column_i64(sqlite3_stmt *statement, int column)
{
    if (sqlite3_column_type(statement, column) == SQLITE_NULL)
        return INT64_MIN;
    return sqlite3_column_int64(statement, column);
}

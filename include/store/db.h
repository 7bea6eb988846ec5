/* One SQLite connection, owned by one thread at a time. The only floor that includes sqlite3.h.
 *
 * WAL, synchronous=FULL, foreign keys off, mmap off, busy_timeout set before any other pragma, a
 * statement cache keyed by the address of the SQL constant. Exactly one connection per file writes
 * and checkpoints (sqlite.org/wal.html, the WAL-reset bug): DB_WRITE; readers are query_only and
 * never checkpoint. */
#ifndef STORE_DB_H
#define STORE_DB_H

#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>

enum db_mode { DB_WRITE, DB_READ };

struct db;

/* DB_WRITE creates the file when absent and applies the migrations under migrations/<family>/
 * ("orders", "models"). ERR_CONFLICT: the schema is newer than this program knows, or an applied
 * migration has another checksum; ERR_CORRUPT: not a database, or quick_check (after a crash, up to
 * 64 MiB) fails; ERR_NOT_FOUND: DB_READ and no file. */
struct db *db_open(const char *path, const char *family, enum db_mode mode,
                   struct error *err) WARN_UNUSED;
void db_close(struct db *db);

/* A transaction of the writer. After a full disk, an I/O error or the like, SQLite undoes all of it
 * by itself: then every call up to the commit, which fails too, gives that error. A failed commit
 * is rolled back as far as can be and its outcome is unknown; after ERR_IO close the connection and
 * open it again rather than try once more. */
int db_begin(struct db *db, struct error *err) WARN_UNUSED; /* BEGIN IMMEDIATE */
int db_commit(struct db *db, struct error *err) WARN_UNUSED;
void db_rollback(struct db *db);
/* Inside a transaction: undo to here on failure, so that one bad request of a batch harms no other.
 */
int db_savepoint(struct db *db, struct error *err) WARN_UNUSED;
int db_release(struct db *db, struct error *err) WARN_UNUSED;
void db_undo(struct db *db); /* back to the savepoint and release it */

/* Outside of a transaction: checkpoints when the WAL has grown by more than `wal_bytes`; truncates
 * it when `truncate`. Never waits for a reader; what one still holds stays for the next time. */
int db_checkpoint(struct db *db, uint64_t wal_bytes, bool truncate, struct error *err) WARN_UNUSED;
bool db_wal_empty(
    struct db *db); /* what a truncating checkpoint wants, unless a reader is in the way */
/* quick_check, or integrity_check when `full`: ERR_CORRUPT with the first finding. */
int db_check(struct db *db, bool full, struct error *err) WARN_UNUSED;
/* Consistent, durable copy to a new file while others write (VACUUM INTO), from a connection of its
 * own; ERR_CONFLICT: the file exists. The file appears when it is whole. */
int db_backup(struct db *db, const char *file, struct error *err) WARN_UNUSED;
uint64_t db_free_bytes(const char *directory); /* free on the file system; UINT64_MAX unknown */

#endif

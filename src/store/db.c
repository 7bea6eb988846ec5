/* Opening, transactions, checkpoints, backup.
 *
 * Durability: WAL with synchronous=FULL, so a commit that returned survives a power cut. SQLite
 * before 3.51.3 can damage a database when two connections checkpoint at once
 * (sqlite.org/wal.html#the_wal_reset_bug): automatic checkpoints are off everywhere, readers may
 * not checkpoint on close, and the one writer calls db_checkpoint.
 *
 * Start-up: a crash leaves a WAL behind, a clean close does not. Only after a crash, and only for
 * files up to CHECK_BYTES_MAX, quick_check runs: it reads about 130 MB a second, and start-up has a
 * second. WAL frames carry checksums of their own, so what the check adds is damage by others; in a
 * larger file that is found when the page is read. */
#include "store/db.h"

#include "base/mem.h"
#include "store/migrate.h"
#include "store/sql.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define BUSY_TIMEOUT_MS 5000
#define CHECK_BYTES_MAX (64u << 20)
#define LENGTH_MAX      (128 << 20) /* of a row: an order of 1e6 lines is 55 MB at most */
#define SQL_LENGTH_MAX  (64 << 10)

/* busy_timeout comes first: the pragmas behind it take locks. The WAL is cut back to 64 MiB when it
 * starts anew after a long reader let it grow. */
static const char PRAGMAS[] = "PRAGMA wal_autocheckpoint = 0;"
                              "PRAGMA synchronous = FULL;"
                              "PRAGMA foreign_keys = OFF;"
                              "PRAGMA mmap_size = 0;"
                              "PRAGMA temp_store = MEMORY;"
                              "PRAGMA trusted_schema = OFF;"
                              "PRAGMA cell_size_check = ON;"
                              "PRAGMA journal_size_limit = 67108864;";
static const char PRAGMAS_WRITE[] = "PRAGMA cache_size = -65536;";
static const char PRAGMAS_READ[] = "PRAGMA cache_size = -16384; PRAGMA query_only = ON;";
/* Erasing a user must overwrite; models hold no user and are large. Larger pages make their blobs
 * cheaper to read. Both take effect before the first table. */
static const char PRAGMAS_ORDERS[] = "PRAGMA secure_delete = ON;";
static const char PRAGMAS_MODELS[] = "PRAGMA secure_delete = OFF; PRAGMA page_size = 65536;";

static const char BEGIN[] = "BEGIN IMMEDIATE";
static const char COMMIT[] = "COMMIT";
static const char SAVEPOINT[] = "SAVEPOINT request";
static const char RELEASE[] = "RELEASE request";
static const char UNDO[] = "ROLLBACK TO request; RELEASE request";
static const char JOURNAL_MODE[] = "PRAGMA journal_mode = WAL";
static const char PAGE_SIZE[] = "PRAGMA page_size";
static const char VACUUM_INTO[] = "VACUUM INTO ?1";
static const char QUICK_CHECK[] = "PRAGMA quick_check(1)";
static const char INTEGRITY_CHECK[] = "PRAGMA integrity_check(1)";

static uint64_t file_bytes(const char *path, const char *suffix)
{
    char name[4096];
    struct stat st;
    int length = snprintf(name, sizeof name, "%s%s", path, suffix);
    if (length < 0 || (size_t)length >= sizeof name || stat(name, &st))
        return 0;
    return (uint64_t)st.st_size;
}

static int on_commit(void *context, sqlite3 *handle, const char *schema, int frames)
{
    (void)handle;
    (void)schema;
    struct db *db = context;
    db->wal_frames = (uint64_t)frames;
    if (db->wal_frames < db->wal_seen)
        db->wal_seen = 0; /* it started anew */
    return SQLITE_OK;
}

static int run_pragmas(struct db *db, const char *text, struct error *err)
{
    return sqlite3_exec(db->handle, text, NULL, NULL, NULL) ? sql_fail(db, err) : 0;
}

static int set_wal(struct db *db, struct error *err)
{
    sqlite3_stmt *s;
    int rc = sql_prepare(db, JOURNAL_MODE, &s, err);
    if (rc == 0)
        rc = sql_row(db, s, err);
    if (rc < 0)
        return rc;
    bool wal = rc == 1 && str_eq(sql_column_str(s, 0), STR("wal"));
    sqlite3_reset(s);
    if (wal)
        return 0;
    return error_set(err, ERR_IO, "%s: its file system does not support shared memory (WAL)",
                     db->path);
}

static int configure(struct db *db, const char *family, struct error *err)
{
    sqlite3 *h = db->handle;
    sqlite3_extended_result_codes(h, 1);
    sqlite3_busy_timeout(h, BUSY_TIMEOUT_MS);
    sqlite3_db_config(h, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    sqlite3_db_config(h, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(h, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(h, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_db_config(h, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !db->writes, NULL);
    sqlite3_limit(h, SQLITE_LIMIT_LENGTH, LENGTH_MAX);
    sqlite3_limit(h, SQLITE_LIMIT_SQL_LENGTH, SQL_LENGTH_MAX);
    sqlite3_limit(h, SQLITE_LIMIT_ATTACHED, 1); /* VACUUM INTO needs one */
    sqlite3_limit(h, SQLITE_LIMIT_WORKER_THREADS, 0);
    bool models = strcmp(family, "models") == 0;
    int rc = run_pragmas(db, models ? PRAGMAS_MODELS : PRAGMAS_ORDERS, err);
    if (rc == 0 && db->writes)
        rc = set_wal(db, err);
    if (rc == 0)
        rc = run_pragmas(db, PRAGMAS, err);
    if (rc == 0)
        rc = sql_integer(db, PAGE_SIZE, &db->page_bytes, err);
    if (rc == 0)
        rc = run_pragmas(db, db->writes ? PRAGMAS_WRITE : PRAGMAS_READ, err);
    sqlite3_wal_hook(h, on_commit, db);
    sqlite3_db_config(h, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return rc;
}

static int bring_up_to_date(struct db *db, const char *family, struct error *err)
{
    struct migration *list;
    size_t count;
    int rc = migrations_of(family, &list, &count, err);
    if (rc)
        return rc;
    assert(count > 0); /* the family has a name of migrations/ */
    rc = db->writes ? migrate_apply(db, list, count, err) : migrate_check(db, list, count, err);
    free(list);
    return rc;
}

static int open_handle(struct db *db, const char *family, struct error *err)
{
    if (!db->writes && access(db->path, F_OK))
        return error_set(err, ERR_NOT_FOUND, "%s: there is no such database", db->path);
    bool crashed = file_bytes(db->path, "-wal") > 0;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (db->writes ? SQLITE_OPEN_CREATE : 0);
    if (sqlite3_open_v2(db->path, &db->handle, flags, NULL))
        return db->handle ? sql_fail(db, err)
                          : error_set(err, ERR_NOMEM, "%s: no memory", db->path);
    int rc = configure(db, family, err);
    if (rc == 0 && db->writes && crashed && file_bytes(db->path, "") <= CHECK_BYTES_MAX)
        rc = db_check(db, false, err);
    if (rc == 0)
        rc = bring_up_to_date(db, family, err);
    if (rc == 0 && db->writes)
        rc = db_checkpoint(db, 0, false, err);
    return rc;
}

struct db *db_open(const char *path, const char *family, enum db_mode mode, struct error *err)
{
    struct db *db;
    if (!MEM_ZNEW(db, 1) || !(db->path = mem_strdup(path, strlen(path)))) {
        free(db);
        error_set(err, ERR_NOMEM, "%s: no memory to open it", path);
        return NULL;
    }
    const char *slash = strrchr(db->path, '/');
    db->name = slash ? slash + 1 : db->path;
    db->writes = mode == DB_WRITE;
    buf_init(&db->json, 0);
    if (open_handle(db, family, err)) {
        db_close(db);
        return NULL;
    }
    return db;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    if (db->begun)
        db_rollback(db);
    /* Leaves no WAL even while an idle reader is still open: a WAL means a crash. */
    if (db->handle && db->writes) {
        sqlite3_busy_timeout(db->handle, 0);
        sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    }
    for (size_t i = 0; i < SQL_CACHE; i++)
        sqlite3_finalize(db->cache[i].statement);
    sqlite3_close(db->handle);
    buf_deinit(&db->json);
    free(db->sorted.at);
    free(db->path);
    free(db);
}

int db_begin(struct db *db, struct error *err)
{
    assert(db->writes && !db->begun);
    int rc = sql_do(db, BEGIN, err);
    db->begun = rc == 0;
    return rc;
}

static void end_transaction(struct db *db)
{
    db->begun = false;
    db->lost = OK;
    db->totals = (struct totals){0};
}

int db_commit(struct db *db, struct error *err)
{
    assert(db->begun);
    int rc = totals_store(db, err);
    if (rc == 0)
        rc = sql_do(db, COMMIT, err);
    if (rc)
        db_rollback(db);
    else
        end_transaction(db);
    return rc;
}

void db_rollback(struct db *db)
{
    if (!db->begun)
        return;
    /* Not through the cache, which refuses after a loss. Nothing is left to do when it fails. */
    if (!sqlite3_get_autocommit(db->handle))
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    end_transaction(db);
}

int db_savepoint(struct db *db, struct error *err)
{
    assert(db->begun);
    db->saved_totals = db->totals;
    return sql_do(db, SAVEPOINT, err);
}

int db_release(struct db *db, struct error *err)
{
    assert(db->begun);
    return sql_do(db, RELEASE, err);
}

void db_undo(struct db *db)
{
    assert(db->begun);
    if (db->lost)
        return;
    if (sqlite3_exec(db->handle, UNDO, NULL, NULL, NULL))
        sql_lose(db, sql_fail(db, NULL)); /* what should be undone must not be committed */
    db->totals = db->saved_totals;
}

int db_check(struct db *db, bool full, struct error *err)
{
    sqlite3_stmt *s;
    int rc = sql_prepare(db, full ? INTEGRITY_CHECK : QUICK_CHECK, &s, err);
    if (rc == 0)
        rc = sql_row(db, s, err);
    if (rc < 0)
        return rc;
    struct str text = sql_column_str(s, 0);
    rc = rc == 1 && str_eq(text, STR("ok"))
             ? 0
             : error_set(err, ERR_CORRUPT, "%s: damaged: %.*s", db->path, STR_ARG(text));
    sqlite3_reset(s);
    return rc;
}

int db_checkpoint(struct db *db, uint64_t wal_bytes, bool truncate, struct error *err)
{
    assert(db->writes && !db->begun);
    uint64_t grown = (db->wal_frames - db->wal_seen) * (uint64_t)db->page_bytes;
    if (wal_bytes > 0 && grown <= wal_bytes)
        return 0;
    int in_wal, copied;
    int mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
    /* A reader may hold the WAL's end: copy what can be, do not wait for it. */
    sqlite3_busy_timeout(db->handle, 0);
    int result = sqlite3_wal_checkpoint_v2(db->handle, NULL, mode, &in_wal, &copied);
    sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
    if (result != SQLITE_OK && result != SQLITE_BUSY)
        return sql_fail(db, err);
    /* All copied: the next commit starts it anew. Else try again after as much growth. */
    db->wal_frames = db->wal_seen = in_wal > copied ? (uint64_t)in_wal : 0;
    return 0;
}

static int sync_file(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int problem = fsync(fd) ? errno : 0;
    close(fd);
    return problem;
}

/* Gives the finished copy its name, which must be free, and makes both durable. */
static int publish_copy(const char *copy, const char *file, struct error *err)
{
    int problem = sync_file(copy, O_RDWR);
    if (problem)
        return error_set_errno(err, ERR_IO, problem, "%s: cannot be made durable", copy);
    if (link(copy, file))
        return errno == EEXIST ? error_set(err, ERR_CONFLICT, "%s: the file exists", file)
                               : error_set_errno(err, ERR_IO, errno, "%s: cannot be named", file);
    char *directory = mem_strdup(file, strlen(file));
    if (!directory)
        return error_set(err, ERR_NOMEM, "%s: no memory", file);
    char *slash = strrchr(directory, '/');
    if (slash)
        slash[slash == directory] = '\0';
    problem = sync_file(slash ? directory : ".", O_RDONLY | O_DIRECTORY);
    free(directory);
    return problem ? error_set_errno(err, ERR_IO, problem, "%s: cannot be made durable", file) : 0;
}

static int copy_to(struct db *db, const char *path, struct error *err)
{
    sqlite3_stmt *s;
    int rc = sql_prepare(db, VACUUM_INTO, &s, err);
    if (rc)
        return rc;
    sql_bind_str(s, 1, str_of(path));
    /* query_only would refuse to write the copy, too. */
    if (!db->writes)
        rc = run_pragmas(db, "PRAGMA query_only = OFF", err);
    if (rc == 0)
        rc = sql_run(db, s, err);
    int again = db->writes ? 0 : run_pragmas(db, "PRAGMA query_only = ON", err);
    return rc ? rc : again;
}

int db_backup(struct db *db, const char *file, struct error *err)
{
    if (access(file, F_OK) == 0)
        return error_set(err, ERR_CONFLICT, "%s: the file exists", file);
    struct buf copy;
    buf_init(&copy, 0);
    buf_printf(&copy, "%s.part", file);
    const char *path = buf_cstr(&copy);
    int rc;
    if (!path) {
        rc = error_set(err, ERR_NOMEM, "%s: no memory", file);
        goto done;
    }
    unlink(path); /* of a backup that was killed */
    rc = copy_to(db, path, err);
    if (rc == 0)
        rc = publish_copy(path, file, err);
    unlink(path);
done:
    buf_deinit(&copy);
    return rc;
}

bool db_wal_empty(struct db *db)
{
    return file_bytes(db->path, "-wal") == 0;
}

uint64_t db_free_bytes(const char *directory)
{
    struct statvfs fs;
    if (statvfs(directory, &fs))
        return UINT64_MAX;
    return (uint64_t)fs.f_bavail * fs.f_frsize;
}

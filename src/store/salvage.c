/* What can still be read of a damaged models.db. SQLite refuses a file that is shorter than its
 * header says, unless writable_schema is on; nothing is written to the damaged file. Every model is
 * copied in a transaction of its own, with its id; where that fails only its row is, marked
 * damaged. Checksums are looked at when a model is loaded. */
#include "store/models.h"

#include "store/sql.h"

static const char ATTACH[] = "ATTACH ?1 AS damaged";
static const char DETACH[] = "DETACH damaged";
static const char LENIENT[] = "PRAGMA writable_schema = ON";
static const char STRICT[] = "PRAGMA writable_schema = OFF";
static const char IDS[] =
    "SELECT model_id FROM damaged.models WHERE finished = 1 ORDER BY model_id DESC";
static const char COPY_MODEL[] =
    "INSERT INTO main.models SELECT * FROM damaged.models WHERE model_id = ?1";
static const char COPY_PARTS[] =
    "INSERT INTO main.parts SELECT * FROM damaged.parts WHERE model_id = ?1";
static const char COPY_CHUNKS[] = "INSERT INTO main.chunks SELECT * FROM damaged.chunks "
                                  "WHERE part_key IN (SELECT part_key FROM main.parts "
                                  "WHERE model_id = ?1)";
static const char MARK[] = "UPDATE main.models SET damaged = 1, live = 0 WHERE model_id = ?1";

#define MODELS_MAX 64

static int run_for(struct db *db, const char *sql, int64_t id, struct error *err)
{
    sqlite3_stmt *s;
    int rc = sql_prepare(db, sql, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, id);
    return sql_run(db, s, err);
}

/* All of a model, or with `only_row` a row that says it is damaged. */
static int copy_model(struct db *db, int64_t id, bool only_row, struct error *err)
{
    int rc = db_begin(db, err);
    if (rc)
        return rc;
    rc = run_for(db, COPY_MODEL, id, err);
    if (rc == 0 && only_row)
        rc = run_for(db, MARK, id, err);
    if (rc == 0 && !only_row)
        rc = run_for(db, COPY_PARTS, id, err);
    if (rc == 0 && !only_row)
        rc = run_for(db, COPY_CHUNKS, id, err);
    if (rc == 0)
        return db_commit(db, err);
    db_rollback(db);
    return rc;
}

static uint32_t list_models(struct db *db, int64_t ids[MODELS_MAX])
{
    sqlite3_stmt *s;
    uint32_t count = 0;
    if (sql_prepare(db, IDS, &s, NULL))
        return 0;
    while (count < MODELS_MAX && sql_row(db, s, NULL) == 1)
        ids[count++] = sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    return count;
}

static int attach(struct db *db, const char *file, struct error *err)
{
    sqlite3_stmt *s;
    int rc = sql_prepare(db, ATTACH, &s, err);
    if (rc)
        return rc;
    sql_bind_str(s, 1, str_of(file));
    return sql_run(db, s, err);
}

int models_salvage(struct db *db, const char *damaged, uint32_t *copied, struct error *err)
{
    int64_t ids[MODELS_MAX];
    *copied = 0;
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
    int rc = sql_do(db, LENIENT, err);
    if (rc == 0)
        rc = attach(db, damaged, err);
    if (rc == 0) {
        uint32_t count = list_models(db, ids);
        for (uint32_t i = 0; i < count; i++) {
            if (copy_model(db, ids[i], false, NULL) == 0)
                ++*copied;
            else if (copy_model(db, ids[i], true, NULL) != 0)
                break; /* not even that: damage at the head of the file */
        }
        rc = sql_do(db, DETACH, err);
    }
    int strict = sql_do(db, STRICT, rc ? NULL : err);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return rc ? rc : strict;
}

/* models.db holds models → parts → chunks. Writing commits every chunk on its own, so that a
 * gigabyte never sits in one transaction or in the WAL; until models_finish the model does not
 * exist for anyone. Reading streams each chunk into the caller's memory with sqlite3_blob_read,
 * which saves the second copy a column would make.
 *
 * Every chunk has an XXH3 seeded by model and sequence, and the part knows its bytes and chunks: a
 * flipped bit, a missing, truncated or misplaced chunk is found. */
#include "store/models.h"

#include "base/limits.h"
#include "store/sql.h"

#include <assert.h>
#include <string.h>
#include <xxhash.h>

static const char BEGIN_MODEL[] =
    "INSERT INTO models (created_ms, finished, live, damaged, bytes, parameters, report) "
    "VALUES (?1, 0, 0, 0, 0, ?2, '')";
static const char ADD_PART[] = "INSERT INTO parts (model_id, name, bytes, chunks) "
                               "VALUES (?1, ?2, 0, 0) ON CONFLICT (model_id, name) DO NOTHING";
static const char FIND_PART[] =
    "SELECT part_key, bytes, chunks FROM parts WHERE model_id = ?1 AND name = ?2";
static const char ADD_CHUNK[] =
    "INSERT INTO chunks (part_key, seq, checksum, bytes) VALUES (?1, ?2, ?3, ?4)";
static const char GROW_PART[] =
    "UPDATE parts SET bytes = bytes + ?2, chunks = chunks + 1 WHERE part_key = ?1";
static const char FINISH[] = "UPDATE models SET finished = 1, report = ?2, bytes = "
                             "(SELECT coalesce(sum(bytes), 0) FROM parts WHERE model_id = ?1) "
                             "WHERE model_id = ?1 AND finished = 0";
static const char CHUNK_SIZES[] =
    "SELECT count(*), coalesce(sum(length(bytes)), 0) FROM chunks WHERE part_key = ?1";
static const char FIND_CHUNK[] =
    "SELECT chunk_key, checksum FROM chunks WHERE part_key = ?1 AND seq = ?2";

#define COLUMNS "model_id, created_ms, live, damaged, bytes, parameters, report"
static const char LIST[] =
    "SELECT " COLUMNS " FROM models WHERE finished = 1 ORDER BY model_id DESC";
static const char GET[] = "SELECT " COLUMNS " FROM models WHERE finished = 1 AND model_id = ?1";
static const char LIVE[] = "SELECT model_id FROM models WHERE finished = 1 AND live = 1";
static const char CLEAR_LIVE[] = "UPDATE models SET live = 0 WHERE live <> 0 AND model_id <> ?1";
static const char SET_LIVE[] =
    "UPDATE models SET live = 1, damaged = 0 WHERE model_id = ?1 AND finished = 1";
static const char MARK_DAMAGED[] =
    "UPDATE models SET damaged = 1, live = 0 WHERE model_id = ?1 AND finished = 1";

/* One model to remove: unfinished, or neither live nor among the newest. */
static const char SURPLUS[] =
    "SELECT model_id FROM models WHERE finished = 0 OR (live = 0 AND model_id NOT IN "
    "(SELECT model_id FROM models WHERE finished = 1 ORDER BY model_id DESC LIMIT ?1)) "
    "ORDER BY model_id LIMIT 1";
static const char DELETE_CHUNKS[] =
    "DELETE FROM chunks WHERE chunk_key IN (SELECT chunk_key FROM chunks WHERE part_key IN "
    "(SELECT part_key FROM parts WHERE model_id = ?1) LIMIT 8)";
static const char DELETE_PARTS[] = "DELETE FROM parts WHERE model_id = ?1";
static const char DELETE_MODEL[] = "DELETE FROM models WHERE model_id = ?1";

#define WAL_BYTES (64u << 20)

static int not_found(int64_t id, struct error *err)
{
    return error_set(err, ERR_NOT_FOUND, "model %lld: not found", (long long)id);
}

/* Commits or rolls back, then keeps the WAL short. */
static int end(struct db *db, int rc, struct error *err)
{
    if (rc == 0)
        rc = db_commit(db, err);
    else
        db_rollback(db);
    return rc ? rc : db_checkpoint(db, WAL_BYTES, false, err);
}

int models_begin(struct db *db, int64_t created_ms, struct str parameters, int64_t *id,
                 struct error *err)
{
    sqlite3_stmt *s;
    int rc = db_begin(db, err);
    if (rc)
        return rc;
    rc = sql_prepare(db, BEGIN_MODEL, &s, err);
    if (rc == 0) {
        sqlite3_bind_int64(s, 1, created_ms);
        sql_bind_str(s, 2, parameters);
        rc = sql_run(db, s, err);
        *id = sqlite3_last_insert_rowid(db->handle);
    }
    return end(db, rc, err);
}

struct part {
    int64_t key;
    uint64_t bytes, chunks;
};

static int find_part(struct db *db, int64_t id, const char *name, struct part *out,
                     struct error *err)
{
    sqlite3_stmt *s;
    int rc = sql_prepare(db, FIND_PART, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, id);
    sql_bind_str(s, 2, str_of(name));
    rc = sql_row(db, s, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return error_set(err, ERR_NOT_FOUND, "model %lld has no part %s", (long long)id, name);
    *out = (struct part){sqlite3_column_int64(s, 0), (uint64_t)sqlite3_column_int64(s, 1),
                         (uint64_t)sqlite3_column_int64(s, 2)};
    sqlite3_reset(s);
    return 0;
}

static int make_part(struct db *db, int64_t id, const char *name, struct part *out,
                     struct error *err)
{
    sqlite3_stmt *s;
    int rc = sql_prepare(db, ADD_PART, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, id);
    sql_bind_str(s, 2, str_of(name));
    rc = sql_run(db, s, err);
    return rc ? rc : find_part(db, id, name, out, err);
}

static int64_t checksum_of(int64_t id, uint64_t seq, const void *bytes, size_t count)
{
    return (int64_t)XXH3_64bits_withSeed(bytes, count, ((uint64_t)id << 32) ^ seq);
}

static int add_chunk(struct db *db, int64_t id, const struct part *part, struct str bytes,
                     struct error *err)
{
    sqlite3_stmt *s;
    int rc = sql_prepare(db, ADD_CHUNK, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, part->key);
    sqlite3_bind_int64(s, 2, (int64_t)part->chunks);
    sqlite3_bind_int64(s, 3, checksum_of(id, part->chunks, bytes.ptr, bytes.len));
    sqlite3_bind_blob64(s, 4, bytes.len ? bytes.ptr : "", bytes.len, SQLITE_STATIC);
    rc = sql_run(db, s, err);
    if (rc)
        return rc;
    rc = sql_prepare(db, GROW_PART, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, part->key);
    sqlite3_bind_int64(s, 2, (int64_t)bytes.len);
    return sql_run(db, s, err);
}

/* One transaction: makes the part when it is new and appends one chunk, none when there are no
 * bytes. */
static int append(struct db *db, int64_t id, const char *name, struct str bytes, struct error *err)
{
    struct part part;
    int rc = db_begin(db, err);
    if (rc)
        return rc;
    rc = make_part(db, id, name, &part, err);
    if (rc == 0 && bytes.len > 0)
        rc = add_chunk(db, id, &part, bytes, err);
    return end(db, rc, err);
}

int models_write(struct db *db, int64_t id, const char *part, const void *bytes, uint64_t count,
                 struct error *err)
{
    const char *at = bytes;
    int rc;
    do {
        size_t piece = count < LIMIT_CHUNK_BYTES ? (size_t)count : LIMIT_CHUNK_BYTES;
        rc = append(db, id, part, (struct str){at, piece}, err);
        at += piece;
        count -= piece;
    } while (rc == 0 && count > 0);
    if (rc)
        error_wrap(err, "writing model %lld, part %s", (long long)id, part);
    return rc;
}

int models_finish(struct db *db, int64_t id, struct str report, struct error *err)
{
    sqlite3_stmt *s;
    int rc = db_begin(db, err);
    if (rc)
        return rc;
    rc = sql_prepare(db, FINISH, &s, err);
    if (rc == 0) {
        sqlite3_bind_int64(s, 1, id);
        sql_bind_str(s, 2, report);
        rc = sql_run(db, s, err);
    }
    if (rc == 0 && sqlite3_changes(db->handle) == 0)
        rc = not_found(id, err);
    rc = end(db, rc, err);
    return rc ? rc : db_checkpoint(db, 0, true, err);
}

/* Runs a statement whose only parameter is the model; *changed: rows. */
static int run_for(struct db *db, const char *sql, int64_t id, int *changed, struct error *err)
{
    sqlite3_stmt *s;
    int rc = sql_prepare(db, sql, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, id);
    rc = sql_run(db, s, err);
    *changed = sqlite3_changes(db->handle);
    return rc;
}

/* In pieces of 8 chunks, the model's row last: a crash in between leaves it to the next prune. */
static int delete_model(struct db *db, int64_t id, struct error *err)
{
    static const char UNFINISH[] = "UPDATE models SET finished = 0 WHERE model_id = ?1";
    int changed = 1;
    for (bool first = true; changed > 0; first = false) {
        int rc = db_begin(db, err);
        if (rc)
            return rc;
        if (first)
            rc = run_for(db, UNFINISH, id, &changed, err);
        if (rc == 0)
            rc = run_for(db, DELETE_CHUNKS, id, &changed, err);
        int rows;
        if (rc == 0 && changed == 0)
            rc = run_for(db, DELETE_PARTS, id, &rows, err);
        if (rc == 0 && changed == 0)
            rc = run_for(db, DELETE_MODEL, id, &rows, err);
        rc = end(db, rc, err);
        if (rc)
            return rc;
    }
    return 0;
}

void models_abandon(struct db *db, int64_t id)
{
    /* What cannot be removed now, models_prune removes later. */
    int ignored = delete_model(db, id, NULL);
    (void)ignored;
}

int models_prune(struct db *db, uint32_t keep, struct error *err)
{
    for (;;) {
        sqlite3_stmt *s;
        int rc = sql_prepare(db, SURPLUS, &s, err);
        if (rc)
            return rc;
        sqlite3_bind_int64(s, 1, keep);
        rc = sql_row(db, s, err);
        if (rc <= 0)
            return rc;
        int64_t id = sqlite3_column_int64(s, 0);
        sqlite3_reset(s);
        rc = delete_model(db, id, err);
        if (rc)
            return rc;
    }
}

/* What the part's row says must be what is there: a caller allocates by it. Lengths stand in the
 * rows' headers, so no chunk is read. */
static int check_size(struct db *db, const struct part *part, struct error *err)
{
    sqlite3_stmt *s;
    int rc = sql_prepare(db, CHUNK_SIZES, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, part->key);
    rc = sql_row(db, s, err);
    if (rc < 0)
        return rc;
    uint64_t chunks = (uint64_t)sqlite3_column_int64(s, 0);
    uint64_t bytes = (uint64_t)sqlite3_column_int64(s, 1);
    sqlite3_reset(s);
    if (chunks == part->chunks && bytes == part->bytes)
        return 0;
    return error_set(err, ERR_CORRUPT, "it has %llu bytes in %llu chunks, expected %llu in %llu",
                     (unsigned long long)bytes, (unsigned long long)chunks,
                     (unsigned long long)part->bytes, (unsigned long long)part->chunks);
}

int models_part_bytes(struct db *db, int64_t id, const char *part, uint64_t *bytes,
                      struct error *err)
{
    struct part found;
    int rc = find_part(db, id, part, &found, err);
    if (rc)
        return rc;
    rc = check_size(db, &found, err);
    if (rc)
        error_wrap(err, "%s: model %lld, part %s", db->name, (long long)id, part);
    else
        *bytes = found.bytes;
    return rc;
}

/* The key and checksum of a chunk. */
static int find_chunk(struct db *db, const struct part *part, uint64_t seq, int64_t *key,
                      int64_t *checksum, struct error *err)
{
    sqlite3_stmt *s;
    int rc = sql_prepare(db, FIND_CHUNK, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, part->key);
    sqlite3_bind_int64(s, 2, (int64_t)seq);
    rc = sql_row(db, s, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return error_set(err, ERR_CORRUPT, "chunk %llu is missing", (unsigned long long)seq);
    *key = sqlite3_column_int64(s, 0);
    *checksum = sqlite3_column_int64(s, 1);
    sqlite3_reset(s);
    return 0;
}

/* Reads chunk `seq` to `into`, which has room for `room` bytes; *count of them. */
static int read_chunk(struct db *db, int64_t id, const struct part *part, uint64_t seq,
                      struct str room, size_t *count, struct error *err)
{
    int64_t key = 0, checksum = 0;
    int rc = find_chunk(db, part, seq, &key, &checksum, err);
    if (rc)
        return rc;
    sqlite3_blob *blob = NULL;
    if (sqlite3_blob_open(db->handle, "main", "chunks", "bytes", key, 0, &blob)) {
        rc = (sqlite3_errcode(db->handle) & 0xff) == SQLITE_ERROR /* not a blob */
                 ? error_set(err, ERR_CORRUPT, "chunk %llu: not bytes", (unsigned long long)seq)
                 : sql_fail(db, err);
        goto done;
    }
    *count = (size_t)sqlite3_blob_bytes(blob);
    if (*count > room.len)
        rc = error_set(err, ERR_CORRUPT, "chunk %llu is too long", (unsigned long long)seq);
    else if (sqlite3_blob_read(blob, (char *)room.ptr, (int)*count, 0))
        rc = sql_fail(db, err);
    else if (checksum_of(id, seq, room.ptr, *count) != checksum)
        rc = error_set(err, ERR_CORRUPT, "chunk %llu: wrong checksum", (unsigned long long)seq);
done:
    sqlite3_blob_close(blob);
    return rc;
}

static int read_part(struct db *db, int64_t id, const struct part *part, struct str room,
                     struct error *err)
{
    for (uint64_t seq = 0; seq < part->chunks; seq++) {
        size_t count = 0;
        int rc = read_chunk(db, id, part, seq, room, &count, err);
        if (rc)
            return rc;
        room.ptr += count;
        room.len -= count;
    }
    return room.len ? error_set(err, ERR_CORRUPT, "%zu bytes are missing", room.len) : 0;
}

int models_read(struct db *db, int64_t id, const char *part, void *into, uint64_t bytes,
                struct error *err)
{
    struct part found;
    int rc = find_part(db, id, part, &found, err);
    if (rc)
        return rc;
    if (found.bytes != bytes)
        rc = error_set(err, ERR_CORRUPT, "it has %llu bytes, expected %llu",
                       (unsigned long long)found.bytes, (unsigned long long)bytes);
    else
        rc = read_part(db, id, &found, (struct str){into, (size_t)bytes}, err);
    if (rc)
        error_wrap(err, "%s: model %lld, part %s", db->name, (long long)id, part);
    return rc;
}

static int visit_models(struct db *db, sqlite3_stmt *s, model_visitor visit, void *context,
                        uint32_t *visited, struct error *err)
{
    int rc;
    *visited = 0;
    while ((rc = sql_row(db, s, err)) == 1) {
        struct model_row row = {
            .id = sqlite3_column_int64(s, 0),
            .created_ms = sqlite3_column_int64(s, 1),
            .live = sqlite3_column_int(s, 2),
            .damaged = sqlite3_column_int(s, 3),
            .bytes = (uint64_t)sqlite3_column_int64(s, 4),
            .parameters = sql_column_str(s, 5),
            .report = sql_column_str(s, 6),
        };
        ++*visited;
        rc = visit(context, &row, err);
        if (rc)
            break;
    }
    sqlite3_reset(s);
    return rc;
}

int models_list(struct db *db, model_visitor visit, void *context, struct error *err)
{
    sqlite3_stmt *s;
    uint32_t visited;
    int rc = sql_prepare(db, LIST, &s, err);
    return rc ? rc : visit_models(db, s, visit, context, &visited, err);
}

int models_get(struct db *db, int64_t id, model_visitor visit, void *context, struct error *err)
{
    sqlite3_stmt *s;
    uint32_t visited;
    int rc = sql_prepare(db, GET, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, id);
    rc = visit_models(db, s, visit, context, &visited, err);
    return rc == 0 && visited == 0 ? not_found(id, err) : rc;
}

int models_live(struct db *db, int64_t *id, struct error *err)
{
    return sql_integer(db, LIVE, id, err);
}

int models_set_live(struct db *db, int64_t id, struct error *err)
{
    int changed;
    int rc = db_begin(db, err);
    if (rc)
        return rc;
    rc = run_for(db, CLEAR_LIVE, id, &changed, err);
    if (rc == 0)
        rc = run_for(db, SET_LIVE, id, &changed, err);
    if (rc == 0 && changed == 0)
        rc = not_found(id, err);
    return end(db, rc, err);
}

int models_mark_damaged(struct db *db, int64_t id, struct error *err)
{
    int changed;
    int rc = db_begin(db, err);
    if (rc)
        return rc;
    rc = run_for(db, MARK_DAMAGED, id, &changed, err);
    if (rc == 0 && changed == 0)
        rc = not_found(id, err);
    return end(db, rc, err);
}

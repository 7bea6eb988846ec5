/* Catalogue rows, whole rows by key. The writer keeps all of them in memory, so there is no
 * question by id here. */
#include "store/items.h"

#include "store/sql.h"

#include <assert.h>

static const char PUT[] =
    "INSERT INTO items (item_key, item_id, title, category, attributes, price_minor, stock, "
    "updated_ms, order_ms, described, available, deleted) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) "
    "ON CONFLICT (item_key) DO UPDATE SET title = ?3, category = ?4, attributes = ?5, "
    "price_minor = ?6, stock = ?7, updated_ms = ?8, order_ms = ?9, described = ?10, "
    "available = ?11, deleted = ?12";
static const char SCAN[] = "SELECT item_key, item_id, title, category, attributes, price_minor, "
                           "stock, updated_ms, order_ms, described, available, deleted "
                           "FROM items ORDER BY item_key";

int items_put(struct db *db, const struct item_row *row, struct error *err)
{
    assert(row->key != 0);
    sqlite3_stmt *s;
    int rc = sql_prepare(db, PUT, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, row->key);
    sql_bind_str(s, 2, row->item_id);
    sql_bind_str_or_null(s, 3, row->title);
    sql_bind_str_or_null(s, 4, row->category);
    sql_bind_str_or_null(s, 5, row->attributes);
    sql_bind_i64_or_null(s, 6, row->price_minor);
    sql_bind_i64_or_null(s, 7, row->stock);
    sqlite3_bind_int64(s, 8, row->updated_ms);
    sql_bind_i64_or_null(s, 9, row->order_ms);
    sqlite3_bind_int64(s, 10, row->described);
    sqlite3_bind_int(s, 11, row->available);
    sqlite3_bind_int(s, 12, row->deleted);
    return sql_run(db, s, err);
}

int items_scan(struct db *db, item_visitor visit, void *context, struct error *err)
{
    sqlite3_stmt *s;
    int rc = sql_prepare(db, SCAN, &s, err);
    if (rc)
        return rc;
    while ((rc = sql_row(db, s, err)) == 1) {
        int64_t key = sqlite3_column_int64(s, 0);
        if (key < 1 || key >= UINT32_MAX) {
            rc = error_set(err, ERR_CORRUPT, "%s: item key %lld", db->name, (long long)key);
            break;
        }
        struct item_row row = {
            .key = (uint32_t)key,
            .item_id = sql_column_str(s, 1),
            .title = sql_column_str(s, 2),
            .category = sql_column_str(s, 3),
            .attributes = sql_column_str(s, 4),
            .price_minor = sql_column_i64(s, 5),
            .stock = sql_column_i64(s, 6),
            .updated_ms = sqlite3_column_int64(s, 7),
            .order_ms = sql_column_i64(s, 8),
            .described = (unsigned)sqlite3_column_int64(s, 9),
            .available = sqlite3_column_int(s, 10),
            .deleted = sqlite3_column_int(s, 11),
        };
        rc = visit(context, &row, err);
        if (rc)
            break;
    }
    sqlite3_reset(s);
    return rc;
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/sql.h"
#include "support/orders_db.h"

struct tempdir dir;
struct db *db;

struct db *orders_db_open(enum db_mode mode)
{
    struct error err = ERROR_INIT;
    struct db *opened = db_open(tempdir_file(&dir, "orders.db"), "orders", mode, &err);
    if (!opened)
        fail_msg("%s", err.text);
    return opened;
}

void orders_db_reopen(void)
{
    db_close(db);
    db = NULL;
    db = orders_db_open(DB_WRITE);
}

int orders_db_setup(void **state)
{
    (void)state;
    tempdir_open(&dir);
    orders_db_reopen();
    return 0;
}

int orders_db_teardown(void **state)
{
    (void)state;
    db_close(db);
    db = NULL;
    tempdir_close(&dir);
    return 0;
}

void begin(void)
{
    assert_int_equal(db_begin(db, NULL), 0);
}

void commit(void)
{
    assert_int_equal(db_commit(db, NULL), 0);
}

void run(const char *sql)
{
    if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL))
        fail_msg("%s: %s", sql, sqlite3_errmsg(db->handle));
}

struct order_stats stats(void)
{
    struct order_stats s;
    assert_int_equal(orders_stats(db, &s, NULL), 0);
    return s;
}

enum put_outcome put(const char *id, uint64_t user, int64_t time_ms, const struct order_line *lines,
                     size_t count)
{
    struct order_row row = {.order_id = str_of(id),
                            .user = user,
                            .time_ms = time_ms,
                            .arrival_ms = 9000,
                            .lines = lines,
                            .line_count = (uint32_t)count};
    enum put_outcome outcome;
    struct error err = ERROR_INIT;
    if (orders_put(db, &row, &outcome, &err))
        fail_msg("%s", err.text);
    return outcome;
}

enum put_outcome cancel(const char *id, int64_t now_ms)
{
    enum put_outcome outcome;
    assert_int_equal(orders_cancel(db, str_of(id), now_ms, &outcome, NULL), 0);
    return outcome;
}

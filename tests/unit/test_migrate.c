#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/migrate.h"
#include "store/sql.h"
#include "support/orders_db.h"

#include <stdio.h>
#include <string.h>

#define SQL(text)                                                                                  \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
static const struct migration STEPS[] = {
    {"migrations/test/001_a.sql", SQL("CREATE TABLE a (x INTEGER) STRICT;")},
    {"migrations/test/002_b.sql", SQL("INSERT INTO a VALUES (7); CREATE TABLE b (y);")},
    {"migrations/test/003_c.sql", SQL("INSERT INTO b VALUES (1); NONSENSE;")},
};

static int64_t integer(const char *sql)
{
    int64_t out;
    assert_int_equal(sql_integer(db, sql, &out, NULL), 0);
    return out;
}

static void drop_all_tables(void)
{
    const char *tables[] = {"orders", "items", "users", "events", "jobs", "keys", "totals"};
    char sql[64];
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        snprintf(sql, sizeof sql, "DROP TABLE %s", tables[i]);
        run(sql);
    }
    run("DELETE FROM migrations");
}

static void close_writer(void)
{
    db_close(db);
    db = NULL;
}

static void each_migration_is_applied_once_in_order(void **state)
{
    (void)state;
    drop_all_tables();
    assert_int_equal(migrate_check(db, STEPS, 1, NULL), ERR_CONFLICT);
    assert_int_equal(migrate_apply(db, STEPS, 1, NULL), 0);
    assert_int_equal(migrate_apply(db, STEPS, 2, NULL), 0);
    assert_int_equal(migrate_apply(db, STEPS, 2, NULL), 0);
    assert_int_equal(migrate_check(db, STEPS, 2, NULL), 0);
    assert_int_equal(integer("SELECT count(*) FROM a"), 1);
    assert_int_equal(integer("SELECT max(number) FROM migrations"), 2);
    assert_true(integer("SELECT min(applied_ms) FROM migrations") > 1500000000000);
}

static void a_failing_migration_leaves_nothing_behind(void **state)
{
    (void)state;
    drop_all_tables();
    struct error err = ERROR_INIT;
    assert_int_not_equal(migrate_apply(db, STEPS, 3, &err), 0);
    assert_non_null(strstr(err.text, "003_c.sql"));
    assert_int_equal(integer("SELECT max(number) FROM migrations"), 2);
    assert_int_equal(integer("SELECT count(*) FROM b"), 0);
}

static void a_changed_migration_is_refused(void **state)
{
    (void)state;
    drop_all_tables();
    struct error err = ERROR_INIT;
    struct migration changed[] = {STEPS[0], STEPS[1]};
    assert_int_equal(migrate_apply(db, STEPS, 2, NULL), 0);
    changed[0].sql = STR("CREATE TABLE a (x INTEGER) STRICT; ");
    assert_int_equal(migrate_apply(db, changed, 2, &err), ERR_CONFLICT);
    assert_non_null(strstr(err.text, "001_a.sql was changed after it was applied"));
}

static void a_newer_schema_is_refused_with_help(void **state)
{
    (void)state;
    run("INSERT INTO migrations VALUES (900, 'migrations/orders/900_future.sql', 'x', 1)");
    close_writer();
    for (enum db_mode mode = DB_WRITE; mode <= DB_READ; mode++) {
        struct error err = ERROR_INIT;
        assert_null(db_open(tempdir_file(&dir, "orders.db"), "orders", mode, &err));
        assert_int_equal(err.code, ERR_CONFLICT);
        assert_non_null(strstr(err.text, "newer than this basketd"));
        assert_non_null(strstr(err.text, "900_future.sql"));
    }
}

static void an_older_schema_is_refused_for_reading(void **state)
{
    (void)state;
    run("DELETE FROM migrations");
    close_writer();
    struct error err = ERROR_INIT;
    assert_null(db_open(tempdir_file(&dir, "orders.db"), "orders", DB_READ, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_non_null(strstr(err.text, "older"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, orders_db_setup, orders_db_teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_migration_is_applied_once_in_order),
        TEST(a_failing_migration_leaves_nothing_behind),
        TEST(a_changed_migration_is_refused),
        TEST(a_newer_schema_is_refused_with_help),
        TEST(an_older_schema_is_refused_for_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/orders.h"
#include "store/sql.h"
#include "support/oom.h"
#include "support/tempdir.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct tempdir dir;

static int setup(void **state)
{
    (void)state;
    tempdir_open(&dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tempdir_close(&dir);
    return 0;
}

static struct db *open_orders(enum db_mode mode)
{
    struct error err = ERROR_INIT;
    struct db *db = db_open(tempdir_file(&dir, "orders.db"), "orders", mode, &err);
    if (!db)
        fail_msg("%s", err.text);
    return db;
}

static void run(struct db *db, const char *sql)
{
    if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL))
        fail_msg("%s: %s", sql, sqlite3_errmsg(db->handle));
}

static int64_t integer(struct db *db, const char *sql)
{
    int64_t out;
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_prepare_v2(db->handle, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    out = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return out;
}

static void put_order(struct db *db, const char *id)
{
    struct order_line line = {1, 1, 100};
    struct order_row row = {.order_id = str_of(id), .time_ms = 5, .lines = &line, .line_count = 1};
    enum put_outcome outcome;
    assert_int_equal(orders_put(db, &row, &outcome, NULL), 0);
}

static uint64_t count_orders(struct db *db)
{
    struct order_stats stats;
    assert_int_equal(orders_stats(db, &stats, NULL), 0);
    assert_int_equal(stats.orders, integer(db, "SELECT count(*) FROM orders"));
    return stats.orders;
}

static void the_settings_are_in_force(void **state)
{
    (void)state;
    struct db *db = open_orders(DB_WRITE), *reader = open_orders(DB_READ);
    struct db *both[] = {db, reader};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(integer(both[i], "PRAGMA synchronous"), 2);
        assert_int_equal(integer(both[i], "PRAGMA wal_autocheckpoint"), 0);
        assert_int_equal(integer(both[i], "PRAGMA secure_delete"), 1);
        assert_int_equal(integer(both[i], "PRAGMA temp_store"), 2);
        assert_int_equal(integer(both[i], "PRAGMA trusted_schema"), 0);
        assert_int_equal(integer(both[i], "PRAGMA foreign_keys"), 0);
        int on;
        sqlite3_db_config(both[i]->handle, SQLITE_DBCONFIG_DEFENSIVE, -1, &on);
        assert_int_equal(on, 1);
        sqlite3_db_config(both[i]->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, -1, &on);
        assert_int_equal(on, i);
        assert_int_equal(integer(both[i], "PRAGMA query_only"), i);
    }
    assert_int_equal(integer(db, "PRAGMA cache_size"), -65536);
    assert_int_not_equal(sqlite3_exec(reader->handle, "DELETE FROM totals", NULL, NULL, NULL),
                         SQLITE_OK);
    db_close(reader);
    db_close(db);
    db_close(NULL);
}

static void a_reader_needs_a_file(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    assert_null(db_open(tempdir_file(&dir, "none.db"), "orders", DB_READ, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_int_equal(access(tempdir_file(&dir, "none.db"), F_OK), -1);
}

static void a_directory_that_is_not_there_is_an_io_error(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    assert_null(db_open(tempdir_file(&dir, "no/orders.db"), "orders", DB_WRITE, &err));
    assert_int_equal(err.code, ERR_IO);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    char text[4096];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    write_file(tempdir_file(&dir, "text.db"), text);
    assert_null(db_open(tempdir_file(&dir, "text.db"), "orders", DB_WRITE, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
}

static void a_database_of_another_program_is_refused(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    sqlite3 *h;
    assert_int_equal(sqlite3_open(tempdir_file(&dir, "other.db"), &h), SQLITE_OK);
    assert_int_equal(sqlite3_exec(h, "CREATE TABLE t(x)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(h);
    assert_null(db_open(tempdir_file(&dir, "other.db"), "orders", DB_WRITE, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_non_null(strstr(err.text, "not a database of basketd"));
}

static void the_other_family_is_refused(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    db_close(open_orders(DB_WRITE));
    assert_null(db_open(tempdir_file(&dir, "orders.db"), "models", DB_WRITE, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_non_null(strstr(err.text, "migrations/orders/001_orders.sql"));
}

/* Transactions. */

static void a_commit_is_seen_by_readers_and_a_rollback_is_not(void **state)
{
    (void)state;
    struct db *db = open_orders(DB_WRITE), *reader = open_orders(DB_READ);
    assert_int_equal(db_begin(db, NULL), 0);
    put_order(db, "a");
    assert_int_equal(count_orders(reader), 0);
    assert_int_equal(count_orders(db), 1);
    assert_int_equal(db_commit(db, NULL), 0);
    assert_int_equal(count_orders(reader), 1);
    assert_int_equal(db_begin(db, NULL), 0);
    put_order(db, "b");
    db_rollback(db);
    db_rollback(db);
    assert_int_equal(count_orders(db), 1);
    assert_int_equal(count_orders(reader), 1);
    db_close(reader);
    db_close(db);
}

static void an_undone_savepoint_takes_its_counters_back(void **state)
{
    (void)state;
    struct db *db = open_orders(DB_WRITE);
    assert_int_equal(db_begin(db, NULL), 0);
    assert_int_equal(db_savepoint(db, NULL), 0);
    put_order(db, "undone before any other");
    db_undo(db);
    put_order(db, "a");
    assert_int_equal(db_savepoint(db, NULL), 0);
    put_order(db, "b");
    db_undo(db);
    assert_int_equal(db_savepoint(db, NULL), 0);
    put_order(db, "c");
    assert_int_equal(db_release(db, NULL), 0);
    assert_int_equal(db_commit(db, NULL), 0);
    assert_int_equal(count_orders(db), 2);
    db_close(db);
    db = open_orders(DB_WRITE);
    assert_int_equal(count_orders(db), 2);
    db_close(db);
}

static void closing_rolls_an_open_transaction_back(void **state)
{
    (void)state;
    struct db *db = open_orders(DB_WRITE);
    assert_int_equal(db_begin(db, NULL), 0);
    put_order(db, "a");
    db_close(db);
    db = open_orders(DB_WRITE);
    assert_int_equal(count_orders(db), 0);
    db_close(db);
}

/* SQLite undoes the transaction itself when the page limit is hit: the way a full disk looks. */
static void after_a_full_database_the_transaction_is_lost_and_says_so(void **state)
{
    (void)state;
    struct db *db = open_orders(DB_WRITE);
    assert_int_equal(db_begin(db, NULL), 0);
    put_order(db, "kept");
    assert_int_equal(db_commit(db, NULL), 0);
    run(db, "PRAGMA cache_size = 10; PRAGMA max_page_count = 30");

    struct order_line lines[200];
    for (uint32_t i = 0; i < 200; i++)
        lines[i] = (struct order_line){1000000 + i, 1, 100};
    struct error err = ERROR_INIT;
    assert_int_equal(db_begin(db, NULL), 0);
    int rc = 0;
    enum put_outcome outcome;
    for (int i = 0; i < 200 && rc == 0; i++) {
        char id[16];
        struct order_row row = {.order_id = {id, (size_t)snprintf(id, sizeof id, "o%d", i)},
                                .time_ms = 5,
                                .lines = lines,
                                .line_count = 200};
        rc = orders_put(db, &row, &outcome, &err);
    }
    assert_int_equal(rc, ERR_FULL);
    assert_int_equal(err.code, ERR_FULL);
    /* Whether SQLite undid it or not is its choice; once undone, nothing else may be written. */
    if (sqlite3_get_autocommit(db->handle)) {
        struct order_row row = {.order_id = STR("late"), .lines = lines, .line_count = 1};
        assert_int_equal(orders_put(db, &row, &outcome, NULL), ERR_FULL);
        assert_int_equal(db_savepoint(db, NULL), ERR_FULL);
        db_undo(db);
        assert_int_equal(db_commit(db, NULL), ERR_FULL);
    } else {
        db_rollback(db);
    }
    run(db, "PRAGMA max_page_count = 4294967294");
    assert_int_equal(count_orders(db), 1);
    assert_int_equal(db_begin(db, NULL), 0);
    put_order(db, "again");
    assert_int_equal(db_commit(db, NULL), 0);
    assert_int_equal(count_orders(db), 2);
    db_close(db);
}

static void a_lost_transaction_refuses_everything_until_it_ends(void **state)
{
    (void)state;
    struct db *db = open_orders(DB_WRITE);
    assert_int_equal(db_begin(db, NULL), 0);
    put_order(db, "a");
    sql_lose(db, ERR_IO);
    struct error err = ERROR_INIT;
    struct order_stats stats;
    assert_int_equal(orders_stats(db, &stats, &err), ERR_IO);
    assert_non_null(strstr(err.text, "the transaction was undone"));
    assert_int_equal(db_savepoint(db, NULL), ERR_IO);
    assert_int_equal(db_commit(db, NULL), ERR_IO);
    assert_int_equal(count_orders(db), 0);
    db_close(db);
}

/* Checkpoints, sizes, backup. */

static uint64_t wal_bytes(void)
{
    struct stat st;
    return stat(tempdir_file(&dir, "orders.db-wal"), &st) ? 0 : (uint64_t)st.st_size;
}

static void commit_orders(struct db *db, int from, int count)
{
    assert_int_equal(db_begin(db, NULL), 0);
    for (int i = from; i < from + count; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        put_order(db, id);
    }
    assert_int_equal(db_commit(db, NULL), 0);
}

static void a_checkpoint_runs_only_when_the_wal_has_grown(void **state)
{
    (void)state;
    struct db *db = open_orders(DB_WRITE);
    assert_int_equal(db_checkpoint(db, 0, true, NULL), 0);
    assert_int_equal(wal_bytes(), 0);
    commit_orders(db, 0, 5000);
    uint64_t before = integer(db, "PRAGMA page_count") * 4096, grown = wal_bytes();
    struct stat st;
    assert_true(grown > 100000);
    assert_int_equal(db_checkpoint(db, 10 * grown, false, NULL), 0);
    assert_int_equal(stat(tempdir_file(&dir, "orders.db"), &st), 0);
    assert_true((uint64_t)st.st_size < before);
    assert_int_equal(db_checkpoint(db, grown / 2, false, NULL), 0);
    assert_int_equal(stat(tempdir_file(&dir, "orders.db"), &st), 0);
    assert_int_equal(st.st_size, before);
    commit_orders(db, 5000, 1);
    assert_int_equal(wal_bytes(), grown); /* it started anew */
    assert_int_equal(db_checkpoint(db, 0, true, NULL), 0);
    assert_int_equal(wal_bytes(), 0);
    db_close(db);
}

static void a_reader_does_not_hold_a_checkpoint_up(void **state)
{
    (void)state;
    struct db *db = open_orders(DB_WRITE), *reader = open_orders(DB_READ);
    commit_orders(db, 0, 10);
    run(reader, "BEGIN; SELECT count(*) FROM orders");
    commit_orders(db, 10, 10);
    assert_int_equal(db_checkpoint(db, 0, false, NULL), 0);
    assert_int_equal(db_checkpoint(db, 0, true, NULL), 0);
    assert_true(wal_bytes() > 0);
    commit_orders(db, 20, 10);
    assert_int_equal(integer(reader, "SELECT count(*) FROM orders"), 10);
    run(reader, "COMMIT");
    assert_int_equal(db_checkpoint(db, 0, true, NULL), 0);
    assert_int_equal(wal_bytes(), 0);
    assert_int_equal(count_orders(reader), 30);
    db_close(db);
    db_close(reader);
}

static void a_clean_close_leaves_no_wal(void **state)
{
    (void)state;
    struct db *db = open_orders(DB_WRITE), *reader = open_orders(DB_READ);
    commit_orders(db, 0, 10);
    db_close(db);
    assert_int_equal(wal_bytes(), 0);
    assert_int_equal(count_orders(reader), 10);
    db_close(reader);
}

static void a_backup_is_whole_while_the_writer_goes_on(void **state)
{
    (void)state;
    struct db *db = open_orders(DB_WRITE), *reader = open_orders(DB_READ);
    char copy[128];
    snprintf(copy, sizeof copy, "%s", tempdir_file(&dir, "copy.db"));
    commit_orders(db, 0, 100);
    write_file(tempdir_file(&dir, "copy.db.part"), "left by a crash");
    struct error err = ERROR_INIT;
    if (db_backup(reader, copy, &err))
        fail_msg("%s", err.text);
    commit_orders(db, 100, 100);
    assert_int_equal(db_backup(reader, copy, NULL), ERR_CONFLICT);
    assert_int_equal(access(tempdir_file(&dir, "copy.db.part"), F_OK), -1);
    assert_int_equal(integer(reader, "PRAGMA query_only"), 1);
    assert_int_equal(count_orders(reader), 200);
    struct db *restored = db_open(copy, "orders", DB_WRITE, &err);
    assert_non_null(restored);
    assert_int_equal(count_orders(restored), 100);
    assert_int_equal(db_check(restored, true, NULL), 0);
    assert_int_equal(db_backup(restored, tempdir_file(&dir, "second.db"), NULL), 0);
    db_close(restored);
    db_close(reader);
    db_close(db);
}

static void a_backup_that_fails_leaves_no_file(void **state)
{
    (void)state;
    struct db *db = open_orders(DB_WRITE);
    struct error err = ERROR_INIT;
    assert_int_equal(db_backup(db, tempdir_file(&dir, "no/copy.db"), &err), ERR_IO);
    assert_int_equal(access(tempdir_file(&dir, "no"), F_OK), -1);
    db_close(db);
}

static void free_space_is_told(void **state)
{
    (void)state;
    assert_true(db_free_bytes(dir.path) < UINT64_MAX);
    assert_true(db_free_bytes(tempdir_file(&dir, "absent")) == UINT64_MAX);
}

/* Damage. */

static void flip(const char *path, off_t offset)
{
    int fd = open(path, O_RDWR);
    char byte;
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte = (char)(byte ^ 0x55);
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

static void damage_is_found_at_the_start_after_a_crash(void **state)
{
    (void)state;
    char path[128], wal[128];
    snprintf(path, sizeof path, "%s", tempdir_file(&dir, "orders.db"));
    snprintf(wal, sizeof wal, "%s", tempdir_file(&dir, "orders.db-wal"));
    struct db *db = open_orders(DB_WRITE);
    commit_orders(db, 0, 3000);
    int64_t root = integer(db, "SELECT rootpage FROM sqlite_schema WHERE name = 'orders'");
    db_close(db);
    for (int i = 0; i < 12; i++) /* of the b-tree page header */
        flip(path, (root - 1) * 4096 + i);
    write_file(wal, "an old WAL"); /* what a crash leaves; too short to be replayed */
    struct error err = ERROR_INIT;
    assert_null(db_open(path, "orders", DB_WRITE, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
}

static void a_truncated_file_is_found(void **state)
{
    (void)state;
    struct db *db = open_orders(DB_WRITE);
    commit_orders(db, 0, 3000);
    db_close(db);
    assert_int_equal(truncate(tempdir_file(&dir, "orders.db"), 40960), 0);
    struct error err = ERROR_INIT;
    assert_null(db_open(tempdir_file(&dir, "orders.db"), "orders", DB_WRITE, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
}

static int interrupt(void *context, const struct order_row *row, struct error *err)
{
    (void)row;
    (void)err;
    sqlite3_interrupt(((struct db *)context)->handle);
    return 0;
}

static void an_interrupted_statement_is_cancelled(void **state)
{
    (void)state;
    struct db *db = open_orders(DB_WRITE);
    commit_orders(db, 0, 5000);
    uint64_t damaged;
    struct error err = ERROR_INIT;
    assert_int_equal(orders_scan(db, interrupt, db, NULL, &damaged, &err), ERR_CANCELLED);
    assert_int_equal(err.code, ERR_CANCELLED);
    assert_int_equal(count_orders(db), 5000);
    db_close(db);
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    db_close(open_orders(DB_WRITE));
    struct db *db = NULL;
    unsigned n;
    for (n = 1; !db; n++) {
        struct error err = ERROR_INIT;
        const char *path = tempdir_file(&dir, "orders.db");
        oom_fail_at(n);
        db = db_open(path, "orders", DB_WRITE, &err);
        oom_disarm();
        assert_true(db || err.code == ERR_NOMEM);
    }
    assert_true(n > 3);
    int rc = ERR_NOMEM;
    for (n = 1; rc; n++) {
        const char *path = tempdir_file(&dir, "copy.db");
        oom_fail_at(n);
        rc = db_backup(db, path, NULL);
        oom_disarm();
        assert_true(rc == 0 || rc == ERR_NOMEM);
        unlink(path);
    }
    assert_true(n > 2);
    db_close(db);
    for (n = 1; n < 4; n++) { /* a new file: migrations run too */
        struct error err = ERROR_INIT;
        const char *path = tempdir_file(&dir, "new.db");
        unlink(path);
        oom_fail_at(n);
        db = db_open(path, "models", DB_WRITE, &err);
        oom_disarm();
        assert_true(db || err.code == ERR_NOMEM);
        db_close(db);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_settings_are_in_force),
        TEST(a_reader_needs_a_file),
        TEST(a_directory_that_is_not_there_is_an_io_error),
        TEST(a_file_that_is_no_database_is_refused),
        TEST(a_database_of_another_program_is_refused),
        TEST(the_other_family_is_refused),
        TEST(a_commit_is_seen_by_readers_and_a_rollback_is_not),
        TEST(an_undone_savepoint_takes_its_counters_back),
        TEST(closing_rolls_an_open_transaction_back),
        TEST(after_a_full_database_the_transaction_is_lost_and_says_so),
        TEST(a_lost_transaction_refuses_everything_until_it_ends),
        TEST(a_checkpoint_runs_only_when_the_wal_has_grown),
        TEST(a_reader_does_not_hold_a_checkpoint_up),
        TEST(a_clean_close_leaves_no_wal),
        TEST(a_backup_is_whole_while_the_writer_goes_on),
        TEST(a_backup_that_fails_leaves_no_file),
        TEST(free_space_is_told),
        TEST(damage_is_found_at_the_start_after_a_crash),
        TEST(a_truncated_file_is_found),
        TEST(an_interrupted_statement_is_cancelled),
        TEST(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

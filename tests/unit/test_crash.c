/* What is left after a process was killed, and on a full disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "store/models.h"
#include "store/orders.h"
#include "store/sql.h"
#include "support/tempdir.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
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

static struct db *open_file(const char *name, const char *family)
{
    struct error err = ERROR_INIT;
    struct db *db = db_open(tempdir_file(&dir, name), family, DB_WRITE, &err);
    if (!db)
        fail_msg("%s", err.text);
    return db;
}

static void pause_us(uint32_t us)
{
    nanosleep(&(struct timespec){us / 1000000, us % 1000000 * 1000L}, NULL);
}

static int put_number(struct db *db, uint64_t number, struct error *err)
{
    char id[24];
    struct order_line lines[] = {{1, 1, 100}, {2, (int64_t)number + 1, 250}};
    struct order_row row = {
        .order_id = {id, (size_t)snprintf(id, sizeof id, "%llu", (unsigned long long)number)},
        .time_ms = (int64_t)number,
        .lines = lines,
        .line_count = 2};
    enum put_outcome outcome;
    return orders_put(db, &row, &outcome, err);
}

/* The process that will be killed: commits batches of orders first, first + 1, … and tells the pipe
 * how many are acknowledged. Checkpoints often, so that kills hit those too. */
static void write_until_killed(int acknowledge, uint64_t next, uint64_t seed)
{
    struct rng rng;
    rng_seed(&rng, seed);
    struct db *db = db_open(tempdir_file(&dir, "orders.db"), "orders", DB_WRITE, NULL);
    if (!db)
        _exit(2);
    for (;;) {
        if (db_begin(db, NULL))
            _exit(3);
        for (uint32_t n = 1 + rng_below(&rng, 40); n > 0; n--)
            if (put_number(db, next++, NULL))
                _exit(4);
        if (db_commit(db, NULL) || write(acknowledge, &next, sizeof next) != sizeof next)
            _exit(5);
        if (db_checkpoint(db, rng_below(&rng, 200000), rng_below(&rng, 2), NULL))
            _exit(6);
    }
}

static void end_killed(pid_t pid)
{
    int status;
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status))
        fail_msg("the writer ended by itself: %d", WEXITSTATUS(status));
}

/* Runs a writer, kills it after a while, counted from its first acknowledgement when `working`; the
 * count it had acknowledged last. */
static uint64_t kill_a_writer(uint64_t next, bool working, uint32_t after_us, uint64_t seed)
{
    int ends[2];
    uint64_t acknowledged = next, read_back;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        write_until_killed(ends[1], next, seed);
    }
    close(ends[1]);
    if (working)
        assert_int_equal(read(ends[0], &acknowledged, sizeof acknowledged), sizeof acknowledged);
    pause_us(after_us);
    end_killed(pid);
    while (read(ends[0], &read_back, sizeof read_back) == sizeof read_back)
        acknowledged = read_back;
    close(ends[0]);
    return acknowledged;
}

struct numbers {
    uint64_t next;
};

/* Orders are 0, 1, 2, … without a hole, each whole. */
static int check_number(void *context, const struct order_row *row, struct error *err)
{
    (void)err;
    struct numbers *n = context;
    assert_int_equal(row->time_ms, n->next);
    assert_int_equal(row->line_count, 2);
    assert_int_equal(row->lines[1].quantity, n->next + 1);
    n->next++;
    return 0;
}

/* How many orders there are, all checked. */
static uint64_t check_orders(void)
{
    struct db *db = open_file("orders.db", "orders");
    struct numbers n = {0};
    struct order_stats stats;
    uint64_t damaged;
    assert_int_equal(orders_scan(db, check_number, &n, NULL, &damaged, NULL), 0);
    assert_int_equal(damaged, 0);
    assert_int_equal(orders_stats(db, &stats, NULL), 0);
    assert_int_equal(stats.orders, n.next);
    assert_int_equal(stats.lines, 2 * n.next);
    assert_int_equal(stats.changes, n.next);
    assert_int_equal(stats.last_ms, n.next ? n.next - 1 : 0);
    assert_int_equal(db_check(db, true, NULL), 0);
    db_close(db);
    return n.next;
}

static void a_killed_writer_loses_nothing_it_acknowledged(void **state)
{
    (void)state;
    struct rng rng;
    uint64_t stored = 0;
    rng_seed(&rng, 77);
    for (int round = 0; round < 100; round++) {
        uint64_t before = stored;
        uint64_t acknowledged =
            kill_a_writer(stored, round % 2, rng_below(&rng, 30000), (uint64_t)round);
        stored = check_orders();
        assert_true(stored >= acknowledged && acknowledged >= before);
    }
    assert_true(stored >= 50);
}

/* A model that is killed half written is not there, and the live one stays as it is. */
static void write_models_until_killed(int alive)
{
    struct db *db = db_open(tempdir_file(&dir, "models.db"), "models", DB_WRITE, NULL);
    static char bytes[300000];
    memset(bytes, 7, sizeof bytes);
    if (!db)
        _exit(2);
    for (;;) {
        int64_t id;
        if (write(alive, "a", 1) != 1 || models_begin(db, 1, STR("{}"), &id, NULL) ||
            models_write(db, id, "a", bytes, sizeof bytes, NULL) ||
            models_write(db, id, "b", bytes, sizeof bytes, NULL) ||
            models_finish(db, id, STR("{}"), NULL) || models_set_live(db, id, NULL) ||
            models_prune(db, 2, NULL))
            _exit(3);
    }
}

static int check_model(void *context, const struct model_row *row, struct error *err)
{
    (void)err;
    int64_t *ids = context;
    assert_int_equal(row->bytes, 600000);
    ids[ids[0] + 1] = row->id;
    ids[0]++;
    return 0;
}

/* Whole models only; the live one is among them and never older than before. Returns it. */
static int64_t check_models(int64_t live_before)
{
    static char bytes[300000], expected[300000];
    struct db *db = open_file("models.db", "models");
    int64_t ids[16] = {0}, live;
    memset(expected, 7, sizeof expected);
    assert_int_equal(models_list(db, check_model, ids, NULL), 0);
    assert_true(ids[0] <= 7); /* 5 kept and the live one, and one since */
    for (int64_t i = 1; i <= ids[0]; i++) {
        assert_int_equal(models_read(db, ids[i], "a", bytes, sizeof bytes, NULL), 0);
        assert_memory_equal(bytes, expected, sizeof bytes);
        assert_int_equal(models_read(db, ids[i], "b", bytes, sizeof bytes, NULL), 0);
        assert_memory_equal(bytes, expected, sizeof bytes);
    }
    assert_int_equal(models_live(db, &live, NULL), 0);
    bool listed = false;
    for (int64_t i = 1; i <= ids[0]; i++)
        listed = listed || ids[i] == live;
    assert_true(live == 0 || listed);
    assert_true(live >= live_before);
    assert_int_equal(models_prune(db, 5, NULL), 0);
    assert_int_equal(db_check(db, true, NULL), 0);
    db_close(db);
    return live;
}

static void a_killed_trainer_leaves_whole_models_only(void **state)
{
    (void)state;
    struct rng rng;
    int64_t live = 0;
    rng_seed(&rng, 78);
    for (int round = 0; round < 30; round++) {
        int ends[2];
        char byte;
        assert_int_equal(pipe(ends), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            write_models_until_killed(ends[1]);
        close(ends[1]);
        for (int models = 0; models <= round % 2; models++) /* every other one is whole once */
            assert_int_equal(read(ends[0], &byte, 1), 1);
        pause_us(rng_below(&rng, 40000));
        end_killed(pid);
        close(ends[0]);
        live = check_models(live);
    }
    assert_true(live > 0);
}

static bool write_proc(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return written;
}

/* Root may have mounts of its own at once, others inside a user namespace. */
static bool unshare_mounts(void)
{
    char users[32], groups[32];
    snprintf(users, sizeof users, "0 %u 1", (unsigned)getuid());
    snprintf(groups, sizeof groups, "0 %u 1", (unsigned)getgid());
    if (unshare(CLONE_NEWNS) == 0)
        return true;
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && write_proc("/proc/self/uid_map", users) &&
           write_proc("/proc/self/setgroups", "deny") && write_proc("/proc/self/gid_map", groups);
}

/* A file system of 2 MiB of our own; false when this machine does not let us. */
static bool mount_small(void)
{
    return unshare_mounts() && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", dir.path, "tmpfs", 0, "size=2m") == 0;
}

static void fill_disk(const char *path)
{
    static const char block[4096] = {1};
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    while (write(fd, block, sizeof block) == sizeof block)
        ;
    close(fd);
}

/* Commits one order; its result. */
static int commit_number(struct db *db, uint64_t number, struct error *err)
{
    int rc = db_begin(db, err);
    if (rc)
        return rc;
    rc = put_number(db, number, err);
    if (rc) {
        db_rollback(db);
        return rc;
    }
    return db_commit(db, err);
}

static uint64_t count_orders(struct db *db)
{
    struct order_stats stats;
    assert_int_equal(orders_stats(db, &stats, NULL), 0);
    return stats.orders;
}

static void a_full_disk_refuses_writes_and_nothing_else(void **state)
{
    (void)state;
    if (!mount_small()) {
        print_message("skipped: no permission to mount a file system\n");
        skip();
    }
    struct db *db = open_file("orders.db", "orders");
    struct error err = ERROR_INIT;
    uint64_t stored = 0;
    for (; stored < 100; stored++)
        assert_int_equal(commit_number(db, stored, &err), 0);
    fill_disk(tempdir_file(&dir, "filler"));
    int rc = 0;
    while (rc == 0 && stored < 20000) { /* what fits the pages there are still goes */
        rc = commit_number(db, stored, &err);
        stored += rc == 0;
    }
    assert_int_equal(rc, ERR_FULL);
    assert_int_equal(err.code, ERR_FULL);
    assert_int_equal(count_orders(db), stored); /* reading works */
    assert_int_equal(db_check(db, true, NULL), 0);
    for (int again = 0; again < 20; again++)
        assert_int_equal(commit_number(db, stored, NULL), ERR_FULL);
    assert_int_equal(db_free_bytes(dir.path), 0);
    assert_int_equal(unlink(tempdir_file(&dir, "filler")), 0);
    assert_int_equal(commit_number(db, stored, NULL), 0); /* without opening it anew */
    assert_int_equal(db_checkpoint(db, 0, true, NULL), 0);
    stored++;
    db_close(db);
    assert_int_equal(check_orders(), stored);

    db = open_file("models.db", "models");
    static char bytes[3 << 20];
    int64_t id;
    assert_int_equal(models_begin(db, 1, STR("{}"), &id, NULL), 0);
    assert_int_equal(models_write(db, id, "a", bytes, sizeof bytes, NULL), ERR_FULL);
    models_abandon(db, id);
    assert_int_equal(models_begin(db, 1, STR("{}"), &id, NULL), 0);
    assert_int_equal(models_write(db, id, "a", bytes, 1000, NULL), 0);
    assert_int_equal(models_finish(db, id, STR("{}"), NULL), 0);
    db_close(db);
    umount2(dir.path, MNT_DETACH);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_killed_writer_loses_nothing_it_acknowledged),
        TEST(a_killed_trainer_leaves_whole_models_only),
        TEST(a_full_disk_refuses_writes_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

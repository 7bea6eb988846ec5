#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/lock.h"
#include "support/oom.h"
#include "support/tempdir.h"

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

static void the_directory_and_its_spool_are_made_for_the_owner_only(void **state)
{
    (void)state;
    struct lock lock;
    struct stat st;
    char data[128];
    snprintf(data, sizeof data, "%s", tempdir_file(&dir, "data"));
    assert_int_equal(lock_open(&lock, data, NULL), 0);
    assert_int_equal(stat(data, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat(tempdir_file(&dir, "data/spool"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat(tempdir_file(&dir, "data/basketd.lock"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    lock_close(&lock);
    lock_close(&lock);
    assert_int_equal(lock_open(&lock, data, NULL), 0); /* again, everything is there */
    lock_close(&lock);
}

static void a_directory_that_cannot_be_made_is_an_io_error(void **state)
{
    (void)state;
    struct lock lock;
    struct error err = ERROR_INIT;
    assert_int_equal(lock_open(&lock, tempdir_file(&dir, "no/data"), &err), ERR_IO);
    assert_non_null(strstr(err.text, "no/data"));
    assert_int_equal(lock.fd, -1);
    fclose(fopen(tempdir_file(&dir, "file"), "w"));
    assert_int_equal(lock_open(&lock, tempdir_file(&dir, "file"), NULL), ERR_IO);
}

/* Takes the lock in a child, which ends when the returned descriptor is closed. */
static pid_t hold_in_child(const char *describe, int *hold)
{
    int ready[2], go[2];
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct lock lock;
        char byte = 1;
        close(go[1]);
        int bad = lock_open(&lock, dir.path, NULL) || lock_describe(&lock, describe, NULL);
        if (bad || write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 0)
            _exit(1);
        _exit(0); /* without lock_close: the kernel lets go */
    }
    char byte;
    close(ready[1]);
    close(go[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    *hold = go[1];
    return pid;
}

static void let_go(pid_t pid, int hold)
{
    int status;
    close(hold);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void a_second_process_is_told_who_has_the_directory(void **state)
{
    (void)state;
    struct lock lock;
    struct error err = ERROR_INIT;
    int hold;
    pid_t pid = hold_in_child("listening on 127.0.0.1:8080", &hold);
    assert_int_equal(lock_open(&lock, dir.path, &err), ERR_CONFLICT);
    assert_int_equal(lock.fd, -1);
    char expected[256];
    snprintf(expected, sizeof expected,
             "data directory %s is in use by process %ld, listening on 127.0.0.1:8080", dir.path,
             (long)pid);
    assert_string_equal(err.text, expected);
    let_go(pid, hold);
    assert_int_equal(lock_open(&lock, dir.path, NULL), 0);
    lock_close(&lock);
}

static void before_it_listens_only_the_process_is_named(void **state)
{
    (void)state;
    struct lock lock;
    struct error err = ERROR_INIT;
    int hold;
    pid_t pid = hold_in_child("", &hold);
    assert_int_equal(lock_open(&lock, dir.path, &err), ERR_CONFLICT);
    char expected[256];
    snprintf(expected, sizeof expected, "data directory %s is in use by process %ld", dir.path,
             (long)pid);
    assert_string_equal(err.text, expected);
    let_go(pid, hold);
}

static void a_shorter_description_replaces_a_longer_one(void **state)
{
    (void)state;
    struct lock lock;
    char text[400], line[300] = "";
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(lock_open(&lock, dir.path, NULL), 0);
    assert_int_equal(lock_describe(&lock, text, NULL), 0);
    assert_int_equal(lock_describe(&lock, "short", NULL), 0);
    FILE *f = fopen(tempdir_file(&dir, "basketd.lock"), "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    assert_non_null(strstr(line, ", short\n"));
    assert_null(fgets(line, sizeof line, f));
    fclose(f);
    lock_close(&lock);
}

static void a_failed_allocation_is_reported(void **state)
{
    (void)state;
    struct lock lock;
    int rc = ERR_NOMEM;
    unsigned n;
    for (n = 1; rc; n++) {
        oom_fail_at(n);
        rc = lock_open(&lock, dir.path, NULL);
        oom_disarm();
        assert_true(rc == 0 || (rc == ERR_NOMEM && lock.fd == -1));
    }
    assert_true(n > 2);
    lock_close(&lock);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_directory_and_its_spool_are_made_for_the_owner_only),
        TEST(a_directory_that_cannot_be_made_is_an_io_error),
        TEST(a_second_process_is_told_who_has_the_directory),
        TEST(before_it_listens_only_the_process_is_named),
        TEST(a_shorter_description_replaces_a_longer_one),
        TEST(a_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

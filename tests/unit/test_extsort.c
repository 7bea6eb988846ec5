/* The external sort against qsort: in memory, spilled, thousands of runs, records of every size,
 * keys that end in zeros; and a disk that is full, breaks, or writes a little at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/extsort.h"
#include "base/mem.h"
#include "base/rng.h"
#include "support/oom.h"
#include "support/tempdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SMALLEST (64u << 10)

/* The disk of this program: these stand in for the library's functions. */
static struct {
    long writes_left, reads_left; /* calls until errno below; -1: no end */
    int number;
    size_t largest; /* bytes one call moves; 0: all */
    bool interrupts, ends, no_tmpfile;
    long calls;
} disk = {.writes_left = -1, .reads_left = -1};

static void disk_reset(void)
{
    disk.writes_left = disk.reads_left = -1;
    disk.largest = 0;
    disk.interrupts = disk.ends = disk.no_tmpfile = false;
    disk.calls = 0;
}

static bool disk_fails(long *left)
{
    if (disk.interrupts && disk.calls++ % 3 == 0) {
        errno = EINTR;
        return true;
    }
    if (*left < 0)
        return false;
    if (*left == 0) {
        errno = disk.number;
        return true;
    }
    (*left)--;
    return false;
}

static size_t disk_moves(size_t count)
{
    return disk.largest > 0 && disk.largest < count ? disk.largest : count;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at)
{
    if (disk_fails(&disk.writes_left))
        return -1;
    return syscall(SYS_pwrite64, fd, bytes, disk_moves(count), at);
}

ssize_t pread(int fd, void *bytes, size_t count, off_t at)
{
    if (disk_fails(&disk.reads_left))
        return -1;
    return disk.ends ? 0 : syscall(SYS_pread64, fd, bytes, disk_moves(count), at);
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
    va_end(args);
    if (disk.no_tmpfile && (flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

struct pair {
    struct str key, value;
    uint32_t order;
};

static int by_key(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int order = str_cmp(x->key, y->key);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

/* What a test sorts: keys of 0..key_max bytes over the letters, behind `shared` bytes that all have
 * in common but for the last record, and values of 0..value_max bytes. */
struct shape {
    uint32_t count, key_max, value_max, shared;
    const char *letters;
    uint32_t letter_count;
    size_t memory;
    bool spills;
};

static struct pair *random_pairs(const struct shape *shape, char **bytes)
{
    struct rng rng;
    rng_seed(&rng, shape->count + shape->key_max);
    size_t each = shape->shared + shape->key_max + shape->value_max;
    struct pair *pairs = mem_array(shape->count, sizeof *pairs);
    char *at = *bytes = mem_array(shape->count, each);
    assert_non_null(pairs);
    assert_non_null(at);
    for (uint32_t i = 0; i < shape->count; i++) {
        uint32_t shared = i + 1 < shape->count ? shape->shared : shape->shared / 2;
        uint32_t letters = rng_below(&rng, shape->key_max + 1);
        pairs[i].order = i;
        pairs[i].key = (struct str){at, shared + letters};
        memset(at, 'c', shared);
        at += shared;
        while (letters-- > 0)
            *at++ = shape->letters[rng_below(&rng, shape->letter_count)];
        pairs[i].value = (struct str){at, rng_below(&rng, shape->value_max + 1)};
        memset(at, 'a' + (int)(i % 26), pairs[i].value.len);
        if (pairs[i].value.len >= sizeof i)
            memcpy(at, &i, sizeof i);
        at += pairs[i].value.len;
    }
    return pairs;
}

static void sorts_like_qsort(const struct shape *shape)
{
    char *bytes;
    struct pair *pairs = random_pairs(shape, &bytes);
    struct tempdir directory;
    tempdir_open(&directory);
    struct error err = ERROR_INIT;
    struct extsort *s = extsort_new(directory.path, shape->memory, &err);
    assert_non_null(s);
    for (uint32_t i = 0; i < shape->count; i++)
        assert_int_equal(extsort_add(s, pairs[i].key, pairs[i].value, &err), 0);
    assert_int_equal(extsort_sort(s, &err), 0);
    qsort(pairs, shape->count, sizeof *pairs, by_key);
    struct str key, value;
    for (uint32_t i = 0; i < shape->count; i++) {
        assert_int_equal(extsort_next(s, &key, &value, &err), 1);
        assert_true(str_eq(key, pairs[i].key));
        assert_true(str_eq(value, pairs[i].value));
    }
    assert_int_equal(extsort_next(s, &key, &value, &err), 0);
    assert_int_equal(extsort_next(s, &key, &value, &err), 0);
    assert_int_equal(extsort_spilled_bytes(s) > 0, shape->spills);
    assert_int_equal(err.code, OK);
    extsort_free(s);
    tempdir_close(&directory);
    free(pairs);
    free(bytes);
}

static void order_is_by_key_then_by_adding(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {0, 8, 50, 0, "0123456789", 10, 1 << 20, false},
        {1, 8, 50, 0, "0123456789", 10, 1 << 20, false},
        {9, 2, 50, 0, "0123456789", 10, 0, false},
        {5000, 8, 50, 0, "0123456789", 10, 1 << 20, false},
        {20000, 5, 60, 0, "0123456789", 10, SMALLEST, true},
        {150000, 6, 60, 0, "0123456789", 10, SMALLEST, true},
        {100000, 3, 0, 0, "ab", 2, SMALLEST, true},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        sorts_like_qsort(&shapes[i]);
}

static void keys_may_hold_zeros_and_begin_alike(void **state)
{
    (void)state;
    static const char zeros[] = {'\0', '\1', '\xff'};
    static const struct shape shapes[] = {
        {20000, 12, 4, 0, zeros, 3, 4 << 20, false},  {20000, 12, 4, 0, zeros, 1, 4 << 20, false},
        {20000, 12, 4, 20, zeros, 3, SMALLEST, true}, {20000, 30, 4, 100, zeros, 2, SMALLEST, true},
        {20000, 12, 4, 63, "ab", 2, SMALLEST, true},  {20000, 0, 9, 64, "ab", 2, SMALLEST, true},
        {20000, 0, 9, 0, "ab", 2, SMALLEST, true},    {3000, 300, 4, 0, zeros, 2, SMALLEST, true},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        sorts_like_qsort(&shapes[i]);
}

static void records_may_be_as_large_as_the_buffer(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {300, 6, 30000, 0, "0123456789", 10, SMALLEST, true},
        {300, 6, 65000, 0, "0123456789", 10, SMALLEST, true},
        {300, 60000, 4000, 0, "0123456789", 10, SMALLEST, true},
        {300, 6, 200000, 0, "0123456789", 10, 1 << 20, true},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        sorts_like_qsort(&shapes[i]);
}

static int open_files(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

/* 70,000 records of about 2 kB in 64 KiB: more than 2,000 runs, merged 16 at a time. */
static void thousands_of_runs_need_one_file(void **state)
{
    (void)state;
    enum { COUNT = 70000, VALUE = 2000 };
    struct tempdir directory;
    tempdir_open(&directory);
    struct error err = ERROR_INIT;
    struct extsort *s = extsort_new(directory.path, SMALLEST, &err);
    assert_non_null(s);
    int before = open_files();
    char key[16], text[VALUE];
    memset(text, 'v', sizeof text);
    uint32_t number = 0, total = 0;
    for (uint32_t i = 0; i < COUNT; i++, number = (number + 48271) % COUNT) { /* every one once */
        int length = snprintf(key, sizeof key, "%05u", number);
        assert_int_equal(
            extsort_add(s, (struct str){key, (size_t)length}, (struct str){text, VALUE}, &err), 0);
        total += VALUE + 8 + 5;
    }
    assert_int_equal(extsort_sort(s, &err), 0);
    assert_int_equal(open_files() - before, 1);
    struct str got, value;
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(key, sizeof key, "%05u", i);
        assert_int_equal(extsort_next(s, &got, &value, &err), 1);
        assert_true(str_eq(got, str_of(key)));
        assert_int_equal(value.len, VALUE);
    }
    assert_int_equal(extsort_next(s, &got, &value, &err), 0);
    /* 16-way: at most the first writing and three merges. */
    assert_true(extsort_spilled_bytes(s) >= total);
    assert_true(extsort_spilled_bytes(s) <= 4 * (uint64_t)total);
    extsort_free(s);
    assert_int_equal(open_files(), before);
    tempdir_close(&directory);
}

static void a_record_over_the_buffer_is_refused(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct extsort *s = extsort_new("/tmp", 0, &err);
    char *big = mem_zarray(1, SMALLEST);
    assert_non_null(s);
    assert_non_null(big);
    assert_int_equal(extsort_add(s, STR("k"), (struct str){big, SMALLEST}, &err), ERR_TOO_LARGE);
    error_clear(&err);
    assert_int_equal(extsort_add(s, (struct str){big, SMALLEST}, STR(""), &err), ERR_TOO_LARGE);
    assert_non_null(strstr(err.text, "65544 bytes"));
    /* What was refused leaves no trace. */
    error_clear(&err);
    struct str key, value;
    assert_int_equal(extsort_add(s, STR("k"), STR("v"), &err), 0);
    assert_int_equal(extsort_sort(s, &err), 0);
    assert_int_equal(extsort_next(s, &key, &value, &err), 1);
    assert_true(str_eq(key, STR("k")));
    assert_true(str_eq(value, STR("v")));
    assert_int_equal(extsort_next(s, &key, &value, &err), 0);
    free(big);
    extsort_free(s);
}

/* Sorts `count` records of about a kilobyte; the first error, or 1 when all came back in order. */
static int sort_all(const char *directory, uint32_t count, size_t bytes, struct error *err)
{
    struct extsort *s = extsort_new(directory, SMALLEST, err);
    if (!s)
        return err->code;
    char *text = calloc(1, bytes); /* the C library's: not counted by oom */
    assert_non_null(text);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        char key[16];
        int length = snprintf(key, sizeof key, "%08u", i * 7919 % count);
        rc = extsort_add(s, (struct str){key, (size_t)length}, (struct str){text, bytes}, err);
    }
    if (rc == 0)
        rc = extsort_sort(s, err);
    uint32_t got = 0;
    struct str key, value;
    while (rc == 0 && (rc = extsort_next(s, &key, &value, err)) == 1) {
        char want[16];
        snprintf(want, sizeof want, "%08u", got++);
        assert_true(str_eq(key, str_of(want)));
        rc = 0;
    }
    if (rc == 0) {
        assert_int_equal(got, count);
        rc = 1;
    }
    extsort_free(s);
    free(text);
    return rc;
}

static void a_missing_directory_is_an_io_error(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    assert_int_equal(sort_all("/nonexistent/there", 1000, 1000, &err), ERR_IO);
    assert_int_equal(err.code, ERR_IO);
    assert_non_null(strstr(err.text, "/nonexistent/there: No such file"));
}

static void a_disk_that_is_full_at_any_write_is_told(void **state)
{
    (void)state;
    static const int numbers[] = {ENOSPC, EDQUOT, EIO};
    static const int codes[] = {ERR_FULL, ERR_FULL, ERR_IO};
    struct tempdir directory;
    tempdir_open(&directory);
    for (size_t i = 0; i < 3; i++) {
        int rc = 0;
        for (long n = 0; rc != 1; n += 1 + n / 4) {
            struct error err = ERROR_INIT;
            disk.writes_left = n;
            disk.number = numbers[i];
            rc = sort_all(directory.path, 2000, 1000, &err);
            assert_true(rc == 1 || rc == codes[i]);
            assert_int_equal(err.code, rc == 1 ? OK : rc);
            assert_true(rc == 1 || strstr(err.text, directory.path));
            assert_true(n > 0 || rc != 1);
        }
        disk_reset();
    }
    tempdir_close(&directory);
}

static void a_file_that_cannot_be_read_back_is_told(void **state)
{
    (void)state;
    struct tempdir directory;
    tempdir_open(&directory);
    int rc = 0;
    for (long n = 0; rc != 1; n += 1 + n / 4) {
        struct error err = ERROR_INIT;
        disk.reads_left = n;
        disk.number = EIO;
        rc = sort_all(directory.path, 2000, 1000, &err);
        assert_true(rc == 1 || rc == ERR_IO);
        assert_int_equal(err.code, rc == 1 ? OK : ERR_IO);
        assert_true(n > 0 || rc != 1);
    }
    disk_reset();
    disk.ends = true;
    struct error err = ERROR_INIT;
    assert_int_equal(sort_all(directory.path, 2000, 1000, &err), ERR_IO);
    assert_non_null(strstr(err.text, "cannot read it back"));
    disk_reset();
    tempdir_close(&directory);
}

static void a_disk_that_moves_a_little_at_a_time_will_do(void **state)
{
    (void)state;
    struct tempdir directory;
    tempdir_open(&directory);
    struct error err = ERROR_INIT;
    disk.largest = 777;
    disk.interrupts = true;
    assert_int_equal(sort_all(directory.path, 2000, 1000, &err), 1);
    disk_reset();
    tempdir_close(&directory);
}

static void a_file_system_without_unnamed_files_will_do(void **state)
{
    (void)state;
    struct tempdir directory;
    tempdir_open(&directory);
    struct error err = ERROR_INIT;
    disk.no_tmpfile = true;
    assert_int_equal(sort_all(directory.path, 2000, 1000, &err), 1);
    disk_reset();
    assert_int_equal(rmdir(directory.path), 0); /* nothing was left in it */
}

static void no_memory_is_an_error_everywhere(void **state)
{
    (void)state;
    static const size_t sizes[] = {10, 1000,
                                   60000}; /* in memory, spilled, windows that must grow */
    for (size_t i = 0; i < 3; i++) {
        OOM_LOOP
        {
            struct error err = ERROR_INIT;
            struct extsort *s = extsort_new("/tmp", SMALLEST, &err);
            int rc = s ? 0 : ERR_NOMEM;
            static char text[60000];
            for (int n = 0; rc == 0 && n < 500; n++)
                rc = extsort_add(s, STR("a key"), (struct str){text, sizes[i]}, &err);
            if (rc == 0)
                rc = extsort_sort(s, &err);
            struct str key, value;
            int count = 0;
            while (rc == 0 && (rc = extsort_next(s, &key, &value, &err)) == 1) {
                rc = 0;
                count++;
            }
            assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
            assert_int_equal(err.code, rc);
            assert_true(rc < 0 || count == 500);
            extsort_free(s);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_by_key_then_by_adding),
        cmocka_unit_test(keys_may_hold_zeros_and_begin_alike),
        cmocka_unit_test(records_may_be_as_large_as_the_buffer),
        cmocka_unit_test(thousands_of_runs_need_one_file),
        cmocka_unit_test(a_record_over_the_buffer_is_refused),
        cmocka_unit_test(a_missing_directory_is_an_io_error),
        cmocka_unit_test(a_disk_that_is_full_at_any_write_is_told),
        cmocka_unit_test(a_file_that_cannot_be_read_back_is_told),
        cmocka_unit_test(a_disk_that_moves_a_little_at_a_time_will_do),
        cmocka_unit_test(a_file_system_without_unnamed_files_will_do),
        cmocka_unit_test(no_memory_is_an_error_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What basketd mine and basketd shard do is tested with the program (tests/api/test_mine*.py);
 * here: what happens when memory runs out at any point, and files that a shell cannot make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/mining.h"
#include "service/sharding.h"
#include "service/textfile.h"
#include "support/oom.h"
#include "support/tempdir.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const none[] = {NULL}, *const one[] = {"a", NULL};

struct files {
    struct tempdir directory;
    char fimi[160], csv[160], ndjson[160], groups[160], flist[160], sharded[160], out[160];
};

static void put(struct files *f, char *path, const char *name, const char *text)
{
    snprintf(path, 160, "%s", tempdir_file(&f->directory, name));
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static struct files make_files(void)
{
    struct files f;
    tempdir_open(&f.directory);
    put(&f, f.fimi, "b.dat", "a b c\na b\nb c\na c d\n\nd\n");
    put(&f, f.csv, "b.csv", "order_id,item_id\n1,a\n1,b\n2,a\n2,b\n");
    put(&f, f.ndjson, "b.ndjson",
        "{\"order_id\":\"1\",\"items\":[{\"item_id\":\"a\",\"quantity\":1}]}\n"
        "{\"order_id\":\"2\",\"items\":[{\"item_id\":\"a\",\"quantity\":1}]}\n"
        "{\"kind\":\"cancel\",\"order_id\":\"1\"}\n");
    put(&f, f.groups, "g.tsv", "a\tx\nb\tx\nx\ty\n");
    put(&f, f.flist, "flist", "baskets\t6\tsupport\t2\tshards\t2\na\t3\nb\t3\nc\t3\nd\t2\n");
    put(&f, f.sharded, "sharded", "0\t0 1 2\n0\t0\n0\t1 2\n1\t0 1\n1\t0 1\n");
    put(&f, f.out, "out", "");
    return f;
}

static struct mining_request request_of(const struct files *f)
{
    return (struct mining_request){.path = f->fimi,
                                   .output = f->out,
                                   .support = 2,
                                   .min_confidence = 0.1,
                                   .antecedent_only = none,
                                   .consequent_only = none,
                                   .threads = 1};
}

static void assert_survives(const struct mining_request *request)
{
    struct mining_report report;
    struct error err = ERROR_INIT;
    if (mining_run(request, &report, &err) != 0)
        fail_msg("%s", err.text);
    OOM_LOOP
    {
        error_clear(&err);
        int rc = mining_run(request, &report, &err);
        assert_true(rc == 0 || rc == ERR_NOMEM);
        assert_true(rc == 0 || oom_fired());
        assert_int_equal(rc, err.code);
    }
}

static void failing_allocations_are_errors_for_sets(void **state)
{
    struct files f = make_files();
    struct mining_request q = request_of(&f);
    (void)state;
    assert_survives(&q);
    q.output_format = TEXT_NDJSON;
    q.sorted = true;
    q.item_groups = f.groups;
    q.stats = true;
    q.with = one;
    assert_survives(&q);
    q = request_of(&f);
    q.top = 3;
    assert_survives(&q);
    q.top = 0;
    q.count_only = true;
    q.target = TARGET_CLOSED;
    assert_survives(&q);
    tempdir_close(&f.directory);
}

static void failing_allocations_are_errors_for_rules(void **state)
{
    struct files f = make_files();
    struct mining_request q = request_of(&f);
    struct str unknown;
    (void)state;
    q.rules = true;
    q.output_format = TEXT_TSV;
    q.adjust_size = true;
    q.antecedent_only = one;
    assert_true(rule_columns_parse(STR("all"), &q.columns, &unknown));
    assert_survives(&q);
    q.top = 2;
    q.support = 0;
    q.by = MEASURE_LEVERAGE;
    assert_survives(&q);
    tempdir_close(&f.directory);
}

static void failing_allocations_are_errors_for_records(void **state)
{
    struct files f = make_files();
    struct mining_request q = request_of(&f);
    (void)state;
    q.path = f.csv;
    assert_survives(&q);
    q.path = f.ndjson;
    q.support = 1;
    assert_survives(&q);
    tempdir_close(&f.directory);
}

static void failing_allocations_are_errors_for_shards(void **state)
{
    struct files f = make_files();
    struct mining_request q = request_of(&f);
    const struct shard_request shard = {
        .path = f.fimi, .output = f.out, .flist = f.flist, .support = 2, .shards = 2, .threads = 1};
    struct shard_report report;
    (void)state;
    q.path = f.sharded;
    q.flist = f.flist;
    assert_survives(&q);
    OOM_LOOP
    {
        struct error err = ERROR_INIT;
        int rc = shard_run(&shard, &report, &err);
        assert_true(rc == 0 || (rc == ERR_NOMEM && oom_fired()));
        assert_int_equal(rc, err.code);
    }
    tempdir_close(&f.directory);
}

/* A pipe that is fed in pieces is read whole; it cannot be mapped. */
static void *feed(void *context)
{
    int fd = open(context, O_WRONLY);
    for (int i = 0; fd >= 0 && i < 100000; i++) {
        if (write(fd, "1 2 3\n", 6) != 6)
            break;
    }
    close(fd);
    return NULL;
}

static void a_pipe_is_read_whole(void **state)
{
    struct files f = make_files();
    struct textfile text;
    char path[160];
    pthread_t thread;
    (void)state;
    snprintf(path, sizeof path, "%s", tempdir_file(&f.directory, "pipe"));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(pthread_create(&thread, NULL, feed, path), 0);
    assert_int_equal(textfile_open(path, NULL, &text, NULL), 0);
    pthread_join(thread, NULL);
    assert_int_equal(text.text.len, 600000);
    assert_memory_equal(text.text.ptr + 599994, "1 2 3\n", 6);
    textfile_close(&text);
    tempdir_close(&f.directory);
}

static void a_cancelled_run_says_so(void **state)
{
    struct files f = make_files();
    struct mining_request q = request_of(&f);
    struct mining_report report;
    struct progress progress;
    (void)state;
    progress_init(&progress);
    progress_cancel(&progress);
    q.progress = &progress;
    assert_int_equal(mining_run(&q, &report, NULL), ERR_CANCELLED);
    tempdir_close(&f.directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failing_allocations_are_errors_for_sets),
        cmocka_unit_test(failing_allocations_are_errors_for_rules),
        cmocka_unit_test(failing_allocations_are_errors_for_records),
        cmocka_unit_test(failing_allocations_are_errors_for_shards),
        cmocka_unit_test(a_pipe_is_read_whole),
        cmocka_unit_test(a_cancelled_run_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/joblog.h"
#include "store/sql.h"
#include "support/orders_db.h"

#include <stdio.h>
#include <string.h>

struct jobs_seen {
    char text[1024];
};

static int note_job(void *context, const struct job_row *row, struct error *err)
{
    (void)err;
    struct jobs_seen *seen = context;
    size_t used = strlen(seen->text);
    snprintf(seen->text + used, sizeof seen->text - used,
             "%lld %s %s %lld/%lld/%lld %llu/%llu %.*s %.*s %.*s\n", (long long)row->id,
             job_kind_name(row->kind), job_state_name(row->state), (long long)row->created_ms,
             (long long)row->started_ms, (long long)row->finished_ms, (unsigned long long)row->done,
             (unsigned long long)row->total, STR_ARG(row->request), STR_ARG(row->report),
             STR_ARG(row->error));
    return 0;
}

static struct job_row add_job(enum job_kind kind, enum job_state state)
{
    struct job_row row = {
        .kind = kind, .state = state, .created_ms = 10, .request = STR("{\"spool\":\"x\"}")};
    assert_int_equal(joblog_add(db, &row, NULL), 0);
    return row;
}

static void a_job_is_added_changed_and_read(void **state)
{
    (void)state;
    struct jobs_seen seen = {0};
    struct job_row row = add_job(JOB_IMPORT, JOB_QUEUED);
    assert_int_equal(row.id, 1);
    row.state = JOB_FAILED;
    row.started_ms = 20;
    row.finished_ms = 30;
    row.done = 5;
    row.total = 9;
    row.report = STR("{\"a\":1}");
    row.error = STR("no");
    row.kind = JOB_TRAIN; /* kind and request never change */
    row.request = STR("{\"other\":1}");
    assert_int_equal(joblog_update(db, &row, NULL), 0);
    orders_db_reopen();
    assert_int_equal(joblog_get(db, row.id, note_job, &seen, NULL), 0);
    assert_string_equal(seen.text, "1 import failed 10/20/30 5/9 {\"spool\":\"x\"} {\"a\":1} no\n");
}

static void an_unknown_job_is_not_found(void **state)
{
    (void)state;
    struct jobs_seen seen = {0};
    struct error err = ERROR_INIT;
    struct job_row row = {.id = 7};
    assert_int_equal(joblog_get(db, 7, note_job, &seen, &err), ERR_NOT_FOUND);
    assert_string_equal(err.text, "job 7: not found");
    assert_int_equal(joblog_update(db, &row, NULL), ERR_NOT_FOUND);
}

struct ids_seen {
    int64_t id[16];
    enum job_state state[16];
    int count;
};

static int note_id(void *context, const struct job_row *row, struct error *err)
{
    (void)err;
    struct ids_seen *seen = context;
    seen->state[seen->count] = row->state;
    seen->id[seen->count++] = row->id;
    return 0;
}

static void jobs_are_listed_newest_first_by_pages(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        add_job(JOB_TRAIN, JOB_DONE);
    struct ids_seen seen = {0};
    assert_int_equal(joblog_list(db, 0, 2, note_id, &seen, NULL), 0);
    assert_int_equal(joblog_list(db, 4, 10, note_id, &seen, NULL), 0);
    assert_int_equal(seen.count, 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(seen.id[i], 5 - i);
}

static void running_jobs_are_found_interrupted_at_the_start(void **state)
{
    (void)state;
    struct ids_seen seen = {0};
    add_job(JOB_TRAIN, JOB_DONE);
    add_job(JOB_IMPORT, JOB_RUNNING);
    add_job(JOB_IMPORT, JOB_QUEUED);
    add_job(JOB_IMPORT, JOB_CANCELLED);
    orders_db_reopen();
    assert_int_equal(joblog_recover(db, 500, note_id, &seen, NULL), 0);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.id[0], 2);
    assert_int_equal(seen.state[0], JOB_INTERRUPTED);
    assert_int_equal(seen.id[1], 3);
    assert_int_equal(seen.state[1], JOB_QUEUED);
    int64_t finished_ms;
    assert_int_equal(
        sql_integer(db, "SELECT finished_ms FROM jobs WHERE job_id = 2", &finished_ms, NULL), 0);
    assert_int_equal(finished_ms, 500);
}

static void only_ended_jobs_are_pruned_and_ids_are_never_reused(void **state)
{
    (void)state;
    struct ids_seen seen = {0};
    add_job(JOB_TRAIN, JOB_DONE);
    add_job(JOB_TRAIN, JOB_QUEUED);
    add_job(JOB_TRAIN, JOB_FAILED);
    add_job(JOB_TRAIN, JOB_CANCELLED);
    assert_int_equal(joblog_prune(db, 1, NULL), 0);
    assert_int_equal(joblog_list(db, 0, 10, note_id, &seen, NULL), 0);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.id[0], 4);
    assert_int_equal(seen.id[1], 2);
    assert_int_equal(joblog_prune(db, 0, NULL), 0);
    assert_int_equal(add_job(JOB_TRAIN, JOB_QUEUED).id, 5);
}

static void the_newest_of_a_kind_is_found(void **state)
{
    (void)state;
    struct ids_seen seen = {0};
    assert_int_equal(joblog_newest(db, JOB_TUNE, note_id, &seen, NULL), 0);
    assert_int_equal(seen.count, 0);
    add_job(JOB_TUNE, JOB_DONE);
    int64_t newest = add_job(JOB_TUNE, JOB_CANCELLED).id;
    add_job(JOB_TRAIN, JOB_DONE);
    assert_int_equal(joblog_newest(db, JOB_TUNE, note_id, &seen, NULL), 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.id[0], newest);
}

static void a_job_of_an_unknown_state_is_damage(void **state)
{
    (void)state;
    struct jobs_seen seen = {0};
    add_job(JOB_TRAIN, JOB_DONE);
    run("UPDATE jobs SET state = 'dreaming'");
    assert_int_equal(joblog_get(db, 1, note_job, &seen, NULL), ERR_CORRUPT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, orders_db_setup, orders_db_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_job_is_added_changed_and_read),
        TEST(an_unknown_job_is_not_found),
        TEST(jobs_are_listed_newest_first_by_pages),
        TEST(running_jobs_are_found_interrupted_at_the_start),
        TEST(only_ended_jobs_are_pruned_and_ids_are_never_reused),
        TEST(the_newest_of_a_kind_is_found),
        TEST(a_job_of_an_unknown_state_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

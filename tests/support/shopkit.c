#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shopkit.h"

#include "base/rng.h"

#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void shopkit_init(struct shopkit *k)
{
    memset(k, 0, sizeof *k);
    tempdir_open(&k->dir);
    settings_default(&k->settings);
    snprintf(k->settings.data, sizeof k->settings.data, "%s/shop", k->dir.path);
    k->settings.min_new_orders = 0;
    k->settings.interval_ms = 0;
    k->settings.embeddings = false;
    k->settings.threads = 1;
}

void shopkit_open(struct shopkit *k, enum shop_mode mode)
{
    struct error err = ERROR_INIT;
    k->shop = shop_open(&k->settings, mode, &err);
    if (!k->shop)
        fail_msg("%s", err.text);
}

void shopkit_shut(struct shopkit *k)
{
    shop_close(k->shop);
    k->shop = NULL;
}

void shopkit_close(struct shopkit *k)
{
    shopkit_shut(k);
    tempdir_close(&k->dir);
}

int shopkit_ingest(struct shopkit *k, const char *text, struct ingest_report *report)
{
    struct error err = ERROR_INIT;
    struct ingest_op *op = ingest_op_new(NULL, &err);
    assert_non_null(op);
    assert_int_equal(ingest_op_open(op, k->shop, NULL, &err), 0);
    assert_int_equal(ingest_op_feed(op, str_of(text), &err), 0);
    assert_int_equal(ingest_op_finish(op, &err), 0);
    int rc = shop_write_wait(k->shop, &op->op, &err);
    if (report) {
        ingest_counts_add(&report->counts, &op->report.counts);
        for (uint32_t i = 0; i < op->report.problem_count; i++)
            fprintf(stderr, "line %llu: %.*s: %.*s\n",
                    (unsigned long long)op->report.problems[i].line,
                    STR_ARG(op->report.problems[i].field), STR_ARG(op->report.problems[i].reason));
        report->problem_total += op->report.problem_total;
    }
    ingest_op_free(op);
    return rc;
}

void shopkit_orders(struct shopkit *k, const char *prefix, uint32_t count, uint32_t items,
                    uint32_t per)
{
    struct buf text;
    struct rng rng;
    rng_seed(&rng, 7);
    buf_init(&text, 0);
    for (uint32_t i = 0; i < count; i++) {
        buf_printf(&text,
                   "{\"order_id\":\"%s%u\",\"user_id\":\"u%u\","
                   "\"timestamp\":\"2026-01-%02uT10:00:00Z\",\"items\":[",
                   prefix, i, i % 97, 1 + i % 28);
        for (uint32_t j = 0; j < per; j++) {
            uint32_t item = rng_below(&rng, items) & ~1u;
            buf_printf(&text, "%s{\"item_id\":\"i%u\",\"price\":%u},{\"item_id\":\"i%u\"}",
                       j ? "," : "", item, 1 + item, item + 1);
        }
        buf_text(&text, "]}\n");
    }
    struct ingest_report report;
    ingest_report_init(&report);
    assert_int_equal(shopkit_ingest(k, buf_cstr(&text), &report), 0);
    assert_int_equal(report.problem_total, 0);
    ingest_report_deinit(&report);
    buf_deinit(&text);
}

static sqlite3 *open_beside(struct shopkit *k)
{
    char path[4200];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/orders.db", k->settings.data);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_busy_timeout(db, 5000);
    return db;
}

int64_t shopkit_count(struct shopkit *k, const char *sql)
{
    sqlite3 *db = open_beside(k);
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return value;
}

struct sqlite3 *shopkit_begin_read(struct shopkit *k)
{
    sqlite3 *db = open_beside(k);
    assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM orders", NULL, NULL, NULL),
                     SQLITE_OK);
    return db;
}

void shopkit_end_read(struct sqlite3 *reader)
{
    sqlite3_close(reader);
}

static void dump_table(sqlite3 *db, const char *table, struct buf *out)
{
    char sql[128];
    sqlite3_stmt *s;
    snprintf(sql, sizeof sql, "SELECT * FROM %s ORDER BY 1", table);
    buf_printf(out, "== %s\n", table);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(s); i++) {
            const char *text = (const char *)sqlite3_column_text(s, i);
            buf_printf(out, "%s|", text ? text : "null");
        }
        buf_char(out, '\n');
    }
    sqlite3_finalize(s);
}

char *shopkit_dump(struct shopkit *k)
{
    static const char *const tables[] = {"orders", "items", "users", "events", "totals"};
    struct buf out;
    sqlite3 *db = open_beside(k);
    buf_init(&out, 0);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        dump_table(db, tables[i], &out);
    sqlite3_close(db);
    assert_non_null(buf_cstr(&out));
    size_t length;
    return buf_detach(&out, &length);
}

static uint32_t count_in_file(const char *path, const char *bytes)
{
    uint32_t count = 0;
    struct buf all;
    FILE *file = fopen(path, "rbe");
    if (!file)
        return 0;
    buf_init(&all, 0);
    for (size_t got = 1; got;) {
        char *room = buf_reserve(&all, 65536);
        got = room ? fread(room, 1, 65536, file) : 0;
        all.len += got;
    }
    fclose(file);
    size_t length = strlen(bytes);
    for (char *at = all.ptr; at; at = at ? at + 1 : NULL) {
        at = memmem(at, all.len - (size_t)(at - all.ptr), bytes, length);
        count += at != NULL;
    }
    buf_deinit(&all);
    return count;
}

/* In a process of its own: closing a database's file here would drop SQLite's locks on it. */
uint32_t shopkit_bytes_in_files(struct shopkit *k, const char *bytes)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        uint32_t count = 0;
        DIR *directory = opendir(k->settings.data);
        for (struct dirent *entry; directory && (entry = readdir(directory));) {
            char path[8192];
            snprintf(path, sizeof path, "%s/%s", k->settings.data, entry->d_name);
            count += entry->d_type == DT_REG ? count_in_file(path, bytes) : 0;
        }
        _exit(count < 255 ? (int)count : 255);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return (uint32_t)WEXITSTATUS(status);
}

char *shopkit_job(struct shopkit *k, int64_t id)
{
    struct error err = ERROR_INIT;
    struct job_show_op op;
    jobs_show_prepare(&op, id, NULL);
    if (shop_read_wait(k->shop, &op.op, &err) != 0)
        fail_msg("%s", err.text);
    assert_non_null(buf_cstr(&op.json));
    size_t length;
    return buf_detach(&op.json, &length);
}

void shopkit_job_has(struct shopkit *k, int64_t id, const char *text)
{
    char *json = shopkit_job(k, id);
    if (!strstr(json, text))
        fail_msg("no '%s' in %s", text, json);
    free(json);
}

enum job_state shopkit_wait_job(struct shopkit *k, int64_t id)
{
    for (int i = 0; i < 6000; i++, usleep(10000)) {
        char *json = shopkit_job(k, id);
        enum job_state state = JOB_QUEUED;
        for (int s = 0; s < JOB_STATE_COUNT; s++) {
            char text[40];
            snprintf(text, sizeof text, "\"state\":\"%s\"", job_state_name((enum job_state)s));
            if (strstr(json, text))
                state = (enum job_state)s;
        }
        free(json);
        if (state == JOB_DONE || state == JOB_FAILED || state == JOB_CANCELLED)
            return state;
    }
    fail_msg("job %lld does not end", (long long)id);
    return JOB_QUEUED;
}

int64_t shopkit_submit_train(struct shopkit *k)
{
    struct error err = ERROR_INIT;
    struct job_submit_op op;
    jobs_train_prepare(&op, NULL);
    if (shop_write_wait(k->shop, &op.op, &err) != 0)
        fail_msg("%s", err.text);
    return op.job_id;
}

int64_t shopkit_submit_import(struct shopkit *k, const char *text, bool strict)
{
    struct error err = ERROR_INIT;
    struct import_request request = {.strict = strict};
    struct job_submit_op op;
    int fd;
    assert_int_equal(spool_create(k->shop, request.spool, &fd, &err), 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(spool_commit(k->shop, fd, &err), 0);
    jobs_import_prepare(&op, &request, NULL);
    if (shop_write_wait(k->shop, &op.op, &err) != 0)
        fail_msg("%s", err.text);
    return op.job_id;
}

/* What the store costs beside bare SQLite, and what a training reads:
 * bench_store [orders of the large shop, default 2000000]. Files go to $TMPDIR or /tmp.
 *
 * Inserts: orders_put against a bare loop of one prepared INSERT of the same rows, made in advance,
 * into the same schema with the same settings and checkpoints; batches of 1 to 10,000 orders a
 * transaction, order ids upwards and random; then everything sent again. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "data/dataset.h"
#include "store/models.h"
#include "store/orders.h"
#include "store/sql.h"
#include "store/users.h"
#include "support/tempdir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WAL_BYTES   (16u << 20)
#define LINES_MAX   9
#define ITEMS       100000
#define USERS       300000
#define MODEL_BYTES (128u << 20)

static void check(int rc, const struct error *err)
{
    if (rc == 0)
        return;
    fprintf(stderr, "bench_store: %s\n", err->text);
    exit(1);
}

static double seconds(void)
{
    return (double)clock_mono_ns() / 1e9;
}

/* The n-th order of a made-up shop, the same whenever it is asked for. */
struct made {
    char id[24];
    struct order_line lines[LINES_MAX];
    struct order_row row;
};

static void make_order(uint64_t n, bool random_ids, struct made *m)
{
    struct rng rng;
    rng_seed(&rng, n);
    int length = random_ids
                     ? snprintf(m->id, sizeof m->id, "%016llx", (unsigned long long)rng_u64(&rng))
                     : snprintf(m->id, sizeof m->id, "%llu", 100000000ULL + n);
    uint32_t count = 1 + rng_below(&rng, LINES_MAX), item = 0;
    for (uint32_t i = 0; i < count; i++) {
        item += 1 + rng_below(&rng, ITEMS / LINES_MAX - 1);
        m->lines[i] = (struct order_line){item, 1 + rng_below(&rng, 3), rng_below(&rng, 10000)};
    }
    m->row = (struct order_row){.order_id = {m->id, (size_t)length},
                                .user = 1 + rng_below(&rng, USERS),
                                .time_ms = 1700000000000 + (int64_t)n * 15000,
                                .lines = m->lines,
                                .line_count = count};
}

static struct made *make_orders(uint32_t count, bool random_ids)
{
    struct made *made = mem_array(count, sizeof *made);
    if (!made)
        exit(1);
    for (uint32_t i = 0; i < count; i++) {
        make_order(i, random_ids, &made[i]);
    }
    return made;
}

static struct db *open_db(struct tempdir *dir, const char *name, const char *family)
{
    struct error err = ERROR_INIT;
    struct db *db = db_open(tempdir_file(dir, name), family, DB_WRITE, &err);
    check(db ? 0 : -1, &err);
    return db;
}

/* Orders a second. */
static double run_ours(struct db *db, const struct made *made, uint32_t count, uint32_t batch,
                       enum put_outcome expected)
{
    struct error err = ERROR_INIT;
    double begin = seconds();
    for (uint32_t at = 0; at < count;) {
        check(db_begin(db, &err), &err);
        for (uint32_t end = at + batch; at < end && at < count; at++) {
            enum put_outcome outcome;
            check(orders_put(db, &made[at].row, &outcome, &err), &err);
            if (outcome != expected)
                exit(1);
        }
        check(db_commit(db, &err), &err);
        check(db_checkpoint(db, WAL_BYTES, false, &err), &err);
    }
    return count / (seconds() - begin);
}

static double run_bare(struct db *db, const struct made *made, struct str *lines, uint32_t count,
                       uint32_t batch)
{
    struct error err = ERROR_INIT;
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(db->handle,
                           "INSERT INTO orders (user_key, time_ms, order_id, lines) "
                           "VALUES (?1, ?2, ?3, ?4)",
                           -1, &s, NULL))
        exit(1);
    double begin = seconds();
    for (uint32_t at = 0; at < count;) {
        sqlite3_exec(db->handle, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        for (uint32_t end = at + batch; at < end && at < count; at++) {
            sqlite3_bind_int64(s, 1, (int64_t)made[at].row.user);
            sqlite3_bind_int64(s, 2, made[at].row.time_ms);
            sqlite3_bind_text(s, 3, made[at].id, (int)made[at].row.order_id.len, SQLITE_STATIC);
            sqlite3_bind_text(s, 4, lines[at].ptr, (int)lines[at].len, SQLITE_STATIC);
            if (sqlite3_step(s) != SQLITE_DONE)
                exit(1);
            sqlite3_reset(s);
        }
        if (sqlite3_exec(db->handle, "COMMIT", NULL, NULL, NULL))
            exit(1);
        check(db_checkpoint(db, WAL_BYTES, false, &err), &err);
    }
    double rate = count / (seconds() - begin);
    sqlite3_finalize(s);
    return rate;
}

static struct str *format_lines(const struct made *made, uint32_t count)
{
    struct str *lines = mem_array(count, sizeof *lines);
    for (uint32_t i = 0; lines && i < count; i++) {
        struct buf text;
        buf_init(&text, 0);
        lines_format(&text, made[i].lines, made[i].row.line_count);
        lines[i].ptr = buf_detach(&text, &lines[i].len);
    }
    return lines;
}

static void bench_inserts(bool random_ids, uint32_t batch, uint32_t count)
{
    struct tempdir dir;
    struct made *made = make_orders(count, random_ids);
    struct str *lines = format_lines(made, count);
    const char *ids = random_ids ? "random" : "sequential";
    tempdir_open(&dir);
    struct db *ours = open_db(&dir, "ours.db", "orders"),
              *bare = open_db(&dir, "bare.db", "orders");
    double bare_rate = run_bare(bare, made, lines, count, batch);
    double rate = run_ours(ours, made, count, batch, PUT_ACCEPTED);
    double again = run_ours(ours, made, count, batch, PUT_DUPLICATE);
    printf("result store.insert.%s.%u %.0f orders/s\n", ids, batch, rate);
    printf("result store.insert.%s.%u.bare %.0f orders/s\n", ids, batch, bare_rate);
    printf("result store.insert.%s.%u.ratio %.2f bare/ours\n", ids, batch, bare_rate / rate);
    printf("result store.resend.%s.%u %.0f orders/s\n", ids, batch, again);
    db_close(ours);
    db_close(bare);
    tempdir_close(&dir);
    for (uint32_t i = 0; i < count; i++)
        free((char *)lines[i].ptr);
    free(lines);
    free(made);
}

static void fill(struct db *db, uint32_t count)
{
    struct error err = ERROR_INIT;
    struct made m;
    enum put_outcome outcome;
    double begin = seconds();
    for (uint32_t at = 0; at < count;) {
        check(db_begin(db, &err), &err);
        for (uint32_t end = at + 10000; at < end && at < count; at++) {
            make_order(at, false, &m);
            check(orders_put(db, &m.row, &outcome, &err), &err);
        }
        check(db_commit(db, &err), &err);
        check(db_checkpoint(db, WAL_BYTES, false, &err), &err);
    }
    printf("result store.fill.%u %.0f orders/s\n", count, count / (seconds() - begin));
}

static int count_lines(void *context, const struct order_row *row, struct error *err)
{
    (void)err;
    *(uint64_t *)context += row->line_count;
    return 0;
}

static int add_to_dataset(void *context, const struct order_row *row, struct error *err)
{
    uint32_t items[LINES_MAX];
    for (uint32_t i = 0; i < row->line_count; i++)
        items[i] = row->lines[i].item;
    return dataset_add(context, row->time_ms, row->user, items, row->line_count, err);
}

static void bench_training_input(struct db *db)
{
    struct error err = ERROR_INIT;
    uint64_t lines = 0, damaged;
    double begin = seconds();
    check(orders_scan(db, count_lines, &lines, NULL, &damaged, &err), &err);
    printf("result store.scan %.2f s (%llu lines)\n", seconds() - begin, (unsigned long long)lines);

    struct dataset d;
    uint64_t before = clock_peak_rss();
    begin = seconds();
    check(dataset_init(&d, NULL, &err), &err);
    check(orders_scan(db, add_to_dataset, &d, NULL, &damaged, &err), &err);
    double scanned = seconds();
    check(dataset_finish(&d, &err), &err);
    printf("result data.scan_and_add %.2f s\n", scanned - begin);
    printf("result data.finish %.2f s\n", seconds() - scanned);
    printf("result data.bytes %.1f MiB\n", (double)dataset_bytes(&d) / 1048576);
    printf("result data.peak_rss_growth %.1f MiB\n", (double)(clock_peak_rss() - before) / 1048576);
    dataset_deinit(&d);
}

static void bench_questions(struct db *db)
{
    struct error err = ERROR_INIT;
    struct order_stats stats;
    struct user_stats user;
    double begin = seconds();
    check(orders_stats(db, &stats, &err), &err);
    printf("result store.stats %.0f us\n", (seconds() - begin) * 1e6);
    begin = seconds();
    check(users_stats(db, 77, &user, &err), &err);
    printf("result store.user_stats %.0f ms\n", (seconds() - begin) * 1e3);
    begin = seconds();
    check(db_begin(db, &err), &err);
    check(users_erase(db, 77, true, &user, &err), &err);
    check(db_commit(db, &err), &err);
    printf("result store.user_erase %.0f ms\n", (seconds() - begin) * 1e3);
    uint32_t deleted;
    begin = seconds();
    check(db_begin(db, &err), &err);
    check(orders_expire(db, stats.first_ms + 1000 * 15000LL, 1000, &deleted, &err), &err);
    check(db_commit(db, &err), &err);
    printf("result store.expire.%u %.0f ms\n", deleted, (seconds() - begin) * 1e3);
    struct stat file;
    off_t bytes = stat(db->path, &file) == 0 ? file.st_size : 0;
    begin = seconds();
    check(db_check(db, false, &err), &err);
    printf("result store.quick_check %.2f s (%.0f MiB)\n", seconds() - begin,
           (double)bytes / 1048576);
}

static void bench_large_shop(uint32_t orders)
{
    struct tempdir dir;
    struct error err = ERROR_INIT;
    tempdir_open(&dir);
    struct db *db = open_db(&dir, "orders.db", "orders");
    fill(db, orders);
    struct db *reader = db_open(tempdir_file(&dir, "orders.db"), "orders", DB_READ, &err);
    check(reader ? 0 : -1, &err);
    bench_training_input(reader);
    db_close(reader);
    bench_questions(db);
    db_close(db);
    double begin = seconds();
    db = open_db(&dir, "orders.db", "orders");
    printf("result store.open %.1f ms\n", (seconds() - begin) * 1e3);
    db_close(db);
    tempdir_close(&dir);
}

/* Random users, half of the calls new ones at first, 1,000 a transaction: an import's share. */
static void bench_users(void)
{
    struct tempdir dir;
    struct error err = ERROR_INIT;
    struct rng rng;
    const uint32_t calls = 1000000;
    rng_seed(&rng, 1);
    tempdir_open(&dir);
    struct db *db = open_db(&dir, "orders.db", "orders");
    double begin = seconds();
    for (uint32_t at = 0; at < calls;) {
        check(db_begin(db, &err), &err);
        for (uint32_t end = at + 1000; at < end; at++) {
            char id[24];
            uint64_t key;
            int length = snprintf(id, sizeof id, "user-%u", rng_below(&rng, USERS));
            check(users_key(db, (struct str){id, (size_t)length}, true, &key, &err), &err);
        }
        check(db_commit(db, &err), &err);
        check(db_checkpoint(db, WAL_BYTES, false, &err), &err);
    }
    printf("result store.users_key %.0f calls/s\n", calls / (seconds() - begin));
    db_close(db);
    tempdir_close(&dir);
}

static void bench_models(void)
{
    struct tempdir dir;
    struct error err = ERROR_INIT;
    int64_t id;
    uint64_t *bytes = mem_array(MODEL_BYTES / 8, 8);
    if (!bytes)
        exit(1);
    for (size_t i = 0; i < MODEL_BYTES / 8; i++)
        bytes[i] = i * 0x9E3779B97F4A7C15u;
    tempdir_open(&dir);
    struct db *db = open_db(&dir, "models.db", "models");
    double begin = seconds();
    check(models_begin(db, 1, STR("{}"), &id, &err), &err);
    check(models_write(db, id, "a", bytes, MODEL_BYTES, &err), &err);
    check(models_finish(db, id, STR("{}"), &err), &err);
    printf("result models.write %.0f MiB/s\n", (MODEL_BYTES >> 20) / (seconds() - begin));
    db_close(db);
    db = open_db(&dir, "models.db", "models");
    begin = seconds();
    check(models_read(db, id, "a", bytes, MODEL_BYTES, &err), &err);
    printf("result models.read %.0f MiB/s\n", (MODEL_BYTES >> 20) / (seconds() - begin));
    db_close(db);
    tempdir_close(&dir);
    free(bytes);
}

int main(int argc, char **argv)
{
    uint64_t orders = 2000000;
    if (argc > 1 && (!str_to_u64(str_of(argv[1]), &orders) || orders > UINT32_MAX))
        return 2;
    bench_large_shop((uint32_t)orders); /* first: its peak memory is told */
    bench_users();
    static const struct {
        uint32_t batch, count;
    } runs[] = {{1, 2000}, {64, 100000}, {1000, 300000}, {10000, 500000}};
    for (int random_ids = 0; random_ids < 2; random_ids++)
        for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
            bench_inserts(random_ids, runs[i].batch, runs[i].count);
    bench_models();
    return 0;
}

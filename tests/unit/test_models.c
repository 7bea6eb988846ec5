#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/rng.h"
#include "store/models.h"
#include "store/sql.h"
#include "support/oom.h"
#include "support/tempdir.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct tempdir dir;
static struct db *db;

static void reopen(void)
{
    struct error err = ERROR_INIT;
    db_close(db);
    db = db_open(tempdir_file(&dir, "models.db"), "models", DB_WRITE, &err);
    if (!db)
        fail_msg("%s", err.text);
}

static int setup(void **state)
{
    (void)state;
    tempdir_open(&dir);
    reopen();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    db_close(db);
    db = NULL;
    tempdir_close(&dir);
    return 0;
}

static unsigned char *random_bytes(size_t count, uint64_t seed)
{
    unsigned char *bytes = malloc(count + 8);
    assert_non_null(bytes);
    struct rng rng;
    rng_seed(&rng, seed);
    for (size_t i = 0; i < count; i += 8) {
        uint64_t r = rng_u64(&rng);
        memcpy(bytes + i, &r, 8);
    }
    return bytes;
}

static int64_t begin_model(void)
{
    int64_t id;
    assert_int_equal(models_begin(db, 1234, STR("{\"k\":1}"), &id, NULL), 0);
    return id;
}

static void write_part(int64_t id, const char *part, const void *bytes, size_t count)
{
    struct error err = ERROR_INIT;
    if (models_write(db, id, part, bytes, count, &err))
        fail_msg("%s", err.text);
}

static int64_t add_model(size_t count)
{
    int64_t id = begin_model();
    unsigned char *bytes = random_bytes(count, (uint64_t)id);
    write_part(id, "a", bytes, count);
    assert_int_equal(models_finish(db, id, STR("{\"r\":2}"), NULL), 0);
    free(bytes);
    return id;
}

static bool part_equals(int64_t id, const char *part, const unsigned char *bytes, size_t count)
{
    uint64_t size;
    unsigned char *into = malloc(count + 1);
    assert_non_null(into);
    assert_int_equal(models_part_bytes(db, id, part, &size, NULL), 0);
    assert_int_equal(size, count);
    assert_int_equal(models_read(db, id, part, into, count, NULL), 0);
    bool equal = memcmp(into, bytes, count) == 0;
    free(into);
    return equal;
}

static int64_t integer(const char *sql)
{
    int64_t out;
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_prepare_v2(db->handle, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    out = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return out;
}

static void parts_come_back_across_chunks_and_appends(void **state)
{
    (void)state;
    size_t large = 2 * (size_t)LIMIT_CHUNK_BYTES + 12345;
    unsigned char *bytes = random_bytes(large, 7);
    int64_t id = begin_model();
    write_part(id, "large", bytes, large);
    write_part(id, "exact", bytes, LIMIT_CHUNK_BYTES);
    write_part(id, "empty", NULL, 0);
    write_part(id, "grown", bytes, 10);
    write_part(id, "grown", bytes + 10, 0);
    write_part(id, "grown", bytes + 10, 990);
    assert_int_equal(models_finish(db, id, STR("{}"), NULL), 0);
    reopen();
    assert_true(part_equals(id, "large", bytes, large));
    assert_true(part_equals(id, "exact", bytes, LIMIT_CHUNK_BYTES));
    assert_true(part_equals(id, "empty", bytes, 0));
    assert_true(part_equals(id, "grown", bytes, 1000));
    assert_int_equal(integer("SELECT max(length(bytes)) FROM chunks"), LIMIT_CHUNK_BYTES);
    assert_int_equal(integer("SELECT count(*) FROM chunks"), 3 + 1 + 0 + 2);
    free(bytes);
}

struct seen {
    char text[1024];
};

static int note_model(void *context, const struct model_row *row, struct error *err)
{
    (void)err;
    struct seen *seen = context;
    size_t used = strlen(seen->text);
    snprintf(seen->text + used, sizeof seen->text - used, "%lld %lld%s%s %llu %.*s %.*s\n",
             (long long)row->id, (long long)row->created_ms, row->live ? " live" : "",
             row->damaged ? " damaged" : "", (unsigned long long)row->bytes,
             STR_ARG(row->parameters), STR_ARG(row->report));
    return 0;
}

static void a_model_is_there_once_it_is_finished(void **state)
{
    (void)state;
    struct seen seen = {0};
    int64_t id = begin_model();
    write_part(id, "a", "xyz", 3);
    assert_int_equal(models_list(db, note_model, &seen, NULL), 0);
    assert_string_equal(seen.text, "");
    assert_int_equal(models_get(db, id, note_model, &seen, NULL), ERR_NOT_FOUND);
    assert_int_equal(models_set_live(db, id, NULL), ERR_NOT_FOUND);
    assert_int_equal(models_finish(db, id, STR("{\"r\":2}"), NULL), 0);
    assert_int_equal(models_get(db, id, note_model, &seen, NULL), 0);
    assert_string_equal(seen.text, "1 1234 3 {\"k\":1} {\"r\":2}\n");
    assert_int_equal(models_finish(db, id, STR("{}"), NULL), ERR_NOT_FOUND);
    assert_int_equal(models_finish(db, 99, STR("{}"), NULL), ERR_NOT_FOUND);
}

static void one_model_is_live_and_a_damaged_one_is_not(void **state)
{
    (void)state;
    struct seen seen = {0};
    int64_t live, first = add_model(10), second = add_model(20);
    assert_int_equal(models_live(db, &live, NULL), 0);
    assert_int_equal(live, 0);
    assert_int_equal(models_set_live(db, first, NULL), 0);
    assert_int_equal(models_set_live(db, second, NULL), 0);
    assert_int_equal(models_set_live(db, 99, NULL), ERR_NOT_FOUND);
    assert_int_equal(models_live(db, &live, NULL), 0);
    assert_int_equal(live, second);
    assert_int_equal(models_mark_damaged(db, second, NULL), 0);
    assert_int_equal(models_mark_damaged(db, 99, NULL), ERR_NOT_FOUND);
    assert_int_equal(models_live(db, &live, NULL), 0);
    assert_int_equal(live, 0);
    assert_int_equal(models_set_live(db, first, NULL), 0);
    reopen();
    assert_int_equal(models_list(db, note_model, &seen, NULL), 0);
    assert_string_equal(seen.text, "2 1234 damaged 20 {\"k\":1} {\"r\":2}\n"
                                   "1 1234 live 10 {\"k\":1} {\"r\":2}\n");
    assert_int_equal(models_set_live(db, second, NULL), 0); /* it loaded after all */
    assert_int_equal(integer("SELECT sum(damaged) FROM models"), 0);
}

static void pruning_keeps_the_newest_and_the_live_one(void **state)
{
    (void)state;
    int64_t id[6];
    for (int i = 0; i < 6; i++)
        id[i] = add_model(1000);
    assert_int_equal(models_set_live(db, id[1], NULL), 0);
    int64_t unfinished = begin_model();
    write_part(unfinished, "a", "abc", 3);
    assert_int_equal(models_prune(db, 2, NULL), 0);
    struct seen seen = {0};
    assert_int_equal(models_list(db, note_model, &seen, NULL), 0);
    assert_string_equal(seen.text, "6 1234 1000 {\"k\":1} {\"r\":2}\n"
                                   "5 1234 1000 {\"k\":1} {\"r\":2}\n"
                                   "2 1234 live 1000 {\"k\":1} {\"r\":2}\n");
    assert_int_equal(integer("SELECT count(*) FROM models"), 3);
    assert_int_equal(integer("SELECT count(*) FROM parts"), 3);
    assert_int_equal(integer("SELECT count(*) FROM chunks"), 3);
    assert_int_equal(models_prune(db, 2, NULL), 0);
    assert_true(add_model(1) > unfinished); /* ids are never reused */
}

static void an_abandoned_model_leaves_nothing(void **state)
{
    (void)state;
    int64_t id = begin_model();
    for (int i = 0; i < 30; i++)
        write_part(id, "a", "abc", 3);
    write_part(id, "b", "abc", 3);
    models_abandon(db, id);
    models_abandon(db, id);
    assert_int_equal(integer("SELECT (SELECT count(*) FROM models) + (SELECT count(*) FROM parts) "
                             "+ (SELECT count(*) FROM chunks)"),
                     0);
}

static void an_unknown_part_or_size_is_an_error(void **state)
{
    (void)state;
    char into[16];
    uint64_t bytes;
    struct error err = ERROR_INIT;
    int64_t id = add_model(10);
    assert_int_equal(models_part_bytes(db, id, "b", &bytes, &err), ERR_NOT_FOUND);
    assert_string_equal(err.text, "model 1 has no part b");
    assert_int_equal(models_read(db, id, "b", into, 1, NULL), ERR_NOT_FOUND);
    assert_int_equal(models_read(db, 99, "a", into, 1, NULL), ERR_NOT_FOUND);
    assert_int_equal(models_read(db, id, "a", into, 9, NULL), ERR_CORRUPT);
    assert_int_equal(models_read(db, id, "a", into, 11, NULL), ERR_CORRUPT);
}

static void run(const char *sql)
{
    if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL))
        fail_msg("%s: %s", sql, sqlite3_errmsg(db->handle));
}

static void every_kind_of_wrong_row_is_found(void **state)
{
    (void)state;
    static char into[64];
    const char *damage[] = {
        "DELETE FROM chunks WHERE seq = 0",
        "DELETE FROM chunks WHERE seq = 2",
        "UPDATE chunks SET seq = 7 WHERE seq = 1",
        "UPDATE chunks SET seq = seq + 10; UPDATE chunks SET seq = 12 - seq",
        "UPDATE chunks SET checksum = checksum + 1 WHERE seq = 1",
        "UPDATE chunks SET bytes = x'00' WHERE seq = 1",
        "UPDATE chunks SET bytes = zeroblob(1000) WHERE seq = 1",
        "UPDATE parts SET bytes = bytes + 1",
        "UPDATE parts SET bytes = 1000000000000000",
        "UPDATE parts SET chunks = 2",
        "UPDATE parts SET chunks = 1000000000000",
        "UPDATE parts SET model_id = 2",
    };
    int64_t id = begin_model();
    for (int i = 0; i < 3; i++)
        write_part(id, "a", "0123456789abcdef", 16);
    assert_int_equal(models_finish(db, id, STR("{}"), NULL), 0);
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        uint64_t bytes;
        run("SAVEPOINT damage");
        run(damage[i]);
        int size = models_part_bytes(db, id, "a", &bytes, NULL);
        int read = models_read(db, id, "a", into, 48, NULL);
        if ((size == 0 && read == 0) || (size == 0 && bytes != 48))
            fail_msg("not found: %s", damage[i]);
        run("ROLLBACK TO damage; RELEASE damage");
    }
    assert_int_equal(models_read(db, id, "a", into, 48, NULL), 0);
}

/* The whole file as bytes, and back. */
static unsigned char *load_file(const char *path, size_t *count)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    unsigned char *bytes = malloc((size_t)st.st_size);
    assert_non_null(bytes);
    assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
    close(fd);
    *count = (size_t)st.st_size;
    return bytes;
}

static void save_file(const char *path, const unsigned char *bytes, size_t count)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, count), count);
    close(fd);
}

#define PARTS      3
#define PART_BYTES 150000

/* True when every part reads back as written; false when any gave an error. Wrong bytes without an
 * error fail the test. */
static bool all_parts_good(const char *path, int64_t id, unsigned char *const parts[PARTS])
{
    static unsigned char into[PART_BYTES];
    struct db *copy = db_open(path, "models", DB_WRITE, NULL);
    bool good = copy != NULL;
    for (int p = 0; p < PARTS && copy; p++) {
        char name[2] = {(char)('a' + p), '\0'};
        uint64_t bytes;
        if (models_part_bytes(copy, id, name, &bytes, NULL) || bytes != PART_BYTES ||
            models_read(copy, id, name, into, bytes, NULL)) {
            good = false;
            continue;
        }
        assert_memory_equal(into, parts[p], PART_BYTES);
    }
    db_close(copy);
    return good;
}

static int64_t make_damage_target(unsigned char *parts[PARTS])
{
    int64_t id = begin_model();
    for (int p = 0; p < PARTS; p++) {
        char name[2] = {(char)('a' + p), '\0'};
        parts[p] = random_bytes(PART_BYTES, (uint64_t)p);
        for (size_t at = 0; at < PART_BYTES; at += 30000) /* 5 chunks each */
            write_part(id, name, parts[p] + at, 30000);
    }
    assert_int_equal(models_finish(db, id, STR("{}"), NULL), 0);
    db_close(db);
    db = NULL;
    return id;
}

/* Adds to the first byte of every copy of 64 bytes, but for that byte: pages keep old copies of
 * rows that moved. */
static void flip_all(unsigned char *bytes, size_t count, const unsigned char *sample, int by)
{
    int copies = 0;
    unsigned char *end = bytes + count, *at = bytes;
    while ((at = memmem(at, (size_t)(end - at), sample + 1, 63))) {
        at[-1] = (unsigned char)(at[-1] + by);
        copies++;
        at++;
    }
    assert_true(copies > 0);
}

static void a_flipped_bit_is_found_in_every_chunk(void **state)
{
    (void)state;
    unsigned char *parts[PARTS], *bytes;
    int64_t id = make_damage_target(parts);
    size_t count;
    char path[128];
    snprintf(path, sizeof path, "%s", tempdir_file(&dir, "copy.db"));
    bytes = load_file(tempdir_file(&dir, "models.db"), &count);
    save_file(path, bytes, count);
    assert_true(all_parts_good(path, id, parts));
    for (int p = 0; p < PARTS; p++) {
        for (size_t chunk = 0; chunk < 5; chunk++) {
            flip_all(bytes, count, parts[p] + chunk * 30000 + 100, 1);
            save_file(path, bytes, count);
            assert_false(all_parts_good(path, id, parts));
            flip_all(bytes, count, parts[p] + chunk * 30000 + 100, -1);
        }
    }
    struct rng rng;
    rng_seed(&rng, 9);
    int found = 0;
    for (int round = 0; round < 300; round++) { /* anywhere: an error, or it does not matter */
        size_t at = rng_below(&rng, (uint32_t)count);
        unsigned char kept = bytes[at];
        bytes[at] ^= (unsigned char)(1u << rng_below(&rng, 8));
        save_file(path, bytes, count);
        found += !all_parts_good(path, id, parts);
        bytes[at] = kept;
    }
    assert_true(found > 80); /* the rest hit free space */
    free(bytes);
    for (int p = 0; p < PARTS; p++)
        free(parts[p]);
}

static void a_truncated_file_is_found(void **state)
{
    (void)state;
    unsigned char *parts[PARTS], *bytes;
    int64_t id = make_damage_target(parts);
    size_t count;
    char path[128];
    snprintf(path, sizeof path, "%s", tempdir_file(&dir, "copy.db"));
    bytes = load_file(tempdir_file(&dir, "models.db"), &count);
    for (size_t cut = 1; cut < count; cut += count / 40) {
        save_file(path, bytes, cut);
        assert_false(all_parts_good(path, id, parts));
    }
    free(bytes);
    for (int p = 0; p < PARTS; p++)
        free(parts[p]);
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    int64_t id = add_model(1000);
    char into[1000];
    OOM_LOOP
    {
        int64_t next;
        int rc = models_begin(db, 1, STR("{}"), &next, NULL);
        if (rc == 0)
            rc = models_write(db, next, "a", into, sizeof into, NULL);
        if (rc == 0)
            rc = models_finish(db, next, STR("{}"), NULL);
        if (rc == 0)
            rc = models_read(db, id, "a", into, sizeof into, NULL);
        if (rc == 0)
            rc = models_prune(db, 1, NULL);
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(parts_come_back_across_chunks_and_appends),
        TEST(a_model_is_there_once_it_is_finished),
        TEST(one_model_is_live_and_a_damaged_one_is_not),
        TEST(pruning_keeps_the_newest_and_the_live_one),
        TEST(an_abandoned_model_leaves_nothing),
        TEST(an_unknown_part_or_size_is_an_error),
        TEST(every_kind_of_wrong_row_is_found),
        TEST(a_flipped_bit_is_found_in_every_chunk),
        TEST(a_truncated_file_is_found),
        TEST(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

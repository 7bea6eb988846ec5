#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/rng.h"
#include "ingest/decompress.h"
#include "support/compressed.h"
#include "support/oom.h"
#include "support/shared.h"
#include "support/tempdir.h"
#include "support/transcript.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const int64_t NOW_MS = 1767323045000; /* 2026-01-02T03:04:05Z */

static struct str text_of(const struct buf *b)
{
    return (struct str){b->ptr, b->len};
}

static void expect(const struct reader_options *options, struct str input, const char *expected)
{
    struct buf out;
    buf_init(&out, 0);
    transcript_run(&out, options, input, 1000);
    assert_string_equal(buf_cstr(&out), expected);
    buf_deinit(&out);
}

static void the_format_is_told_by_the_first_line(void **state)
{
    (void)state;
    static const struct {
        const char *input;
        enum reader_format format;
    } cases[] = {
        {"", FORMAT_AUTO},
        {" \n\t\n", FORMAT_AUTO},
        {"[", FORMAT_JSON},
        {"\n [\n", FORMAT_JSON},
        {"{\n", FORMAT_JSON},
        {"{\"order_id\":\"1\",\n", FORMAT_JSON},
        {"{\"order_id\":\"1\", \"items\": [\n", FORMAT_JSON},
        {"{}", FORMAT_NDJSON},
        {"{\"order_id\":\"1\",", FORMAT_NDJSON},
        {"{} x\n", FORMAT_NDJSON},
        {"1 2 3\n", FORMAT_FIMI},
        {"7", FORMAT_FIMI},
        {"order,item\n", FORMAT_CSV},
        {"\xef\xbb\xbforder,item\n", FORMAT_CSV},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = ERROR_INIT;
        struct buf out;
        buf_init(&out, 0);
        const struct reader_options options = {.source = "s"};
        const struct reader_sink sink = transcript_sink(&out);
        struct reader *r = reader_new(&options, &sink, &err);
        assert_non_null(r);
        assert_int_equal(reader_format(r), FORMAT_AUTO);
        int rc = reader_feed(r, str_of(cases[i].input), &err);
        assert_int_equal(rc, 0);
        rc = reader_finish(r, &err); /* the unfinished ones fail here */
        assert_int_equal(rc != 0, cases[i].format == FORMAT_JSON);
        assert_int_equal(reader_format(r), cases[i].format);
        reader_free(r);
        buf_deinit(&out);
    }
}

static void format_names_parse_back(void **state)
{
    (void)state;
    enum reader_format format;
    for (unsigned i = FORMAT_AUTO; i <= FORMAT_FIMI; i++) {
        assert_true(reader_format_parse(str_of(reader_format_name(i)), &format));
        assert_int_equal(format, i);
    }
    assert_false(reader_format_parse(STR("xml"), &format));
    assert_false(reader_format_parse(STR_NONE, &format));
}

static void a_first_line_longer_than_the_head_is_still_read(void **state)
{
    (void)state;
    struct buf text;
    const struct reader_options options = {.now_ms = NOW_MS};
    buf_init(&text, 0);
    buf_text(&text, "{\"order_id\":\"1\",\"items\":[\"a\"");
    while (text.len < 100000)
        buf_text(&text, ",\"a\"");
    buf_text(&text, "]}\n{\"order_id\":\"2\",\"items\":[\"a\"]}");
    expect(&options, text_of(&text),
           "order 1 id=\"1\" rows=24994\n    item=\"a\" quantity=24994\n"
           "order 2 id=\"2\" rows=1\n    item=\"a\" quantity=1\n"
           "orders read=2\nlines read=24995 merged=24993\n");
    buf_clear(&text);
    while (text.len < 100000)
        buf_text(&text, " \n");
    expect(&options, text_of(&text), "error INVALID: the input begins with 64 KiB of blanks\n");
    buf_deinit(&text);
}

static void compressed_input_gives_what_plain_input_gives(void **state)
{
    (void)state;
    struct buf gz, zst, broken;
    const char *expected = "order 2 id=\"1\" rows=2\n    item=\"a\" quantity=1\n"
                           "    item=\"b\" quantity=1\norders read=1\nlines read=2\n";
    const struct str plain = STR("order,item\n1,a\n1,b\n");
    const struct reader_options automatic = {.now_ms = NOW_MS};
    buf_init(&gz, 0);
    buf_init(&zst, 0);
    buf_init(&broken, 0);
    compressed_gzip(&gz, plain);
    compressed_zstd(&zst, plain, 0);
    expect(&automatic, plain, expected);
    expect(&automatic, text_of(&gz), expected);
    expect(&automatic, text_of(&zst), expected);
    buf_add(&broken, gz.ptr, gz.len - 3);
    expect(&automatic, text_of(&broken), "error INVALID: gzip: ends in the middle\n");
    const struct reader_options forced = {.coding = CODING_GZIP};
    expect(&forced, plain, "error INVALID: gzip: incorrect header check\n");
    const struct reader_options capped = {.max_decompressed = 10};
    expect(&capped, text_of(&gz), "error TOO_LARGE: gzip: more than 10 bytes when decompressed\n");
    buf_deinit(&gz);
    buf_deinit(&zst);
    buf_deinit(&broken);
}

static void two_gibibytes_of_zeros_are_refused_in_little_memory(void **state)
{
    (void)state;
    struct buf bomb;
    const struct reader_options ndjson = {.format = FORMAT_NDJSON}, automatic = {0};
    buf_init(&bomb, 0);
    compressed_gzip_zeros(&bomb, 2ull << 30);
    uint64_t before = clock_peak_rss();
    expect(&ndjson, text_of(&bomb),
           "error TOO_LARGE: gzip: expands more than 200 times, which only a bomb does\n");
    expect(&automatic, text_of(&bomb),
           "error INVALID: csv: header: row longer than 1 MiB; is a quote not closed?\n");
    assert_in_range(clock_peak_rss() - before, 0, 32 << 20);
    buf_deinit(&bomb);
}

static void a_line_longer_than_the_limit_is_skipped_and_reported(void **state)
{
    (void)state;
    static char block[1 << 20];
    struct error err = ERROR_INIT;
    struct buf out;
    buf_init(&out, 0);
    const struct reader_options options = {.now_ms = NOW_MS};
    const struct reader_sink sink = transcript_sink(&out);
    struct reader *r = reader_new(&options, &sink, &err);
    int rc = reader_feed(r, STR("{\"order_id\":\"1\",\"items\":[\"a\"]}\n{\"order_id\":\""), &err);
    assert_int_equal(rc, 0);
    memset(block, 'x', sizeof block);
    uint64_t before = clock_peak_rss();
    for (int i = 0; i < 300; i++)
        if (rc == 0)
            rc = reader_feed(r, (struct str){block, sizeof block}, &err);
    assert_int_equal(rc, 0);
    assert_in_range(clock_peak_rss() - before, 0, 220 << 20); /* the kept part and its copy */
    rc = reader_feed(r, STR("\"}\n{\"order_id\":\"3\",\"items\":[\"a\"]}"), &err);
    assert_int_equal(rc, 0);
    rc = reader_finish(r, &err);
    assert_int_equal(rc, 0);
    transcript_counts(&out, reader_counts(r));
    assert_string_equal(buf_cstr(&out), "order 1 id=\"1\" rows=1\n    item=\"a\" quantity=1\n"
                                        "problem 2 : longer than 67108864 bytes\n"
                                        "order 3 id=\"3\" rows=1\n    item=\"a\" quantity=1\n"
                                        "orders read=2\nlines read=3 rejected=1\n");
    reader_free(r);
    buf_deinit(&out);
}

static void an_id_of_a_mebibyte_is_a_problem_of_its_line(void **state)
{
    (void)state;
    struct buf json, csv, id;
    const struct reader_options options = {.now_ms = NOW_MS};
    buf_init(&id, 0);
    buf_init(&json, 0);
    buf_init(&csv, 0);
    for (int i = 0; i < 1 << 20; i++)
        buf_char(&id, 'x');
    buf_printf(&json, "{\"order_id\":\"1\",\"items\":[\"a\",\"");
    buf_str(&json, text_of(&id));
    buf_text(&json, "\"]}\n");
    expect(&options, text_of(&json),
           "problem 1 items[1].item_id: longer than 256 bytes\n"
           "order 1 id=\"1\" rows=2\n    item=\"a\" quantity=1\n"
           "orders read=1\nlines read=2 rejected=1\n");
    buf_text(&csv, "order,item\n1,");
    buf_str(&csv, text_of(&id));
    buf_text(&csv, "\n1,a\n");
    expect(&options, text_of(&csv),
           "problem 2 : row longer than 1 MiB; is a quote not closed?\n"
           "order 3 id=\"1\" rows=1\n    item=\"a\" quantity=1\n"
           "orders read=1\nlines read=2 rejected=1\n");
    buf_deinit(&json);
    buf_deinit(&csv);
    buf_deinit(&id);
}

static void an_order_of_more_than_a_million_rows_is_rejected_in_every_format(void **state)
{
    (void)state;
    struct buf csv, fimi;
    const struct reader_options options = {.now_ms = NOW_MS, .source = "s"};
    buf_init(&csv, 0);
    buf_init(&fimi, 0);
    buf_text(&csv, "order,item\n0,a\n");
    for (unsigned i = 0; i <= LIMIT_ORDER_LINES; i++) {
        buf_printf(&csv, "1,%u\n", i % 5000);
        buf_printf(&fimi, "%u ", i % 5000);
    }
    buf_text(&csv, "2,a\n");
    buf_text(&fimi, "\n1\n");
    expect(&options, text_of(&csv),
           "order 2 id=\"0\" rows=1\n    item=\"a\" quantity=1\n"
           "problem 3 items: more than 1000000 lines in one order\n"
           "order 1000004 id=\"2\" rows=1\n    item=\"a\" quantity=1\n"
           "orders read=3 rejected=1\nlines read=1000003 rejected=1000001\n");
    expect(&options, text_of(&fimi),
           "problem 1 items: more than 1000000 lines in one order\n"
           "order 2 id=\"s:2\" rows=1\n    item=\"1\" quantity=1\n"
           "orders read=2 rejected=1\nlines read=1000002 rejected=1000001\n");
    buf_deinit(&csv);
    buf_deinit(&fimi);
}

static void rows_of_an_order_may_lie_anywhere_and_spill_to_disk(void **state)
{
    (void)state;
    struct rng rng;
    struct tempdir dir;
    struct buf scattered, together, first, second;
    enum { ORDERS = 5000, ROWS = 4 };
    tempdir_open(&dir);
    buf_init(&scattered, 0);
    buf_init(&together, 0);
    buf_init(&first, 0);
    buf_init(&second, 0);
    rng_seed(&rng, 41);
    buf_text(&scattered, "order,item,title,price,time\n");
    buf_text(&together, "order,item,title,price,time\n");
    /* In rounds, so that an order's rows keep their order but lie far apart. */
    for (int row = 0; row < ROWS; row++)
        for (int o = 0; o < ORDERS; o++)
            buf_printf(&scattered, "o%05d,i%d,title %d,%d.%02d,2025-01-01 00:00:%02d\n",
                       (o * 7919) % ORDERS, row % 3, row, row, o % 100, row);
    for (int o = 0; o < ORDERS; o++)
        for (int row = 0; row < ROWS; row++)
            buf_printf(&together, "o%05d,i%d,title %d,%d.%02d,2025-01-01 00:00:%02d\n",
                       (o * 7919) % ORDERS, row % 3, row, row, o % 100, row);
    const struct reader_options small = {
        .now_ms = NOW_MS, .spool_directory = dir.path, .sort_memory = 64 << 10};
    const struct reader_options large = {.now_ms = NOW_MS};
    transcript_run(&first, &small, text_of(&scattered), 5000);
    transcript_run(&second, &large, text_of(&together), 0);
    /* The same but for the line numbers. */
    for (char *a = first.ptr, *b = second.ptr; a && b && a < first.ptr + first.len;) {
        if (strncmp(a, "order ", 6) == 0)
            a = strchr(a + 6, ' '), b = strchr(b + 6, ' ');
        assert_true(*a == *b);
        a++, b++;
    }
    assert_non_null(strstr(buf_cstr(&first), "orders read=5000\nlines read=20000 merged=5000\n"));
    buf_deinit(&scattered);
    buf_deinit(&together);
    buf_deinit(&first);
    buf_deinit(&second);
    tempdir_close(&dir);
}

static void a_spool_directory_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    struct buf csv, out;
    const struct reader_options options = {
        .now_ms = NOW_MS, .spool_directory = "/nowhere/at/all", .sort_memory = 64 << 10};
    buf_init(&csv, 0);
    buf_init(&out, 0);
    buf_text(&csv, "order,item\n");
    for (int i = 0; i < 20000; i++)
        buf_printf(&csv, "%d,a\n", i);
    assert_int_equal(transcript_run(&out, &options, text_of(&csv), 0), ERR_IO);
    buf_deinit(&csv);
    buf_deinit(&out);
}

static int stop(void *context, const struct record *record, struct error *err)
{
    int *left = context;
    (void)record;
    return --*left < 0 ? error_set(err, ERR_CANCELLED, "enough") : 0;
}

static void a_stop_of_the_sink_comes_back_and_the_reader_takes_no_more(void **state)
{
    (void)state;
    static const char *const inputs[] = {
        "{\"order_id\":\"1\",\"items\":[\"a\"]}\n{\"order_id\":\"2\",\"items\":[\"a\"]}\n",
        "[{\"order_id\":\"1\",\"items\":[\"a\"]},{\"order_id\":\"2\",\"items\":[\"a\"]}]",
        "1 2\n3\n",
        "order,item\n1,a\n2,a\n",
        "item,title\n1,a\n2,a\n",
        "item,event\n1,view\n2,view\n",
    };
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        int left = 1;
        struct error err = ERROR_INIT, later = ERROR_INIT;
        const struct reader_options options = {.source = "s"};
        const struct reader_sink sink = {.context = &left, .record = stop};
        struct reader *r = reader_new(&options, &sink, &err);
        int rc = reader_feed(r, str_of(inputs[i]), &err);
        bool fed = rc == 0;
        if (fed)
            rc = reader_finish(r, &err);
        assert_int_equal(rc, ERR_CANCELLED);
        assert_string_equal(err.text, "enough");
        rc = fed ? reader_finish(r, &later) : reader_feed(r, STR("x"), &later);
        assert_int_equal(rc, ERR_INTERNAL);
        assert_int_equal(left, -1); /* not called again */
        reader_free(r);
    }
}

static void bad_options_are_errors_before_anything_is_read(void **state)
{
    (void)state;
    static const char *const maps[] = {"a=b", NULL};
    char longest[LIMIT_ID_BYTES];
    memset(longest, 's', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    const struct {
        struct reader_options options;
        const char *expected;
    } cases[] = {
        {{.format = FORMAT_FIMI},
         "error INVALID: fimi: the format has no order ids; --source NAME makes them NAME:line\n"},
        {{.source = ""}, "error INVALID: source: is empty\n"},
        {{.source = "a\nb"}, "error INVALID: source: has a control character\n"},
        {{.source = longest}, "error INVALID: source: is too long\n"},
        {{.maps = maps}, NULL},
        {{.include_items = "("}, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out;
        buf_init(&out, 0);
        assert_int_equal(transcript_run(&out, &cases[i].options, STR("order,item\n1,a\n"), 0),
                         ERR_INVALID);
        if (cases[i].expected)
            assert_string_equal(buf_cstr(&out), cases[i].expected);
        buf_deinit(&out);
    }
    reader_free(NULL);
}

static void running_out_of_memory_is_an_error_everywhere(void **state)
{
    (void)state;
    static const char *const maps[] = {"Nr=order_id", NULL};
    static const char *const inputs[] = {
        "{\"order_id\":\"1\",\"items\":[\"a\",\"\\u00e9\"]}",
        "{\"item_id\":\"a\",\"category\":\"A\",\"attributes\":{\"\\u00e9\":1}}",
        "[{\"order_id\":\"1\",\"items\":[\"a\"]},{\"order_id\":\"2\",\"items\":[\"a\"]}]",
        "1 2\n3\n",
        "Nr,item,user,title,time\n1,a,u,t,2025-01-01\n2,a,u,t,2025-01-01\n1,b,,,\n",
        "item,title,category,attributes\n1,a,A > B,\"{\"\"a\"\":\"\"\\u00e9\"\"}\"\n2,a,,\n",
    };
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        struct buf gz;
        buf_init(&gz, 0);
        compressed_gzip(&gz, str_of(inputs[i]));
        OOM_LOOP
        {
            int left = 100;
            struct error err = ERROR_INIT;
            struct reader_options options = {.source = "s", .maps = i == 4 ? maps : NULL};
            const struct reader_sink sink = {.context = &left, .record = stop};
            struct reader *r = reader_new(&options, &sink, &err);
            int rc = r ? 0 : (int)err.code;
            for (size_t at = 0; rc == 0 && at < gz.len; at += 9)
                rc = reader_feed(r, (struct str){gz.ptr + at, gz.len - at < 9 ? gz.len - at : 9},
                                 &err);
            if (rc == 0)
                rc = reader_finish(r, &err);
            assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
            assert_int_equal(err.code, rc);
            reader_free(r);
        }
        buf_deinit(&gz);
    }
}

/* The counts as the independent script works them out, or false without python3. */
static bool script_counts(struct buf *csv, struct buf *out)
{
    struct tempdir dir;
    posix_spawn_file_actions_t files;
    char script[] = "tests/support/uci_counts.py", python[] = "/usr/bin/python3";
    char *const arguments[] = {python, script, NULL};
    char from[160], to[160];
    pid_t child;
    int status = 1;
    tempdir_open(&dir);
    snprintf(from, sizeof from, "%s", tempdir_file(&dir, "in"));
    snprintf(to, sizeof to, "%s", tempdir_file(&dir, "out"));
    FILE *f = fopen(from, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(csv->ptr, 1, csv->len, f), csv->len);
    assert_int_equal(fclose(f), 0);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, from, O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    bool started = posix_spawn(&child, python, &files, NULL, arguments, environ) == 0;
    posix_spawn_file_actions_destroy(&files);
    if (started)
        assert_int_equal(waitpid(child, &status, 0), child);
    f = started ? fopen(to, "rb") : NULL;
    char block[1024];
    size_t got = f ? fread(block, 1, sizeof block, f) : 0;
    buf_add(out, block, got);
    if (f)
        fclose(f);
    tempdir_close(&dir);
    if (started)
        assert_int_equal(status, 0);
    return started;
}

struct totals {
    uint64_t orders, lines;
    struct buf plain; /* the decompressed bytes */
};

static int add_totals(void *context, const struct record *record, struct error *err)
{
    struct totals *t = context;
    (void)err;
    t->orders++;
    t->lines += record->line_count;
    return 0;
}

static int gunzip_take(void *context, struct str bytes, struct error *err)
{
    (void)err;
    buf_str(context, bytes);
    return 0;
}

static void all_lines_of_uci_online_retail_are_accounted_for(void **state)
{
    (void)state;
    struct totals t = {0};
    struct buf gz, ours, theirs;
    struct error err = ERROR_INIT;
    buf_init(&t.plain, 0);
    buf_init(&gz, 0);
    buf_init(&ours, 0);
    buf_init(&theirs, 0);
    if (!shared_read("online-retail/online_retail.csv.gz", &gz)) {
        print_message("skipped: no shared data\n");
        skip();
    }
    const struct reader_options options = {0};
    const struct reader_sink sink = {.context = &t, .record = add_totals};
    struct reader *r = reader_new(&options, &sink, &err);
    assert_int_equal(reader_feed(r, text_of(&gz), &err), 0);
    assert_int_equal(reader_finish(r, &err), 0);
    transcript_counts(&ours, reader_counts(r));
    buf_printf(&ours, "given %llu %llu\n", (unsigned long long)t.orders,
               (unsigned long long)t.lines);
    reader_free(r);
    assert_string_equal(buf_cstr(&ours),
                        "orders read=25900 cancelled=5172 rejected=2\n"
                        "lines read=541909 cancelled=10624 merged=10535 rejected=2\n"
                        "given 20726 520748\n");
    const struct decompress_options plain = {.out = gunzip_take, .context = &t.plain};
    struct decompress *d = decompress_new(&plain, &err);
    assert_int_equal(decompress_feed(d, text_of(&gz), &err), 0);
    decompress_free(d);
    if (script_counts(&t.plain, &theirs))
        assert_string_equal(ours.ptr, buf_cstr(&theirs));
    else
        print_message("skipped: no /usr/bin/python3\n");
    buf_deinit(&t.plain);
    buf_deinit(&gz);
    buf_deinit(&ours);
    buf_deinit(&theirs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_format_is_told_by_the_first_line),
        cmocka_unit_test(format_names_parse_back),
        cmocka_unit_test(a_first_line_longer_than_the_head_is_still_read),
        cmocka_unit_test(compressed_input_gives_what_plain_input_gives),
        cmocka_unit_test(two_gibibytes_of_zeros_are_refused_in_little_memory),
        cmocka_unit_test(a_line_longer_than_the_limit_is_skipped_and_reported),
        cmocka_unit_test(an_id_of_a_mebibyte_is_a_problem_of_its_line),
        cmocka_unit_test(an_order_of_more_than_a_million_rows_is_rejected_in_every_format),
        cmocka_unit_test(rows_of_an_order_may_lie_anywhere_and_spill_to_disk),
        cmocka_unit_test(a_spool_directory_that_is_not_there_is_an_error),
        cmocka_unit_test(a_stop_of_the_sink_comes_back_and_the_reader_takes_no_more),
        cmocka_unit_test(bad_options_are_errors_before_anything_is_read),
        cmocka_unit_test(running_out_of_memory_is_an_error_everywhere),
        cmocka_unit_test(all_lines_of_uci_online_retail_are_accounted_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

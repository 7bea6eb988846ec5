/* The option table through all its doors: defaults, file, environment, flags; what is refused and
 * how. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/settings.h"
#include "support/oom.h"
#include "support/tempdir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct line {
    int argc;
    char *argv[16];
};

/* Loads with these words as the command line; NULL ends them. What is left stays in `line`. */
static int load(struct settings *s, struct error *err, struct line *line, const char *const *words)
{
    line->argc = 0;
    for (; words[line->argc]; line->argc++)
        line->argv[line->argc] = (char *)words[line->argc];
    line->argv[line->argc] = NULL;
    return settings_load(s, &line->argc, line->argv, err);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void defaults_are_those_of_the_table(void **state)
{
    (void)state;
    struct settings s;
    settings_default(&s);
    assert_string_equal(s.listen, "127.0.0.1:8080");
    assert_int_equal(s.loops, 1);
    assert_int_equal(s.inline_body_bytes, 1 << 20);
    assert_int_equal(s.interval_ms, 24 * 3600 * 1000);
    assert_int_equal(s.keep_models, 5);
    assert_true(s.embeddings);
    assert_false(s.insecure);
}

static void event_weights_have_a_weight_and_a_half_life(void **state)
{
    (void)state;
    struct settings s;
    struct error err = ERROR_INIT;
    struct line line;
    const char *argv[] = {"train",         "--events-view", "0.25  36h", "--events-cart=0",
                          "--events-wish", "2 0",           NULL};
    struct event_weights preset = event_weights_default();
    settings_default(&s);
    assert_memory_equal(&s.event_weights, &preset, sizeof preset);
    assert_int_equal(load(&s, &err, &line, argv), 0);
    const struct event_weight *of = s.event_weights.of;
    assert_true(of[ACTION_VIEW].weight == 0.25 && of[ACTION_VIEW].half_life_days == 1.5);
    assert_true(of[ACTION_CART].weight == 0 && of[ACTION_CART].half_life_days == 0);
    assert_true(of[ACTION_WISH].weight == 2 && of[ACTION_WISH].half_life_days == 0);
}

static void flags_are_taken_out_and_others_left(void **state)
{
    (void)state;
    struct settings s;
    struct error err = ERROR_INIT;
    const char *argv[] = {"import",
                          "--loops",
                          "2",
                          "a.csv",
                          "--memory-limit=4GiB",
                          "--insecure",
                          "--json",
                          "--train-interval",
                          "15m",
                          "--",
                          "--loops",
                          NULL};
    struct line line;
    assert_int_equal(load(&s, &err, &line, argv), 0);
    assert_int_equal(line.argc, 5);
    assert_string_equal(line.argv[1], "a.csv");
    assert_string_equal(line.argv[2], "--json");
    assert_string_equal(line.argv[3], "--");
    assert_string_equal(line.argv[4], "--loops");
    assert_null(line.argv[5]);
    assert_int_equal(s.loops, 2);
    assert_true(s.insecure);
    assert_int_equal(s.memory_limit_bytes, 4ULL << 30);
    assert_int_equal(s.interval_ms, 15 * 60 * 1000);
}

static void flags_win_over_environment_over_file(void **state)
{
    (void)state;
    struct settings s;
    struct error err = ERROR_INIT;
    struct tempdir dir;
    char file[512];
    struct line line;
    tempdir_open(&dir);
    snprintf(file, sizeof file, "%s/basketd.conf", dir.path);
    write_file(file,
               "[train]\nneighbours = 10\nmax_length = 3\nmin_lift = 2.5\n[server]\nloops = 4\n");
    setenv("BASKETD_NEIGHBOURS", "20", 1);
    setenv("BASKETD_MAX_LENGTH", "5", 1);
    const char *argv[] = {"train", "--data", dir.path, "--neighbours", "30", NULL};
    assert_int_equal(load(&s, &err, &line, argv), 0);
    assert_int_equal(s.neighbours, 30);
    assert_int_equal(s.max_length, 5);
    assert_true(s.min_lift == 2.5);
    assert_int_equal(s.loops, 4);
    unsetenv("BASKETD_NEIGHBOURS");
    unsetenv("BASKETD_MAX_LENGTH");
    tempdir_close(&dir);
}

struct bad {
    const char *flag, *value, *says;
};

static void what_is_wrong_is_named_with_what_was_expected(void **state)
{
    (void)state;
    static const struct bad bad[] = {
        {"--loops", "0",
         "server.loops (--loops): expected a whole number between 1 and 64, got '0'"},
        {"--loops", "two", "expected a whole number"},
        {"--memory-limit", "4 parsecs", "expected a size such as 64MiB"},
        {"--train-interval", "soon", "expected a duration"},
        {"--min-confidence", "nan", "expected a number"},
        {"--min-confidence", "2", "between 0.0001 and 1"},
        {"--embeddings=perhaps", NULL, "expected true or false"},
        {"--min-support", "0%", "expected a share such as 0.1%"},
        {"--min-support", "101%", "expected a share such as 0.1%"},
        {"--min-support", "0", "expected a share such as 0.1%"},
        {"--log-level", "loud", "expected error, warn, info or debug"},
        {"--listen", "", "expected a text"},
        {"--events-view", "much", "events.view (--events-view): expected a weight and perhaps a"},
        {"--events-view", "0.1 soon", "such as 0.5 30d"},
        {"--events-view", "0.1 14d 3", "such as 0.5 30d"},
        {"--events-cart", "-1 30d", "between 0 and 100, got '-1 30d'"},
        {"--events-view", "nan", "between 0 and 100, got 'nan'"},
        {"--events-view", "inf 14d", "between 0 and 100, got 'inf 14d'"},
        {"--events-view", "1 nan", "such as 0.5 30d"},
        {"--events-view", "1 -3d", "such as 0.5 30d"},
        {"--min-lift", "1e999", "expected a number"},
        {"--max-q", "-inf", "expected a number"},
        {"--loops", NULL, "a value is missing"},
        {"--config", "/nonexistent/file", "/nonexistent/file"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct settings s;
        struct error err = ERROR_INIT;
        const char *argv[] = {"serve", bad[i].flag, bad[i].value, NULL};
        struct line line;
        assert_true(load(&s, &err, &line, argv) < 0);
        if (!strstr(err.text, bad[i].says))
            fail_msg("'%s' does not say '%s'", err.text, bad[i].says);
    }
}

static void unknown_keys_are_errors(void **state)
{
    (void)state;
    struct settings s;
    struct error err = ERROR_INIT;
    struct tempdir dir;
    char file[512];
    struct line line;
    tempdir_open(&dir);
    snprintf(file, sizeof file, "%s/x.conf", dir.path);
    write_file(file, "[train]\nneighbors = 10\n");
    const char *argv[] = {"train", "--config", file, NULL};
    assert_int_equal(load(&s, &err, &line, argv), ERR_INVALID);
    assert_non_null(strstr(err.text, "neighbors"));
    error_clear(&err);
    write_file(file, "[train]\nno equals sign\n");
    const char *again[] = {"train", "--config", file, NULL};
    assert_int_equal(load(&s, &err, &line, again), ERR_INVALID);
    assert_non_null(strstr(err.text, "line 2"));
    error_clear(&err);
    setenv("BASKETD_LOPS", "2", 1);
    const char *plain[] = {"train", NULL};
    assert_int_equal(load(&s, &err, &line, plain), ERR_INVALID);
    assert_non_null(strstr(err.text, "BASKETD_LOPS"));
    unsetenv("BASKETD_LOPS");
    tempdir_close(&dir);
}

static void printing_says_where_each_comes_from(void **state)
{
    (void)state;
    struct settings s;
    struct error err = ERROR_INIT;
    const char *argv[] = {"config", "--neighbours", "7", NULL};
    struct line line;
    struct buf out;
    buf_init(&out, 0);
    assert_int_equal(load(&s, &err, &line, argv), 0);
    settings_print(&s, &out, false);
    assert_non_null(strstr(buf_cstr(&out), "neighbours = 7 ; flag\n"));
    assert_non_null(strstr(buf_cstr(&out), "interval = 86400s ; default\n"));
    buf_clear(&out);
    settings_print(&s, &out, true);
    assert_non_null(strstr(buf_cstr(&out), "\"train.neighbours\":{\"value\":7,\"from\":\"flag\"}"));
    buf_clear(&out);
    settings_help(&out, "models");
    assert_non_null(strstr(buf_cstr(&out), "--models-keep VALUE"));
    buf_deinit(&out);
}

static void what_is_printed_as_a_file_reads_back(void **state)
{
    (void)state;
    struct settings first, second;
    struct error err = ERROR_INIT;
    struct tempdir dir;
    char file[512];
    struct line line;
    struct buf out;
    buf_init(&out, 0);
    tempdir_open(&dir);
    snprintf(file, sizeof file, "%s/x.conf", dir.path);
    const char *argv[] = {"config",  "--train-interval",
                          "90m",     "--memory-limit",
                          "1GiB",    "--min-support",
                          "0.5%",    "--events-wish",
                          "0.7 36h", NULL};
    assert_int_equal(load(&first, &err, &line, argv), 0);
    settings_print(&first, &out, false);
    write_file(file, buf_cstr(&out));
    const char *again[] = {"config", "--config", file, NULL};
    if (load(&second, &err, &line, again) != 0)
        fail_msg("%s", err.text);
    memset(first.origin, 0, sizeof first.origin);
    memset(second.origin, 0, sizeof second.origin);
    assert_memory_equal(&first, &second, sizeof first);
    buf_deinit(&out);
    tempdir_close(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_table),
        cmocka_unit_test(event_weights_have_a_weight_and_a_half_life),
        cmocka_unit_test(flags_are_taken_out_and_others_left),
        cmocka_unit_test(flags_win_over_environment_over_file),
        cmocka_unit_test(what_is_wrong_is_named_with_what_was_expected),
        cmocka_unit_test(unknown_keys_are_errors),
        cmocka_unit_test(printing_says_where_each_comes_from),
        cmocka_unit_test(what_is_printed_as_a_file_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

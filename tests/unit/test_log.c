/* Log lines as they arrive on stderr: one line each, whatever is in it and whoever else writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char captured[4 << 20];
static FILE *file;
static int stderr_copy;

static void capture(void)
{
    file = tmpfile();
    assert_non_null(file);
    stderr_copy = dup(STDERR_FILENO);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
}

static struct str release(void)
{
    dup2(stderr_copy, STDERR_FILENO);
    close(stderr_copy);
    rewind(file);
    size_t length = fread(captured, 1, sizeof captured - 1, file);
    captured[length] = '\0';
    fclose(file);
    return (struct str){captured, length};
}

static int set_up(void **state)
{
    (void)state;
    clock_set_for_test(1767323045678);
    log_set_level(LOG_LEVEL_INFO);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    clock_set_for_test(0);
    log_set_level(LOG_LEVEL_INFO);
    return 0;
}

static void a_line_has_time_level_event_and_fields(void **state)
{
    (void)state;
    capture();
    log_info("train.done", "job=%d rules=%u", 17, 1203u);
    log_error("store.full", "%s", "");
    log_warn("x", "a=%s ", "b  ");
    release();
    assert_string_equal(
        captured, "ts=2026-01-02T03:04:05.678Z level=info event=train.done job=17 rules=1203\n"
                  "ts=2026-01-02T03:04:05.678Z level=error event=store.full\n"
                  "ts=2026-01-02T03:04:05.678Z level=warn event=x a=b\n");
}

static void only_levels_asked_for_are_written(void **state)
{
    (void)state;
    for (int shown = LOG_LEVEL_ERROR; shown <= LOG_LEVEL_DEBUG; shown++) {
        capture();
        log_set_level((enum log_level)shown);
        log_error("e", "n=%d", 0);
        log_warn("e", "n=%d", 1);
        log_info("e", "n=%d", 2);
        log_debug("e", "n=%d", 3);
        struct str all = release();
        int lines = 0;
        for (size_t i = 0; i < all.len; i++)
            lines += all.ptr[i] == '\n';
        assert_int_equal(lines, shown + 1);
    }
}

static void level_names_are_exact(void **state)
{
    (void)state;
    static const char *const names[] = {"error", "warn", "info", "debug"};
    enum log_level level = LOG_LEVEL_ERROR;
    for (int i = 0; i < 4; i++) {
        assert_true(log_level_parse(str_of(names[i]), &level));
        assert_int_equal(level, i);
    }
    assert_false(log_level_parse(STR("INFO"), &level));
    assert_false(log_level_parse(STR("inf"), &level));
    assert_false(log_level_parse(STR(""), &level));
    assert_int_equal(level, LOG_LEVEL_DEBUG);
}

static void text_cannot_begin_a_line_of_its_own(void **state)
{
    (void)state;
    capture();
    log_info("x", "a=%s", "1\nts=0 level=error\r\x1b[2J\x7f");
    release();
    assert_string_equal(captured, "ts=2026-01-02T03:04:05.678Z level=info event=x a=1 ts=0 "
                                  "level=error  [2J\n");
}

static void a_line_too_long_is_cut_and_ended(void **state)
{
    (void)state;
    static char text[10000];
    memset(text, 'x', sizeof text - 1);
    capture();
    log_info("long", "text=%s", text);
    log_info("next", "n=%d", 1);
    struct str all = release(), first = str_cut(&all, '\n');
    assert_in_range(first.len, 1000, 4095);
    assert_true(str_starts(all, STR("ts=2026-01-02T03:04:05.678Z level=info event=next n=1\n")));
}

static void quoted_text_stays_in_its_quotes(void **state)
{
    (void)state;
    struct log_quoted room = {{0}};
    assert_string_equal(log_text("plain", &room), "\"plain\"");
    assert_string_equal(log_text("", &room), "\"\"");
    assert_string_equal(log_text(NULL, &room), "\"\"");
    assert_string_equal(log_text("say \"hi\" \\ there\n", &room), "\"say \\\"hi\\\" \\\\ there \"");
    static char text[1000];
    static const char fills[] = {'x', '"', '\\'};
    for (size_t i = 0; i < 3; i++) {
        memset(text, fills[i], sizeof text - 1);
        size_t length = strlen(log_text(text, &room));
        assert_in_range(length, 300, sizeof room.text - 1);
        assert_int_equal(room.text[length - 1], '"');
        size_t slashes = 0; /* the last quote is not an escaped one */
        while (room.text[length - 2 - slashes] == '\\')
            slashes++;
        assert_int_equal(slashes % 2, 0);
    }
}

#define LINES 500

static void *write_lines(void *name)
{
    char text[300];
    memset(text, *(char *)name, sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (int i = 0; i < LINES; i++)
        log_info("thread", "n=%d text=%s", i, text);
    return NULL;
}

static void lines_of_many_threads_do_not_mix(void **state)
{
    (void)state;
    char names[] = "abcd";
    pthread_t threads[4];
    capture();
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &names[i]), 0);
    for (int i = 0; i < 50; i++)
        log_set_level(LOG_LEVEL_INFO); /* while others read it */
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    struct str all = release();
    int lines = 0, next[4] = {0};
    while (all.len > 0) {
        struct str line = str_cut(&all, '\n');
        char name = line.ptr[line.len - 1], want[512];
        assert_in_range(name, 'a', 'd');
        int length = snprintf(
            want, sizeof want,
            "ts=2026-01-02T03:04:05.678Z level=info event=thread n=%d text=", next[name - 'a']++);
        memset(want + length, name, 299);
        assert_true(str_eq(line, (struct str){want, (size_t)length + 299}));
        lines++;
    }
    assert_int_equal(lines, 4 * LINES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_has_time_level_event_and_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_levels_asked_for_are_written, set_up, tear_down),
        cmocka_unit_test(level_names_are_exact),
        cmocka_unit_test_setup_teardown(text_cannot_begin_a_line_of_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_too_long_is_cut_and_ended, set_up, tear_down),
        cmocka_unit_test(quoted_text_stays_in_its_quotes),
        cmocka_unit_test_setup_teardown(lines_of_many_threads_do_not_mix, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

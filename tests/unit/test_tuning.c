#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "eval/fit.h"
#include "service/tuning.h"
#include "support/tempdir.h"

#include <stdio.h>
#include <string.h>

#define ITEMS 60

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

static void write_tuned(const char *text)
{
    FILE *file = fopen(tempdir_file(&dir, "tuned.json"), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void without_a_file_the_menu_is_the_usual_one(void **state)
{
    struct recipe menu, usual;
    (void)state;
    recipe_menu(&usual, ITEMS);
    assert_int_equal(tuning_menu(dir.path, ITEMS, &menu, NULL), 0);
    assert_memory_equal(menu.mixes, usual.mixes, sizeof usual.mixes);
    assert_int_equal(menu.ingredient_count, usual.ingredient_count);
}

static void a_surface_that_was_tuned_has_its_draw(void **state)
{
    struct recipe menu, usual, draw;
    char text[100];
    (void)state;
    recipe_menu(&usual, ITEMS);
    tune_menu(1, 3, ITEMS, &draw);
    snprintf(text, sizeof text, "{\"basket\":{\"space\":%d,\"seed\":1,\"draw\":3}}", TUNE_SPACE);
    write_tuned(text);
    assert_int_equal(tuning_menu(dir.path, ITEMS, &menu, NULL), 0);
    assert_memory_equal(&menu.mixes[MIX_BASKET], &draw.mixes[MIX_BASKET], sizeof *menu.mixes);
    assert_memory_equal(&menu.mixes[MIX_PERSONAL], &usual.mixes[MIX_PERSONAL], sizeof *menu.mixes);
}

static void another_versions_draw_counts_as_none(void **state)
{
    struct recipe menu, usual;
    char text[100];
    (void)state;
    recipe_menu(&usual, ITEMS);
    snprintf(text, sizeof text, "{\"basket\":{\"space\":%d,\"seed\":1,\"draw\":3}}",
             TUNE_SPACE + 1);
    write_tuned(text);
    assert_int_equal(tuning_menu(dir.path, ITEMS, &menu, NULL), 0);
    assert_memory_equal(menu.mixes, usual.mixes, sizeof usual.mixes);
}

static void what_is_wrong_with_the_file_is_told(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {{"[]", "not an object"},
                 {"{", "line"},
                 {"{\"basket\":{\"seed\":\"x\"}}", "basket.seed"},
                 {"{\"basket\":{\"seed\":1,\"draw\":-1}}", "basket.draw"},
                 {"{\"basket\":{\"seed\":1,\"draw\":1.5}}", "basket.draw"},
                 {"{\"basket\":{\"seed\":1,\"draw\":NaN}}", "line 1"},
                 {"{\"basket\":{\"seed\":1e999}}", "line 1"},
                 {"{\"personal\":{\"seed\":1,\"draw\":1}}", "personal.space"},
                 {"{\"baskett\":{}}", "'baskett' is no"}};
    (void)state;
    for (size_t x = 0; x < sizeof cases / sizeof *cases; x++) {
        struct recipe menu;
        struct error err = ERROR_INIT;
        write_tuned(cases[x].text);
        assert_int_equal(tuning_menu(dir.path, ITEMS, &menu, &err), ERR_INVALID);
        assert_non_null(strstr(err.text, "tuned.json"));
        assert_non_null(strstr(err.text, cases[x].says));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(without_a_file_the_menu_is_the_usual_one),
        T(a_surface_that_was_tuned_has_its_draw),
        T(another_versions_draw_counts_as_none),
        T(what_is_wrong_with_the_file_is_told),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

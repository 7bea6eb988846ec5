/* Every directory of tests/data/ingest is a case: `input`, `options` (may be absent) and the
 * `expected` transcript. Pieces of every size must give the same. BASKETD_WRITE_EXPECTED=1 writes
 * the expected files anew; look at the difference before keeping it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/transcript.h"

#define CASES "tests/data/ingest"
enum { NAME_MAX_BYTES = 128, MAPS_MAX = 8 };
static const int64_t NOW_MS = 1767323045000; /* 2026-01-02T03:04:05Z */

static struct buf read_file(const char *name, const char *file)
{
    char path[512];
    struct buf b;
    buf_init(&b, 0);
    snprintf(path, sizeof path, CASES "/%s/%s", name, file);
    FILE *f = fopen(path, "rb");
    if (!f)
        return b;
    size_t got;
    char block[4096];
    while ((got = fread(block, 1, sizeof block, f)) > 0)
        buf_add(&b, block, got);
    fclose(f);
    assert_false(b.failed);
    return b;
}

static void write_file(const char *name, const char *file, const struct buf *b)
{
    char path[512];
    snprintf(path, sizeof path, CASES "/%s/%s", name, file);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b->ptr, 1, b->len, f), b->len);
    assert_int_equal(fclose(f), 0);
}

/* Lines "name=value": format, source, include, exclude, map (repeated). */
static void parse_options(char *text, struct reader_options *o, const char **maps)
{
    size_t map_count = 0;
    for (char *line = text, *next; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        char *value = strchr(line, '=');
        assert_non_null(value);
        *value++ = '\0';
        if (strcmp(line, "format") == 0)
            assert_true(reader_format_parse(str_of(value), &o->format));
        else if (strcmp(line, "source") == 0)
            o->source = value;
        else if (strcmp(line, "include") == 0)
            o->include_items = value;
        else if (strcmp(line, "exclude") == 0)
            o->exclude_items = value;
        else if (strcmp(line, "map") == 0 && map_count < MAPS_MAX)
            maps[map_count++] = value;
        else
            fail_msg("unknown option '%s'", line);
    }
    o->maps = maps;
}

static void run_case(const char *name)
{
    static const size_t pieces[] = {0, 1, 7, 4096};
    const char *maps[MAPS_MAX + 1] = {0};
    struct reader_options options = {.now_ms = NOW_MS};
    struct buf input = read_file(name, "input"), expected = read_file(name, "expected");
    struct buf options_text = read_file(name, "options");
    buf_cstr(&options_text);
    parse_options(options_text.ptr, &options, maps);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct buf out;
        buf_init(&out, 0);
        transcript_run(&out, &options, (struct str){input.ptr, input.len}, pieces[i]);
        assert_non_null(buf_cstr(&out));
        if (i == 0 && getenv("BASKETD_WRITE_EXPECTED")) {
            write_file(name, "expected", &out);
            buf_deinit(&expected);
            expected = read_file(name, "expected");
        }
        buf_cstr(&expected);
        if (strcmp(out.ptr, expected.ptr) != 0)
            fail_msg("case %s, pieces of %zu:\n--- expected\n%s--- got\n%s", name, pieces[i],
                     expected.ptr, out.ptr);
        buf_deinit(&out);
    }
    buf_deinit(&input);
    buf_deinit(&expected);
    buf_deinit(&options_text);
}

static void every_case_gives_what_it_expects_in_pieces_of_every_size(void **state)
{
    (void)state;
    DIR *d = opendir(CASES);
    assert_non_null(d);
    unsigned count = 0;
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        run_case(e->d_name);
        count++;
    }
    closedir(d);
    assert_true(count > 0);
    print_message("%u cases\n", count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_gives_what_it_expects_in_pieces_of_every_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

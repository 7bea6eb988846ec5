#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "ingest/csv.h"
#include "support/oom.h"

#include <string.h>

/* "LINE:<cell><cell>;" or "LINE!problem;" per row. */
static int take(void *context, const struct csv_row *row, struct error *err)
{
    struct buf *out = context;
    buf_u64(out, row->line);
    buf_char(out, row->problem ? '!' : ':');
    if (row->problem)
        buf_u64(out, row->problem);
    for (unsigned i = 0; i < row->count; i++) {
        buf_char(out, '<');
        buf_str(out, row->cells[i]);
        buf_char(out, '>');
    }
    buf_char(out, ';');
    return out->failed ? error_set(err, ERR_NOMEM, "log: out of memory") : 0;
}

static int read_rows(struct buf *out, struct str text, size_t piece, struct error *err)
{
    struct csv c;
    int rc = 0;
    csv_init(&c, take, out);
    while (rc == 0 && text.len > 0) {
        size_t len = piece < text.len ? piece : text.len;
        rc = csv_push(&c, (struct str){text.ptr, len}, err);
        text = (struct str){text.ptr + len, text.len - len};
    }
    if (rc == 0)
        rc = csv_finish(&c, err);
    csv_deinit(&c);
    csv_deinit(&c);
    return rc;
}

static void expect(struct str text, const char *expected)
{
    static const size_t pieces[] = {1, 2, 3, 7, 4096, SIZE_MAX};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct buf out;
        buf_init(&out, 0);
        assert_int_equal(read_rows(&out, text, pieces[i], NULL), 0);
        assert_string_equal(buf_cstr(&out), expected);
        buf_deinit(&out);
    }
}

static void rows_end_with_lf_or_crlf_and_the_last_may_end_without(void **state)
{
    (void)state;
    expect(STR(""), "");
    expect(STR("a"), "1:<a>;");
    expect(STR("a,b\nc,d\n"), "1:<a><b>;2:<c><d>;");
    expect(STR("a,b\r\nc,d\r\n"), "1:<a><b>;2:<c><d>;");
    expect(STR("a,b\r\nc,"), "1:<a><b>;2:<c><>;");
    expect(STR("a,b\n,\r\n"), "1:<a><b>;2:<><>;");
    expect(STR("a,\rb\n"), "1:<a><\rb>;");
    expect(STR("a,b\r"), "1:<a><b>;");
}

static void blank_lines_are_skipped_and_counted_as_lines(void **state)
{
    (void)state;
    expect(STR("a,b\n\n\r\nc,d\n\n"), "1:<a><b>;4:<c><d>;");
    expect(STR("a\n\"\"\nb"), "1:<a>;2:<>;3:<b>;"); /* an empty quoted cell is a row */
}

static void quoted_cells_hold_separators_line_ends_and_doubled_quotes(void **state)
{
    (void)state;
    expect(STR("a,b\n\"x,y\",\"1\r\n2\n\"\nz,\"say \"\"hi\"\"\"\r\n"),
           "1:<a><b>;2:<x,y><1\r\n2\n>;5:<z><say \"hi\">;");
    expect(STR("a,b\n\"\"\"\",\"\"\n"), "1:<a><b>;2:<\"><>;");
    expect(STR("a,b\nx,\"end\""), "1:<a><b>;2:<x><end>;");
    expect(STR("a,b\nx,\"end\"\r"), "1:<a><b>;2:<x><end>;");
}

static void a_quote_inside_an_unquoted_cell_is_a_byte(void **state)
{
    (void)state;
    expect(STR("a,b\n12\" RULER, \"x\"\n"), "1:<a><b>;2:<12\" RULER>< \"x\">;");
}

static void the_separator_is_the_commonest_in_the_first_row(void **state)
{
    (void)state;
    expect(STR("a;b\nc,d;e\n"), "1:<a><b>;2:<c,d><e>;");
    expect(STR("a\tb,c\td\n1\t2,3\t4\n"), "1:<a><b,c><d>;2:<1><2,3><4>;");
    expect(STR("\"a,b,c\";d\n1;2\n"), "1:<a,b,c><d>;2:<1><2>;");
    expect(STR("a;b"), "1:<a><b>;");
    expect(STR("one\n1,2\n"), "1:<one>;2:<1><2>;");
}

static void a_faulty_row_is_reported_and_the_next_line_is_read(void **state)
{
    (void)state;
    expect(STR("a,b\n\"x\"y,\"z\n1,2\n"), "1:<a><b>;2!3;3:<1><2>;");
    expect(STR("a,b\n\"x\"\ry,z\n1,2\n"), "1:<a><b>;2!3;3:<1><2>;");
    expect(STR("a,b\n1,\"x\n2,y\n"), "1:<a><b>;2!4;");
}

static void rows_have_at_most_256_cells(void **state)
{
    (void)state;
    struct buf text, expected;
    buf_init(&text, 0);
    buf_init(&expected, 0);
    buf_text(&text, "a,b\n");
    for (int i = 0; i < LIMIT_CSV_COLUMNS; i++)
        buf_text(&text, i > 0 ? ",x" : "x");
    buf_text(&text, "\n");
    for (int i = 0; i < LIMIT_CSV_COLUMNS; i++)
        buf_text(&text, "x,");
    buf_text(&text, "x\n1,2\n");
    buf_text(&expected, "1:<a><b>;2:");
    for (int i = 0; i < LIMIT_CSV_COLUMNS; i++)
        buf_text(&expected, "<x>");
    buf_text(&expected, ";3!2;4:<1><2>;");
    expect((struct str){text.ptr, text.len}, buf_cstr(&expected));
    buf_deinit(&text);
    buf_deinit(&expected);
}

static void a_row_beyond_a_mebibyte_is_reported_and_skipped(void **state)
{
    (void)state;
    for (int quoted = 0; quoted < 2; quoted++) {
        for (int over = 0; over < 2; over++) {
            struct buf text, out;
            buf_init(&text, 0);
            buf_init(&out, 0);
            buf_text(&text, quoted ? "a,b\n\"" : "a,b\n");
            for (unsigned i = 0; i < LIMIT_CSV_ROW_BYTES + (unsigned)over; i++)
                buf_char(&text, quoted && i % 64 == 0 ? '\n' : 'x');
            buf_text(&text, quoted ? "\"\r\n1,2\n" : "\r\n1,2\n");
            for (size_t piece = 1000; piece < SIZE_MAX / 4096; piece *= 4096) {
                buf_clear(&out);
                assert_int_equal(read_rows(&out, (struct str){text.ptr, text.len}, piece, NULL), 0);
                buf_cstr(&out);
                const char *last = strrchr(out.ptr, '<');
                assert_string_equal(last, "<2>;");
                assert_int_equal(strstr(out.ptr, ";2!1;") != NULL, over);
            }
            buf_deinit(&text);
            buf_deinit(&out);
        }
    }
}

/* The plain version: one state machine over bytes, no buffers. */
static void reference(struct buf *out, struct str text)
{
    uint64_t line = 1;
    size_t at = 0;
    while (at < text.len) {
        struct buf row;
        uint64_t row_line = line;
        unsigned problem = 0, cells = 0;
        bool blank = true, ended = false;
        buf_init(&row, 0);
        while (!ended && !problem) {
            struct buf cell;
            bool quoted = at < text.len && text.ptr[at] == '"';
            buf_init(&cell, 0);
            if (quoted) {
                for (at++;; at++) {
                    if (at == text.len) {
                        problem = CSV_NOT_CLOSED;
                        break;
                    }
                    line += text.ptr[at] == '\n';
                    if (text.ptr[at] == '"' && (at + 1 == text.len || text.ptr[at + 1] != '"'))
                        break;
                    at += text.ptr[at] == '"';
                    buf_char(&cell, text.ptr[at]);
                }
                at += !problem;
                bool cr = at < text.len && text.ptr[at] == '\r' &&
                          (at + 1 == text.len || text.ptr[at + 1] == '\n');
                at += cr;
                if (!problem && at < text.len && text.ptr[at] != ',' && text.ptr[at] != '\n')
                    problem = CSV_AFTER_QUOTE;
            } else {
                while (at < text.len && text.ptr[at] != ',' && text.ptr[at] != '\n')
                    buf_char(&cell, text.ptr[at++]);
                if ((at == text.len || text.ptr[at] == '\n') && cell.len > 0 &&
                    cell.ptr[cell.len - 1] == '\r')
                    cell.len--;
            }
            ended = at == text.len || text.ptr[at] == '\n';
            blank = blank && ended && cells == 0 && !quoted && cell.len == 0;
            buf_char(&row, '<');
            buf_add(&row, cell.ptr, cell.len);
            buf_char(&row, '>');
            cells++;
            buf_deinit(&cell);
            if (!ended && !problem)
                at++;
        }
        if (problem)
            while (at < text.len && text.ptr[at] != '\n')
                at++;
        if (problem || !blank) {
            buf_u64(out, row_line);
            buf_char(out, problem ? '!' : ':');
            if (problem)
                buf_u64(out, problem);
            else
                buf_add(out, row.ptr, row.len);
            buf_char(out, ';');
        }
        at++;
        line++;
        buf_deinit(&row);
    }
}

static void random_bytes_in_random_pieces_equal_the_plain_version(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 9);
    for (int round = 0; round < 20000; round++) {
        char text[80] = "h,h\n";
        struct buf got, expected;
        size_t len = 4 + rng_below(&rng, sizeof text - 4);
        uint32_t variety = 6 + rng_below(&rng, 10);
        for (size_t i = 4; i < len; i++)
            text[i] = "\"\n,\r\"axaxbcdefghi"[rng_below(&rng, variety)];
        buf_init(&got, 0);
        buf_init(&expected, 0);
        struct str input = {text, len};
        size_t piece = 1 + rng_below(&rng, 60);
        assert_int_equal(read_rows(&got, input, piece, NULL), 0);
        reference(&expected, input);
        if (strcmp(buf_cstr(&got), buf_cstr(&expected)) != 0)
            fail_msg("pieces of %zu, text '%.*s': '%s' instead of '%s'", piece, (int)len, text,
                     got.ptr, expected.ptr);
        buf_deinit(&got);
        buf_deinit(&expected);
    }
}

static int stop(void *context, const struct csv_row *row, struct error *err)
{
    (void)context;
    return row->line == 2 ? error_set(err, ERR_LIMIT, "enough") : 0;
}

static void a_stop_of_the_taker_comes_back(void **state)
{
    (void)state;
    for (int gathered = 0; gathered < 2; gathered++) {
        struct csv c;
        struct error err = ERROR_INIT;
        csv_init(&c, stop, NULL);
        assert_int_equal(csv_push(&c, STR("a,b\n"), &err), 0);
        int rc = gathered ? csv_push(&c, STR("1,"), &err) : 0;
        assert_int_equal(rc, 0);
        assert_int_equal(csv_push(&c, STR("2\n3,4\n"), &err), ERR_LIMIT);
        csv_deinit(&c);
    }
}

static int stop_at_once(void *context, const struct csv_row *row, struct error *err)
{
    (void)row;
    ++*(int *)context;
    return error_set(err, ERR_LIMIT, "enough");
}

static void a_stop_at_the_end_of_the_input_comes_back_too(void **state)
{
    (void)state;
    static const char *const inputs[] = {"a,b\n", "a,\"b\"", "a,\"b", "a,b"};
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        struct csv c;
        int calls = 0;
        csv_init(&c, stop_at_once, &calls);
        int rc = csv_push(&c, str_of(inputs[i]), NULL);
        if (rc == 0)
            rc = csv_finish(&c, NULL);
        assert_int_equal(rc, ERR_LIMIT);
        assert_int_equal(calls, 1);
        csv_deinit(&c);
    }
}

static void running_out_of_memory_is_an_error(void **state)
{
    (void)state;
    OOM_LOOP
    {
        struct buf out;
        struct error err = ERROR_INIT;
        buf_init(&out, 0);
        int rc = read_rows(&out, STR("a,b\nlonger cell,\"and another\"\n"), 9, &err);
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
        buf_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_end_with_lf_or_crlf_and_the_last_may_end_without),
        cmocka_unit_test(blank_lines_are_skipped_and_counted_as_lines),
        cmocka_unit_test(quoted_cells_hold_separators_line_ends_and_doubled_quotes),
        cmocka_unit_test(a_quote_inside_an_unquoted_cell_is_a_byte),
        cmocka_unit_test(the_separator_is_the_commonest_in_the_first_row),
        cmocka_unit_test(a_faulty_row_is_reported_and_the_next_line_is_read),
        cmocka_unit_test(rows_have_at_most_256_cells),
        cmocka_unit_test(a_row_beyond_a_mebibyte_is_reported_and_skipped),
        cmocka_unit_test(random_bytes_in_random_pieces_equal_the_plain_version),
        cmocka_unit_test(a_stop_of_the_taker_comes_back),
        cmocka_unit_test(a_stop_at_the_end_of_the_input_comes_back_too),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

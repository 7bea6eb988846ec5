#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "ingest/linesplit.h"
#include "support/oom.h"
#include "support/splitlog.h"

#include <string.h>

static int split(struct buf *out, size_t max, struct str text, size_t piece, struct error *err)
{
    struct linesplit l;
    int rc = 0;
    linesplit_init(&l, max, splitlog_take, out);
    while (rc == 0 && text.len > 0) {
        size_t len = piece < text.len ? piece : text.len;
        rc = linesplit_push(&l, (struct str){text.ptr, len}, err);
        text = (struct str){text.ptr + len, text.len - len};
    }
    if (rc == 0)
        rc = linesplit_finish(&l, err);
    linesplit_deinit(&l);
    linesplit_deinit(&l);
    return rc;
}

static void expect(size_t max, const char *text, const char *expected)
{
    static const size_t pieces[] = {1, 2, 3, 7, 4096};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct buf out;
        buf_init(&out, 0);
        assert_int_equal(split(&out, max, str_of(text), pieces[i], NULL), 0);
        assert_string_equal(buf_cstr(&out), expected);
        buf_deinit(&out);
    }
}

static void lines_end_with_lf_or_crlf_and_the_last_may_end_without(void **state)
{
    (void)state;
    expect(100, "", "");
    expect(100, "a", "1:a|");
    expect(100, "a\n", "1:a|");
    expect(100, "a\r\nb\n\nc", "1:a|2:b|3:|4:c|");
    expect(100, "\r\n\r\r\n\n", "1:|2:\r|3:|");
    expect(100, "a\rb\nc\r", "1:a\rb|2:c|");
}

static void a_line_longer_than_the_maximum_is_skipped_and_reported_once(void **state)
{
    (void)state;
    expect(3, "abc\nabcd\nab\n", "1:abc|2!|3:ab|");
    expect(3, "abc\r\nabcdefghijklmnop\r\nab\r\n", "1:abc|2!|3:ab|");
    expect(3, "abcdefgh", "1!|");
    expect(3, "\nabcd\r\nabcde", "1:|2!|3!|");
}

/* The plain version: everything in memory. */
static void reference(struct buf *out, struct str text)
{
    for (uint64_t number = 1; text.ptr && text.len > 0; number++) {
        struct str line = str_cut(&text, '\n');
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        assert_int_equal(splitlog_take(out, line.len > 9 ? STR_NONE : line, number, NULL), 0);
    }
}

static void random_text_in_random_pieces_equals_the_plain_version(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 7);
    for (int round = 0; round < 3000; round++) {
        char text[64];
        struct buf got, expected;
        size_t len = rng_below(&rng, sizeof text);
        for (size_t i = 0; i < len; i++)
            text[i] = "ab\r\n"[rng_below(&rng, 4)];
        if (rng_below(&rng, 2))
            for (size_t i = 0; i < len; i++)
                text[i] = rng_below(&rng, 12) ? 'x' : text[i];
        buf_init(&got, 0);
        buf_init(&expected, 0);
        struct str input = {text, len};
        assert_int_equal(split(&got, 9, input, 1 + rng_below(&rng, 20), NULL), 0);
        reference(&expected, input);
        assert_string_equal(buf_cstr(&got), buf_cstr(&expected));
        buf_deinit(&got);
        buf_deinit(&expected);
    }
}

static int stop(void *context, struct str text, uint64_t number, struct error *err)
{
    (void)text;
    *(uint64_t *)context = number;
    return number == 2 ? error_set(err, ERR_LIMIT, "enough") : 0;
}

static void a_stop_of_the_taker_comes_back_and_ends_the_splitting(void **state)
{
    (void)state;
    uint64_t last = 0;
    struct linesplit l;
    struct error err = ERROR_INIT;
    linesplit_init(&l, 10, stop, &last);
    assert_int_equal(linesplit_push(&l, STR("a\nb\nc\n"), &err), ERR_LIMIT);
    assert_int_equal(last, 2);
    assert_string_equal(err.text, "enough");
    linesplit_deinit(&l);
}

static void running_out_of_memory_is_an_error(void **state)
{
    (void)state;
    OOM_LOOP
    {
        struct buf out;
        struct error err = ERROR_INIT;
        buf_init(&out, 0);
        int rc = split(&out, 100000, STR("a long line that has to be gathered\nb\n"), 5, &err);
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
        buf_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_end_with_lf_or_crlf_and_the_last_may_end_without),
        cmocka_unit_test(a_line_longer_than_the_maximum_is_skipped_and_reported_once),
        cmocka_unit_test(random_text_in_random_pieces_equals_the_plain_version),
        cmocka_unit_test(a_stop_of_the_taker_comes_back_and_ends_the_splitting),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

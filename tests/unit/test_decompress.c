#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "ingest/decompress.h"
#include "support/compressed.h"
#include "support/oom.h"

#include <stdlib.h>
#include <string.h>

static int collect(void *context, struct str bytes, struct error *err)
{
    struct buf *out = context;
    buf_str(out, bytes);
    return out->failed ? error_set(err, ERR_NOMEM, "collect: out of memory") : 0;
}

static int count_bytes(void *context, struct str bytes, struct error *err)
{
    (void)err;
    *(uint64_t *)context += bytes.len;
    return 0;
}

/* Feeds all in pieces; *used: bytes fed until the end or the failure. */
static int run(const struct decompress_options *options, struct str input, size_t piece,
               size_t *used, struct error *err)
{
    struct decompress *d = decompress_new(options, err);
    if (!d)
        return ERR_NOMEM;
    int rc = 0;
    *used = 0;
    while (rc == 0 && *used < input.len) {
        size_t len = piece < input.len - *used ? piece : input.len - *used;
        rc = decompress_feed(d, (struct str){input.ptr + *used, len}, err);
        *used += len;
    }
    if (rc == 0)
        rc = decompress_finish(d, err);
    decompress_free(d);
    return rc;
}

static struct str text_of(const struct buf *b)
{
    return (struct str){b->ptr, b->len};
}

/* `input` gives `expected` in pieces of every size; error NULL, or the message. */
static void expect(enum reader_coding coding, struct str input, struct str expected,
                   const char *error)
{
    static const size_t pieces[] = {1, 7, 4096, SIZE_MAX};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct buf out;
        size_t used;
        struct error err = ERROR_INIT;
        buf_init(&out, 0);
        struct decompress_options o = {.coding = coding, .out = collect, .context = &out};
        int rc = run(&o, input, pieces[i], &used, &err);
        assert_string_equal(err.text, error ? error : "");
        assert_int_equal(rc, error ? ERR_INVALID : 0);
        if (!error)
            assert_true(str_eq(text_of(&out), expected));
        buf_deinit(&out);
    }
}

/* Text that compresses a little. */
static void make_text(struct buf *out, size_t len)
{
    struct rng rng;
    rng_seed(&rng, 5);
    buf_init(out, 0);
    while (out->len < len)
        buf_printf(out, "%u,sku-%u\n", rng_below(&rng, 1000000), rng_below(&rng, 5000));
}

static void bytes_without_a_magic_pass_untouched(void **state)
{
    (void)state;
    expect(CODING_AUTO, STR(""), STR(""), NULL);
    expect(CODING_AUTO, STR("a"), STR("a"), NULL);
    expect(CODING_AUTO, STR("abc"), STR("abc"), NULL);
    expect(CODING_AUTO, STR("hello, world"), STR("hello, world"), NULL);
    expect(CODING_AUTO, STR("\x1f"), STR("\x1f"), NULL);
    expect(CODING_IDENTITY, STR("\x1f\x8bx"), STR("\x1f\x8bx"), NULL);
}

static void gzip_members_and_zstd_frames_in_a_row_are_one_stream(void **state)
{
    (void)state;
    struct buf text, twice, gz, zst;
    make_text(&text, 100000);
    buf_init(&twice, 0);
    buf_init(&gz, 0);
    buf_init(&zst, 0);
    buf_str(&twice, text_of(&text));
    buf_str(&twice, text_of(&text));
    compressed_gzip(&gz, text_of(&text));
    compressed_zstd(&zst, text_of(&text), 0);
    expect(CODING_AUTO, text_of(&gz), text_of(&text), NULL);
    expect(CODING_AUTO, text_of(&zst), text_of(&text), NULL);
    expect(CODING_GZIP, text_of(&gz), text_of(&text), NULL);
    expect(CODING_ZSTD, text_of(&zst), text_of(&text), NULL);
    compressed_gzip(&gz, text_of(&text));
    buf_add(&gz, "\0\0\0\0\0\0\0", 7);
    buf_add(&zst, "\x52\x2a\x4d\x18\x03\0\0\0abc", 11); /* a skippable frame between two */
    compressed_zstd(&zst, text_of(&text), 0);
    expect(CODING_AUTO, text_of(&gz), text_of(&twice), NULL);
    expect(CODING_AUTO, text_of(&zst), text_of(&twice), NULL);
    buf_deinit(&text);
    buf_deinit(&twice);
    buf_deinit(&gz);
    buf_deinit(&zst);
}

static void a_stream_that_is_cut_or_followed_by_other_bytes_is_refused(void **state)
{
    (void)state;
    struct buf gz, zst;
    buf_init(&gz, 0);
    buf_init(&zst, 0);
    compressed_gzip(&gz, STR("hello, world"));
    compressed_zstd(&zst, STR("hello, world"), 0);
    expect(CODING_GZIP, STR(""), STR(""), "gzip: ends in the middle");
    expect(CODING_ZSTD, STR(""), STR(""), "zstd: ends in the middle");
    for (size_t cut = 4; cut < gz.len; cut++)
        expect(CODING_AUTO, (struct str){gz.ptr, cut}, STR(""), "gzip: ends in the middle");
    for (size_t cut = 4; cut < zst.len; cut++)
        expect(CODING_AUTO, (struct str){zst.ptr, cut}, STR(""), "zstd: ends in the middle");
    expect(CODING_GZIP, STR("hello"), STR(""), "gzip: incorrect header check");
    expect(CODING_ZSTD, STR("hello"), STR(""), "zstd: Unknown frame descriptor");
    buf_text(&gz, "x");
    expect(CODING_AUTO, text_of(&gz), STR(""), "gzip: other bytes follow the compressed ones");
    gz.len--;
    buf_add(&gz, "\0x", 2);
    expect(CODING_AUTO, text_of(&gz), STR(""), "gzip: other bytes follow the compressed ones");
    buf_deinit(&gz);
    buf_deinit(&zst);
}

static void a_flipped_byte_never_gives_other_bytes_silently(void **state)
{
    (void)state;
    struct buf text, gz, out;
    size_t used;
    make_text(&text, 300);
    buf_init(&gz, 0);
    compressed_gzip(&gz, text_of(&text));
    for (size_t i = 10; i < gz.len; i++) { /* the header before has bytes nobody checks */
        buf_init(&out, 0);
        struct decompress_options o = {.coding = CODING_GZIP, .out = collect, .context = &out};
        gz.ptr[i] ^= 0x10;
        int rc = run(&o, text_of(&gz), 64, &used, NULL);
        gz.ptr[i] ^= 0x10;
        assert_true(rc == ERR_INVALID || str_eq(text_of(&out), text_of(&text)));
        buf_deinit(&out);
    }
    buf_deinit(&text);
    buf_deinit(&gz);
}

static void a_bomb_is_refused_in_its_first_megabytes(void **state)
{
    (void)state;
    for (int zstd = 0; zstd < 2; zstd++) {
        struct buf bomb;
        uint64_t bytes = 0;
        size_t used;
        struct error err = ERROR_INIT;
        buf_init(&bomb, 0);
        if (zstd)
            compressed_zstd_zeros(&bomb, 2ull << 30);
        else
            compressed_gzip_zeros(&bomb, 2ull << 30);
        struct decompress_options o = {.out = count_bytes, .context = &bytes};
        assert_int_equal(run(&o, text_of(&bomb), SIZE_MAX, &used, &err), ERR_TOO_LARGE);
        assert_non_null(strstr(err.text, "expands more than 200 times"));
        assert_in_range(bytes, 1, LIMIT_COMPRESSION_GRACE);
        buf_deinit(&bomb);
    }
}

static void small_files_that_compress_well_pass(void **state)
{
    (void)state;
    struct buf gz;
    uint64_t bytes = 0;
    size_t used;
    buf_init(&gz, 0);
    compressed_gzip_zeros(&gz, LIMIT_COMPRESSION_GRACE);
    struct decompress_options o = {.out = count_bytes, .context = &bytes};
    assert_int_equal(run(&o, text_of(&gz), 100, &used, NULL), 0);
    assert_int_equal(bytes, LIMIT_COMPRESSION_GRACE);
    buf_deinit(&gz);
}

static void the_cap_on_bytes_is_exact_to_a_block(void **state)
{
    (void)state;
    struct buf text, gz;
    size_t used;
    struct error err = ERROR_INIT;
    uint64_t bytes = 0;
    make_text(&text, 300000);
    buf_init(&gz, 0);
    compressed_gzip(&gz, text_of(&text));
    struct decompress_options o = {.out = count_bytes, .context = &bytes, .max_bytes = text.len};
    assert_int_equal(run(&o, text_of(&gz), 1000, &used, NULL), 0);
    o.max_bytes--;
    assert_int_equal(run(&o, text_of(&gz), 1000, &used, &err), ERR_TOO_LARGE);
    assert_non_null(strstr(err.text, "when decompressed"));
    buf_deinit(&text);
    buf_deinit(&gz);
}

static void a_zstd_window_beyond_the_limit_is_refused(void **state)
{
    (void)state;
    struct buf text, zst;
    size_t used;
    uint64_t bytes = 0;
    struct error err = ERROR_INIT;
    struct decompress_options o = {.out = count_bytes, .context = &bytes};
    make_text(&text, 10 << 20);
    buf_init(&zst, 0);
    compressed_zstd(&zst, text_of(&text), LIMIT_ZSTD_WINDOW_LOG);
    assert_int_equal(run(&o, text_of(&zst), 4096, &used, NULL), 0);
    assert_int_equal(bytes, text.len);
    buf_clear(&zst);
    compressed_zstd(&zst, text_of(&text), LIMIT_ZSTD_WINDOW_LOG + 1);
    assert_int_equal(run(&o, text_of(&zst), 4096, &used, &err), ERR_TOO_LARGE);
    assert_non_null(strstr(err.text, "window above 8 MiB"));
    buf_deinit(&text);
    buf_deinit(&zst);
}

static int stop(void *context, struct str bytes, struct error *err)
{
    (void)context;
    (void)bytes;
    return error_set(err, ERR_LIMIT, "enough");
}

static void a_stop_of_the_taker_comes_back(void **state)
{
    (void)state;
    struct buf gz;
    size_t used;
    struct error err = ERROR_INIT;
    struct decompress_options o = {.out = stop};
    buf_init(&gz, 0);
    compressed_gzip(&gz, STR("hello"));
    assert_int_equal(run(&o, text_of(&gz), 1000, &used, &err), ERR_LIMIT);
    assert_int_equal(run(&o, STR("plain"), 1000, &used, &err), ERR_LIMIT);
    assert_int_equal(run(&o, STR("p"), 1000, &used, &err), ERR_LIMIT);
    buf_deinit(&gz);
}

static void running_out_of_memory_is_an_error(void **state)
{
    (void)state;
    struct buf gz;
    buf_init(&gz, 0);
    compressed_gzip(&gz, STR("hello"));
    OOM_LOOP
    {
        size_t used;
        uint64_t bytes = 0;
        struct error err = ERROR_INIT;
        struct decompress_options o = {.out = count_bytes, .context = &bytes};
        int rc = run(&o, text_of(&gz), 5, &used, &err);
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
    }
    buf_deinit(&gz);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_without_a_magic_pass_untouched),
        cmocka_unit_test(gzip_members_and_zstd_frames_in_a_row_are_one_stream),
        cmocka_unit_test(a_stream_that_is_cut_or_followed_by_other_bytes_is_refused),
        cmocka_unit_test(a_flipped_byte_never_gives_other_bytes_silently),
        cmocka_unit_test(a_bomb_is_refused_in_its_first_megabytes),
        cmocka_unit_test(small_files_that_compress_well_pass),
        cmocka_unit_test(the_cap_on_bytes_is_exact_to_a_block),
        cmocka_unit_test(a_zstd_window_beyond_the_limit_is_refused),
        cmocka_unit_test(a_stop_of_the_taker_comes_back),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

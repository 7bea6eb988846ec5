#include "support/fuzzcheck.h"

#include "ingest/decompress.h"
#include "support/transcript.h"

#include <assert.h>

/* Takes the size of the pieces off the data. */
static size_t cut_piece(struct str *input)
{
    size_t piece = 1 + (unsigned char)*input->ptr % 64;
    *input = (struct str){input->ptr + 1, input->len - 1};
    return piece;
}

void fuzzcheck_reader(enum reader_format format, const uint8_t *data, size_t size)
{
    const struct reader_options options = {.format = format,
                                           .coding = CODING_IDENTITY,
                                           .sort_memory = 64 << 10,
                                           .exclude_items = "x$",
                                           .source = "fuzz",
                                           .now_ms = 1767323045000};
    struct str input = {(const char *)data, size};
    struct buf whole, pieces;
    if (size == 0)
        return;
    size_t piece = cut_piece(&input);
    buf_init(&whole, 0);
    buf_init(&pieces, 0);
    int first = transcript_run(&whole, &options, input, 0);
    int second = transcript_run(&pieces, &options, input, piece);
    assert(first == second);
    assert(str_eq((struct str){whole.ptr, whole.len}, (struct str){pieces.ptr, pieces.len}));
    assert(utf8_valid((struct str){whole.ptr, whole.len}));
    buf_deinit(&whole);
    buf_deinit(&pieces);
}

static int collect(void *context, struct str bytes, struct error *err)
{
    struct buf *out = context;
    buf_str(out, bytes);
    return out->failed ? error_set(err, ERR_NOMEM, "collect: out of memory") : 0;
}

static int decompress_in_pieces(struct buf *out, struct str input, size_t piece)
{
    const struct decompress_options options = {
        .max_bytes = 1 << 20, .out = collect, .context = out};
    struct decompress *d = decompress_new(&options, NULL);
    int rc = 0;
    assert(d);
    while (rc == 0 && input.len > 0) {
        size_t len = piece < input.len ? piece : input.len;
        rc = decompress_feed(d, (struct str){input.ptr, len}, NULL);
        input = (struct str){input.ptr + len, input.len - len};
    }
    if (rc == 0)
        rc = decompress_finish(d, NULL);
    decompress_free(d);
    return rc;
}

void fuzzcheck_decompress(const uint8_t *data, size_t size)
{
    struct str input = {(const char *)data, size};
    struct buf whole, pieces;
    if (size == 0)
        return;
    size_t piece = cut_piece(&input);
    buf_init(&whole, 0);
    buf_init(&pieces, 0);
    int first = decompress_in_pieces(&whole, input, SIZE_MAX);
    int second = decompress_in_pieces(&pieces, input, piece);
    assert((first == 0) == (second == 0));
    assert(first != 0 ||
           str_eq((struct str){whole.ptr, whole.len}, (struct str){pieces.ptr, pieces.len}));
    buf_deinit(&whole);
    buf_deinit(&pieces);
}

/* The pipe: decompress -> head -> parser -> cleaner -> sink. The head holds back the first bytes
 * until the format is known (the first line, at most HEAD_BYTES), takes a byte order mark off, then
 * gets out of the way. Any failure is final. */
#include "ingest/reader.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ingest/csvrows.h"
#include "ingest/decompress.h"
#include "ingest/fimi.h"
#include "ingest/jsonarr.h"
#include "ingest/jsonrecord.h"
#include "ingest/linesplit.h"

enum { HEAD_BYTES = 64 << 10 };

struct reader {
    struct reader_options options; /* strings in `strings` */
    struct arena strings;
    enum reader_format format; /* AUTO until known */
    struct cleaner clean;
    struct decompress *decompress;
    struct buf head;
    bool parsing; /* the head is over; one of these runs */
    struct linesplit lines;
    struct jsonarr jsonarr;
    struct csv csv;
    struct jsonrecord json; /* behind lines or jsonarr */
    struct fimi fimi;       /* behind lines */
    struct csvrows rows;    /* behind csv */
    int failed;             /* what feed or finish returned */
    bool finished;
};

static int push_text(void *context, struct str bytes, struct error *err);

static bool copy_text(struct arena *a, const char **text)
{
    if (!*text)
        return true;
    *text = arena_str(a, str_of(*text)).ptr;
    return *text != NULL;
}

/* Makes the strings used after reader_new the reader's own. */
static bool copy_options(struct reader *r)
{
    struct reader_options *o = &r->options;
    const char *const *from = o->maps;
    size_t count = 0;
    if (!copy_text(&r->strings, &o->spool_directory) || !copy_text(&r->strings, &o->source))
        return false;
    if (!from)
        return true;
    while (from[count])
        count++;
    const char **maps = arena_alloc(&r->strings, count + 1, sizeof *maps);
    if (!maps)
        return false;
    o->maps = maps;
    maps[count] = NULL;
    for (size_t i = 0; i < count; i++) {
        maps[i] = from[i];
        if (!copy_text(&r->strings, &maps[i]))
            return false;
    }
    return true;
}

struct reader *reader_new(const struct reader_options *options, const struct reader_sink *sink,
                          struct error *err)
{
    struct reader *r;
    if (!MEM_ZNEW(r, 1)) {
        error_set(err, ERR_NOMEM, "reader: out of memory");
        return NULL;
    }
    r->options = *options;
    r->format = options->format;
    arena_init(&r->strings);
    buf_init(&r->head, 0);
    csvrows_init(&r->rows, &r->clean, &r->options);
    jsonrecord_init(&r->json, &r->clean);
    struct decompress_options how = {.coding = options->coding,
                                     .max_bytes = options->max_decompressed,
                                     .max_ratio = options->max_ratio,
                                     .out = push_text,
                                     .context = r};
    int rc = copy_options(r) ? 0 : error_set(err, ERR_NOMEM, "reader: out of memory");
    if (rc == 0)
        rc = csvmap_check(r->options.maps, err);
    if (rc == 0)
        rc = clean_init(&r->clean, &r->options, sink, err);
    r->options.include_items = r->options.exclude_items = NULL; /* compiled */
    if (rc == 0 && (options->format == FORMAT_FIMI || options->source))
        rc = fimi_init(&r->fimi, &r->clean, r->options.source, err);
    if (rc == 0)
        r->decompress = decompress_new(&how, err);
    if (!r->decompress) {
        reader_free(r);
        return NULL;
    }
    return r;
}

void reader_free(struct reader *r)
{
    if (!r)
        return;
    decompress_free(r->decompress);
    arena_deinit(&r->strings);
    buf_deinit(&r->head);
    linesplit_deinit(&r->lines);
    jsonarr_deinit(&r->jsonarr);
    csv_deinit(&r->csv);
    jsonrecord_deinit(&r->json);
    fimi_deinit(&r->fimi);
    csvrows_deinit(&r->rows);
    clean_deinit(&r->clean);
    free(r);
}

/* A first line of numbers only. */
static bool is_fimi(struct str line)
{
    for (size_t i = 0; i < line.len; i++)
        if (!(line.ptr[i] >= '0' && line.ptr[i] <= '9') && line.ptr[i] != ' ' &&
            line.ptr[i] != '\t')
            return false;
    return true;
}

/* What the first line that is not blank looks like; AUTO: nothing but blanks. An object that goes
 * on in the next line is a document of JSON, any other is NDJSON's first. */
static enum reader_format detect(struct str text)
{
    struct str line = STR_NONE;
    while (text.ptr && line.len == 0)
        line = str_trim(str_cut(&text, '\n'));
    if (line.len == 0)
        return FORMAT_AUTO;
    char first = line.ptr[0], last = line.ptr[line.len - 1];
    if (first == '[')
        return FORMAT_JSON;
    if (first == '{')
        return text.ptr && (last == '{' || last == ',' || last == '[') ? FORMAT_JSON
                                                                       : FORMAT_NDJSON;
    return is_fimi(line) ? FORMAT_FIMI : FORMAT_CSV;
}

static bool has_first_line(struct str text)
{
    struct str line = STR_NONE;
    while (text.ptr && line.len == 0)
        line = str_trim(str_cut(&text, '\n'));
    return line.len > 0 && text.ptr;
}

static int start_parser(struct reader *r, struct error *err)
{
    r->parsing = true;
    switch (r->format) {
    case FORMAT_AUTO:
        break;
    case FORMAT_NDJSON:
        linesplit_init(&r->lines, LIMIT_RECORD_BYTES, jsonrecord_take, &r->json);
        break;
    case FORMAT_JSON:
        jsonarr_init(&r->jsonarr, LIMIT_RECORD_BYTES, jsonrecord_take, &r->json);
        break;
    case FORMAT_CSV:
        csv_init(&r->csv, csvrows_take, &r->rows);
        break;
    case FORMAT_FIMI:
        linesplit_init(&r->lines, LIMIT_RECORD_BYTES, fimi_take, &r->fimi);
        return r->options.source ? 0 : fimi_init(&r->fimi, &r->clean, NULL, err);
    }
    return 0;
}

static int parse(struct reader *r, struct str bytes, struct error *err)
{
    switch (r->format) {
    case FORMAT_AUTO:
        break; /* blanks only, at the end of the input */
    case FORMAT_JSON:
        return jsonarr_push(&r->jsonarr, bytes, err);
    case FORMAT_CSV:
        return csv_push(&r->csv, bytes, err);
    case FORMAT_NDJSON:
    case FORMAT_FIMI:
        return linesplit_push(&r->lines, bytes, err);
    }
    return 0;
}

static bool has_utf16_mark(struct str s)
{
    return str_starts(s, STR("\xff\xfe")) || str_starts(s, STR("\xfe\xff"));
}

/* Tries to end the head; `last`: no more bytes will come. */
static int end_head(struct reader *r, bool last, struct error *err)
{
    static const struct str mark = {"\xef\xbb\xbf", 3};
    struct str text = {r->head.ptr, r->head.len};
    bool enough = last || text.len >= HEAD_BYTES;
    if (has_utf16_mark(text))
        return error_set(err, ERR_INVALID, "the input is UTF-16; save it as UTF-8");
    if (text.len < mark.len && !enough)
        return 0;
    if (str_starts(text, mark))
        text = (struct str){text.ptr + mark.len, text.len - mark.len};
    if (r->format == FORMAT_AUTO) {
        if (!enough && !has_first_line(text))
            return 0;
        r->format = detect(text);
        if (r->format == FORMAT_AUTO && !last)
            return error_set(err, ERR_INVALID, "the input begins with 64 KiB of blanks");
    }
    int rc = start_parser(r, err);
    if (rc == 0)
        rc = parse(r, text, err);
    buf_deinit(&r->head);
    return rc;
}

static int push_text(void *context, struct str bytes, struct error *err)
{
    struct reader *r = context;
    if (r->parsing)
        return parse(r, bytes, err);
    buf_str(&r->head, bytes);
    return r->head.failed ? error_set(err, ERR_NOMEM, "reader: out of memory")
                          : end_head(r, false, err);
}

int reader_feed(struct reader *r, struct str bytes, struct error *err)
{
    assert(!r->finished);
    if (r->failed)
        return error_set(err, ERR_INTERNAL, "reader: fed after a failure");
    return r->failed = decompress_feed(r->decompress, bytes, err);
}

static int finish_parser(struct reader *r, struct error *err)
{
    int rc = 0;
    switch (r->format) {
    case FORMAT_AUTO:
        break;
    case FORMAT_JSON:
        return jsonarr_finish(&r->jsonarr, err);
    case FORMAT_CSV:
        rc = csv_finish(&r->csv, err);
        return rc == 0 ? csvrows_finish(&r->rows, err) : rc;
    case FORMAT_NDJSON:
    case FORMAT_FIMI:
        return linesplit_finish(&r->lines, err);
    }
    return 0;
}

int reader_finish(struct reader *r, struct error *err)
{
    assert(!r->finished);
    if (r->failed)
        return error_set(err, ERR_INTERNAL, "reader: finished after a failure");
    int rc = decompress_finish(r->decompress, err);
    if (rc == 0 && !r->parsing)
        rc = end_head(r, true, err);
    if (rc == 0)
        rc = finish_parser(r, err);
    if (rc == 0)
        clean_check_counts(&r->clean);
    r->finished = rc == 0;
    return r->failed = rc;
}

const struct ingest_counts *reader_counts(const struct reader *r)
{
    return &r->clean.counts;
}

enum reader_format reader_format(const struct reader *r)
{
    return r->format;
}

static const char *const format_names[] = {
    [FORMAT_AUTO] = "auto", [FORMAT_NDJSON] = "ndjson", [FORMAT_JSON] = "json",
    [FORMAT_CSV] = "csv",   [FORMAT_FIMI] = "fimi",
};

const char *reader_format_name(enum reader_format format)
{
    assert(format < sizeof format_names / sizeof format_names[0]);
    return format_names[format];
}

bool reader_format_parse(struct str name, enum reader_format *out)
{
    for (unsigned i = 0; i < sizeof format_names / sizeof format_names[0]; i++) {
        if (str_eq(name, str_of(format_names[i]))) {
            *out = (enum reader_format)i;
            return true;
        }
    }
    return false;
}

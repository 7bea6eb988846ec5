/* Orders of NDJSON may come again under their id; the basket before is then left out at the end, so
 * that rows stay in the order of the file. */
#include "service/basketfile.h"

#include "base/map.h"
#include "base/mem.h"
#include "service/textfile.h"

#include <stdlib.h>
#include <string.h>

struct gather {
    struct baskets_builder baskets;
    struct strmap orders; /* id -> basket */
    VEC(bool) gone;       /* by basket */
    struct progress *progress;
    struct basketfile_report *report;
};

static int out_of_memory(struct error *err)
{
    return error_set(err, ERR_NOMEM, "baskets: out of memory");
}

static int take_order(struct gather *g, const struct record *record, struct error *err)
{
    uint32_t basket = (uint32_t)(g->baskets.start.count - 1);
    for (uint32_t i = 0; i < record->line_count; i++) {
        int rc = baskets_builder_item(&g->baskets, record->lines[i].item_id, err);
        if (rc)
            return rc;
    }
    int rc = baskets_builder_end(&g->baskets, err);
    if (rc)
        return rc;
    return VEC_PUSH(&g->gone, false) && strmap_set(&g->orders, record->order_id, basket)
               ? 0
               : out_of_memory(err);
}

static int take_record(void *context, const struct record *record, struct error *err)
{
    struct gather *g = context;
    if (progress_cancelled(g->progress))
        return error_set(err, ERR_CANCELLED, "cancelled");
    if (record->kind != RECORD_ORDER && record->kind != RECORD_CANCEL)
        return 0;
    uint32_t before = strmap_get(&g->orders, record->order_id);
    if (before != MAP_NONE)
        g->gone.at[before] = true;
    return record->kind == RECORD_ORDER ? take_order(g, record, err) : 0;
}

static void take_problem(void *context, const struct record_problem *problem)
{
    struct basketfile_report *report = ((struct gather *)context)->report;
    if (report->rejected++ == 0)
        record_problem_text(problem, report->first_problem, sizeof report->first_problem);
}

static void drop_gone(struct gather *g)
{
    struct baskets_builder *b = &g->baskets;
    size_t kept = 1;
    uint64_t fill = 0, begin = 0;
    for (size_t r = 0; r + 1 < b->start.count; r++) {
        uint64_t end = b->start.at[r + 1];
        if (!g->gone.at[r]) {
            memmove(b->column.at + fill, b->column.at + begin, (end - begin) * sizeof(uint32_t));
            fill += end - begin;
            b->start.at[kept++] = fill;
        }
        begin = end;
    }
    b->start.count = kept;
    b->column.count = fill;
}

static int read_records(struct str text, struct gather *g, struct baskets *out, struct error *err)
{
    const struct reader_options options = {.format = g->report->format, .coding = CODING_IDENTITY};
    const struct reader_sink sink = {.context = g, .record = take_record, .problem = take_problem};
    int rc = baskets_builder_init(&g->baskets, err);
    if (rc)
        return rc;
    struct reader *reader = reader_new(&options, &sink, err);
    rc = reader ? reader_feed(reader, text, err) : (int)ERR_NOMEM;
    if (rc == 0)
        rc = reader_finish(reader, err);
    reader_free(reader);
    if (rc) {
        baskets_builder_deinit(&g->baskets);
        return rc;
    }
    drop_gone(g);
    return baskets_builder_finish(&g->baskets, out, err);
}

static enum reader_format detect(struct str text)
{
    struct str line = STR_NONE;
    while (text.ptr && line.len == 0)
        line = str_trim(str_cut(&text, '\n'));
    if (line.len == 0)
        return FORMAT_FIMI;
    if (line.ptr[0] == '[')
        return FORMAT_JSON;
    if (line.ptr[0] == '{')
        return FORMAT_NDJSON;
    return memchr(line.ptr, ',', line.len) || memchr(line.ptr, ';', line.len) ? FORMAT_CSV
                                                                              : FORMAT_FIMI;
}

static int read_text(struct str text, uint32_t threads, struct gather *g, struct baskets *out,
                     struct error *err)
{
    static const struct str mark = {"\xef\xbb\xbf", 3};
    struct basketfile_report *report = g->report;
    report->bytes = text.len;
    if (str_starts(text, mark))
        text = (struct str){text.ptr + mark.len, text.len - mark.len};
    if (str_starts(text, STR("\xff\xfe")) || str_starts(text, STR("\xfe\xff")))
        return error_set(err, ERR_INVALID, "the input is UTF-16; save it as UTF-8");
    if (report->format == FORMAT_AUTO)
        report->format = detect(text);
    if (report->format == FORMAT_FIMI)
        return baskets_parse(text, threads, out, err);
    int rc = read_records(text, g, out, err);
    strmap_deinit(&g->orders);
    VEC_FREE(&g->gone);
    return rc;
}

int basketfile_read(const char *path, enum reader_format format, uint32_t threads,
                    struct progress *progress, struct baskets *out,
                    struct basketfile_report *report, struct error *err)
{
    struct textfile file;
    struct gather g = {.progress = progress, .report = report};
    struct error local = ERROR_INIT;
    *report = (struct basketfile_report){.format = format};
    progress_begin(progress, "reading", 0);
    int rc = textfile_open(path, progress, &file, err);
    if (rc)
        return rc;
    strmap_init(&g.orders);
    rc = read_text(file.text, threads, &g, out, &local);
    textfile_close(&file);
    if (rc == 0)
        return 0;
    if (err && err->code == OK)
        err->line = local.line;
    return error_set(err, local.code, "%s: %s", strcmp(path, "-") == 0 ? "standard input" : path,
                     local.text);
}

/* See the header. */
#include "service/itemtext.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>

static const char *const format_names[] = {
    [TEXT_AUTO] = "", [TEXT_FIMI] = "fimi", [TEXT_TSV] = "tsv", [TEXT_NDJSON] = "ndjson"};
static const char separators[] = {[TEXT_FIMI] = ' ', [TEXT_TSV] = ',', [TEXT_NDJSON] = ','};

bool text_format_parse(struct str name, enum text_format *out)
{
    for (unsigned i = TEXT_FIMI; i < sizeof format_names / sizeof format_names[0]; i++) {
        if (str_eq(name, str_of(format_names[i]))) {
            *out = (enum text_format)i;
            return true;
        }
    }
    return false;
}

static int add_item(struct buf *text, struct str name, enum text_format format, struct error *err)
{
    char separator = separators[format];
    if (format == TEXT_NDJSON)
        buf_json_str(text, name);
    else if (memchr(name.ptr, separator, name.len))
        return error_set(err, ERR_INVALID,
                         "item '%.*s' has the '%c' that parts items in %s; another output format "
                         "shows it (ndjson shows all)",
                         STR_ARG(name), separator, format_names[format]);
    else
        buf_str(text, name);
    buf_char(text, separator);
    return 0;
}

int itemtext_init(struct itemtext *t, const struct baskets *baskets, enum text_format format,
                  struct error *err)
{
    char room[BASKETS_NUMBER_BYTES];
    struct buf text;
    size_t length;
    int rc = 0;
    *t = (struct itemtext){0};
    if (!MEM_NEW(t->start, (size_t)baskets->rows.cols + 1))
        return error_set(err, ERR_NOMEM, "output: out of memory");
    buf_init(&text, UINT32_MAX);
    t->start[0] = 0;
    for (uint32_t c = 0; rc == 0 && c < baskets->rows.cols; c++) {
        rc = add_item(&text, baskets_name(baskets, c, room), format, err);
        t->start[c + 1] = (uint32_t)text.len;
    }
    char *behind = buf_reserve(&text, ITEMTEXT_CHUNK);
    if (rc == 0 && !behind)
        rc = error_set(err, ERR_NOMEM, "output: out of memory for the items' names");
    if (rc == 0) {
        memset(behind, 0, ITEMTEXT_CHUNK);
        text.len += ITEMTEXT_CHUNK;
        t->text = buf_detach(&text, &length);
    } else {
        itemtext_deinit(t);
    }
    buf_deinit(&text);
    return rc;
}

void itemtext_deinit(struct itemtext *t)
{
    free(t->text);
    free(t->start);
    *t = (struct itemtext){0};
}

/* The F-list's reader: strict, as a wrong rank would give a wrong result without a word. */
#include "service/sharding.h"

#include "base/limits.h"
#include "base/mem.h"
#include "service/textfile.h"

#include <stdlib.h>

static int refuse(uint64_t line, const char *why, struct error *err)
{
    if (err && err->code == OK)
        err->line = line;
    return error_set(err, ERR_INVALID, "line %llu: %s; `basketd shard --flist` writes this file",
                     (unsigned long long)line, why);
}

/* "name TAB number" off the front of the rest. */
static bool take_field(struct str *rest, struct str name, uint32_t *out)
{
    uint64_t number;
    if (!str_eq(str_cut(rest, '\t'), name) || !str_to_u64(str_cut(rest, '\t'), &number) ||
        number < 1 || number >= UINT32_MAX)
        return false;
    *out = (uint32_t)number;
    return true;
}

static int read_header(struct str *text, struct flist *f, struct error *err)
{
    struct str line = str_cut(text, '\n');
    if (take_field(&line, STR("baskets"), &f->baskets) &&
        take_field(&line, STR("support"), &f->support) &&
        take_field(&line, STR("shards"), &f->shards) && !line.ptr && f->shards <= LIMIT_SHARDS)
        return 0;
    return refuse(1, "expected baskets N support N shards N", err);
}

/* The items become one basket, in which they get their order. */
static int read_items(struct str text, const struct flist *f, struct baskets_builder *b,
                      struct error *err)
{
    uint64_t count, before = f->baskets;
    for (uint64_t number = 2; text.len > 0; number++) {
        struct str line = str_cut(&text, '\n'), item = str_cut(&line, '\t');
        if (id_problem(item) || !str_to_u64(line, &count))
            return refuse(number, "expected item TAB count", err);
        if (count > before || count < f->support)
            return refuse(number, "counts are not descending down to the support", err);
        before = count;
        int rc = baskets_builder_item(b, item, err);
        if (rc)
            return rc;
        if (b->names.count != number - 1)
            return refuse(number, "the item stands twice", err);
    }
    return baskets_builder_end(b, err);
}

static int find_columns(struct str text, struct flist *f, struct error *err)
{
    if (!MEM_NEW(f->column, f->items.rows.cols))
        return error_set(err, ERR_NOMEM, "F-list: out of memory");
    for (uint32_t rank = 0; rank < f->items.rows.cols; rank++) {
        struct str line = str_cut(&text, '\n');
        f->column[rank] = baskets_find(&f->items, str_cut(&line, '\t'));
    }
    return 0;
}

static int read_lines(struct str text, struct flist *f, struct error *err)
{
    struct baskets_builder b;
    int rc = read_header(&text, f, err);
    if (rc == 0)
        rc = baskets_builder_init(&b, err);
    if (rc)
        return rc;
    rc = read_items(text, f, &b, err);
    if (rc == 0)
        rc = baskets_builder_finish(&b, &f->items, err);
    baskets_builder_deinit(&b);
    if (rc == 0)
        rc = find_columns(text, f, err);
    return rc;
}

int flist_parse(struct str text, struct flist *out, struct error *err)
{
    struct flist f = {0};
    int rc = read_lines(text, &f, err);
    if (rc == 0)
        *out = f;
    else
        flist_deinit(&f);
    return rc;
}

int flist_read(const char *path, struct progress *progress, struct flist *out, struct error *err)
{
    struct textfile file;
    struct error local = ERROR_INIT;
    int rc = textfile_open(path, progress, &file, err);
    if (rc)
        return rc;
    rc = flist_parse(file.text, out, &local);
    return textfile_done(&file, path, rc, &local, err);
}

void flist_deinit(struct flist *f)
{
    baskets_deinit(&f->items);
    free(f->column);
    f->column = NULL;
}

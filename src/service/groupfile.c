/* Two passes over the lines: the right sides become columns where they are none yet, then the left
 * sides find their group. A copy of the names is extended, so that a failure leaves the baskets as
 * they were. */
#include "service/groupfile.h"

#include "base/mem.h"
#include "mine/groups.h"
#include "service/textfile.h"

#include <stdlib.h>

static int refuse(uint64_t number, const char *why, struct error *err)
{
    if (err && err->code == OK)
        err->line = number;
    return error_set(err, ERR_INVALID, "line %llu: %s", (unsigned long long)number, why);
}

static int copy_names(const struct baskets *b, struct dict *names, struct error *err)
{
    char room[BASKETS_NUMBER_BYTES];
    uint32_t column;
    int rc = dict_init(names, err);
    for (uint32_t c = 0; rc == 0 && c < b->rows.cols; c++)
        rc = dict_add(names, baskets_name(b, c, room), &column, err);
    return rc;
}

/* "item TAB group"; a CR in front of the line's end is none of the name. */
static int split_line(struct str line, uint64_t number, struct str *item, struct str *group,
                      struct error *err)
{
    if (line.len && line.ptr[line.len - 1] == '\r')
        line.len--;
    *item = str_cut(&line, '\t');
    *group = line;
    if (!line.ptr)
        return refuse(number, "expected item TAB group", err);
    const char *why = id_problem(*item) ? id_problem(*item) : id_problem(*group);
    return why ? refuse(number, why, err) : 0;
}

static int add_groups(struct str text, struct dict *names, struct error *err)
{
    struct str item, group;
    int rc = 0;
    for (uint64_t number = 1; rc == 0 && text.len > 0; number++) {
        uint32_t column;
        struct str line = str_cut(&text, '\n');
        if (str_trim(line).len == 0)
            continue;
        rc = split_line(line, number, &item, &group, err);
        if (rc == 0)
            rc = dict_add(names, group, &column, err);
    }
    return rc;
}

static int find_parents(struct str text, const struct dict *names, uint32_t *parent,
                        struct error *err)
{
    struct str item, group;
    for (uint32_t c = 0; c < names->count; c++)
        parent[c] = ITEM_NONE;
    for (uint64_t number = 1; text.len > 0; number++) {
        struct str line = str_cut(&text, '\n');
        if (str_trim(line).len == 0)
            continue;
        int rc = split_line(line, number, &item, &group, err);
        if (rc)
            return rc;
        uint32_t column = dict_find(names, item), above = dict_find(names, group);
        if (column == DICT_NONE)
            continue;
        if (parent[column] != ITEM_NONE && parent[column] != above)
            return refuse(number, "the item has another group already", err);
        if (column == above)
            return refuse(number, "the item is its own group", err);
        parent[column] = above;
    }
    return 0;
}

static int add(struct str text, struct baskets *b, struct dict *names, uint32_t **parent,
               struct error *err)
{
    struct csr rows;
    int rc = copy_names(b, names, err);
    if (rc == 0)
        rc = add_groups(text, names, err);
    if (rc)
        return rc;
    if (!MEM_NEW(*parent, names->count))
        return error_set(err, ERR_NOMEM, "item groups: out of memory");
    rc = find_parents(text, names, *parent, err);
    if (rc == 0)
        rc = groups_add(&b->rows, *parent, names->count, &rows, err);
    if (rc)
        return rc;
    csr_deinit(&b->rows);
    b->rows = rows;
    return 0;
}

int groupfile_parse(struct str text, struct baskets *b, uint32_t **parent, struct error *err)
{
    struct dict names = {0};
    *parent = NULL;
    int rc = add(text, b, &names, parent, err);
    if (rc == 0) {
        dict_deinit(&b->names);
        b->names = names;
        return 0;
    }
    dict_deinit(&names);
    free(*parent);
    *parent = NULL;
    return rc;
}

int groupfile_add(const char *path, struct progress *progress, struct baskets *b, uint32_t **parent,
                  struct error *err)
{
    struct textfile file;
    struct error local = ERROR_INIT;
    int rc = textfile_open(path, progress, &file, err);
    if (rc)
        return rc;
    rc = groupfile_parse(file.text, b, parent, &local);
    return textfile_done(&file, path, rc, &local, err);
}

/* Items by name: a dictionary in order of appearance while reading, then names are put in order,
 * columns renumbered and rows sorted. Numbers sort by value (shorter first, then by digits), so
 * that baskets read as names and as numbers have their columns in the same order. Cost: a hash for
 * an item. */
#include "baskets_internal.h"

#include "base/limits.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static int out_of_memory(struct error *err)
{
    return error_set(err, ERR_NOMEM, "baskets: out of memory");
}

int baskets_builder_init(struct baskets_builder *b, struct error *err)
{
    *b = (struct baskets_builder){0};
    int rc = dict_init(&b->names, err);
    if (rc == 0 && !VEC_PUSH(&b->start, 0))
        rc = out_of_memory(err);
    if (rc)
        baskets_builder_deinit(b);
    return rc;
}

void baskets_builder_deinit(struct baskets_builder *b)
{
    dict_deinit(&b->names);
    VEC_FREE(&b->column);
    VEC_FREE(&b->start);
}

int baskets_builder_item(struct baskets_builder *b, struct str item, struct error *err)
{
    uint32_t column;
    int rc = dict_add(&b->names, item, &column, err);
    if (rc)
        return rc;
    return VEC_PUSH(&b->column, column) ? 0 : out_of_memory(err);
}

int baskets_builder_end(struct baskets_builder *b, struct error *err)
{
    if (b->start.count > UINT32_MAX - 1)
        return error_set(err, ERR_TOO_LARGE, "more than %u baskets", UINT32_MAX - 1);
    return VEC_PUSH(&b->start, b->column.count) ? 0 : out_of_memory(err);
}

/* A number as it would be printed. */
static bool is_number(struct str s)
{
    if (s.len == 0 || (s.ptr[0] == '0' && s.len > 1))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    return true;
}

struct ranked {
    struct str name;
    uint32_t column; /* in order of appearance */
    bool number;
};

static int compare(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->number != y->number)
        return x->number ? -1 : 1;
    if (x->number && x->name.len != y->name.len)
        return x->name.len < y->name.len ? -1 : 1;
    return str_cmp(x->name, y->name);
}

/* The dictionary in order; to[column] is the new column. */
static int order_names(const struct dict *names, uint32_t *to, struct dict *out, struct error *err)
{
    struct ranked *ranked;
    struct dict made;
    int rc = dict_init(&made, err);
    if (rc)
        return rc;
    if (!MEM_NEW(ranked, names->count))
        rc = out_of_memory(err);
    for (uint32_t c = 0; rc == 0 && c < names->count; c++) {
        struct str name = dict_name(names, c);
        ranked[c] = (struct ranked){name, c, is_number(name)};
    }
    if (rc == 0)
        qsort(ranked, names->count, sizeof *ranked, compare);
    for (uint32_t c = 0; rc == 0 && c < names->count; c++)
        rc = dict_add(&made, ranked[c].name, &to[ranked[c].column], err);
    free(ranked);
    if (rc == 0)
        *out = made;
    else
        dict_deinit(&made);
    return rc;
}

/* Renumbers, sorts and closes the gaps that repetitions leave. */
static void order_rows(struct baskets_builder *b, const uint32_t *to, uint64_t *repeats)
{
    uint64_t fill = 0, begin = 0;
    for (size_t r = 1; r < b->start.count; r++) {
        uint64_t count = b->start.at[r] - begin;
        uint32_t *row = b->column.at + fill;
        for (uint64_t i = 0; i < count; i++)
            row[i] = to[b->column.at[begin + i]];
        uint64_t kept = basket_row_sort(row, count);
        *repeats += count - kept;
        begin = b->start.at[r];
        fill += kept;
        b->start.at[r] = fill;
    }
}

int baskets_builder_finish(struct baskets_builder *b, struct baskets *out, struct error *err)
{
    struct baskets made = {0};
    uint32_t *to;
    int rc = MEM_NEW(to, b->names.count) && VEC_RESERVE(&b->column, 1) ? 0 : out_of_memory(err);
    if (rc == 0)
        rc = order_names(&b->names, to, &made.names, err);
    if (rc == 0) {
        order_rows(b, to, &made.repeats);
        made.rows = (struct csr){.rows = (uint32_t)(b->start.count - 1),
                                 .cols = b->names.count,
                                 .start = b->start.at,
                                 .column = b->column.at};
        b->start.at = NULL;
        b->column.at = NULL;
        *out = made;
    }
    free(to);
    baskets_builder_deinit(b);
    return rc;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static int read_line(struct baskets_builder *b, struct str text, uint64_t line, struct error *err)
{
    for (size_t at = 0, end; at < text.len; at = end + 1) {
        for (end = at; end < text.len && !is_blank(text.ptr[end]);)
            end++;
        struct str item = {text.ptr + at, end - at};
        const char *why = item.len ? id_problem(item) : NULL;
        int rc = item.len && !why ? baskets_builder_item(b, item, err) : 0;
        if (rc)
            return rc;
        if (!why)
            continue;
        if (err && err->code == OK)
            err->line = line;
        return error_set(err, ERR_INVALID, "line %llu: item: %s", (unsigned long long)line, why);
    }
    return baskets_builder_end(b, err);
}

int baskets_parse_names(struct str text, struct baskets *out, struct error *err)
{
    struct baskets_builder b;
    int rc = baskets_builder_init(&b, err);
    for (uint64_t line = 1; rc == 0 && text.len > 0; line++) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t length = end ? (size_t)(end - text.ptr) : text.len, used = length + (end != NULL);
        rc = read_line(&b, (struct str){text.ptr, length}, line, err);
        text = (struct str){text.ptr + used, text.len - used};
    }
    if (rc == 0)
        return baskets_builder_finish(&b, out, err);
    baskets_builder_deinit(&b);
    return rc;
}

uint32_t baskets_find(const struct baskets *b, struct str item)
{
    uint64_t number;
    if (b->names.count)
        return dict_find(&b->names, item);
    if (!is_number(item) || !str_to_u64(item, &number) || number >= b->rows.cols)
        return DICT_NONE;
    return (uint32_t)number;
}

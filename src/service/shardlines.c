/* Strict, because a line that is not as `basketd shard` wrote it would give a wrong count without a
 * word. */
#include "service/shardlines.h"

#include "base/mem.h"

#include <stdlib.h>

int shardlines_init(struct shardlines *l, struct str text, uint32_t shards, uint32_t ranks,
                    struct error *err)
{
    *l = (struct shardlines){.rest = text, .shards = shards, .ranks = ranks};
    return MEM_ZNEW(l->seen, shards) ? 0 : error_set(err, ERR_NOMEM, "shards: out of memory");
}

void shardlines_deinit(struct shardlines *l)
{
    free(l->seen);
    VEC_FREE(&l->column);
    VEC_FREE(&l->start);
}

static int refuse(const struct shardlines *l, const char *why, struct error *err)
{
    if (err && err->code == OK)
        err->line = l->line;
    return error_set(err, ERR_INVALID, "line %llu of the shards: %s", (unsigned long long)l->line,
                     why);
}

/* Digits off the front; false: none, or not below the limit. */
static bool take_number(struct str *text, uint32_t limit, uint32_t *out)
{
    uint64_t value = 0;
    size_t at = 0;
    for (; at < text->len && text->ptr[at] >= '0' && text->ptr[at] <= '9'; at++) {
        value = value * 10 + (uint64_t)(text->ptr[at] - '0');
        if (value >= limit)
            return false;
    }
    *text = (struct str){text->ptr + at, text->len - at};
    *out = (uint32_t)value;
    return at > 0;
}

/* The next line's group; the line is left behind its TAB. */
static int take_group(struct shardlines *l, struct str *line, uint32_t *group, struct error *err)
{
    *line = str_cut(&l->rest, '\n');
    l->line++;
    if (!take_number(line, l->shards, group))
        return refuse(l, "expected a group below the F-list's number of shards", err);
    if (line->len == 0 || *line->ptr != '\t')
        return refuse(l, "expected group TAB ranks", err);
    *line = (struct str){line->ptr + 1, line->len - 1};
    return 0;
}

static int take_ranks(struct shardlines *l, struct str line, struct error *err)
{
    uint32_t rank, least = 0;
    for (;;) {
        if (!take_number(&line, l->ranks, &rank))
            return refuse(l, "expected ranks of the F-list", err);
        if (rank < least)
            return refuse(l, "the ranks are not ascending", err);
        least = rank + 1;
        if (!VEC_PUSH(&l->column, rank))
            return error_set(err, ERR_NOMEM, "shards: out of memory");
        if (line.len == 0)
            return 0;
        if (*line.ptr != ' ')
            return refuse(l, "expected ranks parted by a blank", err);
        line = (struct str){line.ptr + 1, line.len - 1};
    }
}

static int end_row(struct shardlines *l, struct error *err)
{
    if (l->start.count > UINT32_MAX - 1)
        return error_set(err, ERR_TOO_LARGE, "shards: more than %u baskets", UINT32_MAX - 1);
    return VEC_PUSH(&l->start, l->column.count)
               ? 0
               : error_set(err, ERR_NOMEM, "shards: out of memory");
}

/* All lines of one group, kept or passed over. */
static int take_lines(struct shardlines *l, const uint32_t *only, struct error *err)
{
    bool begun = false;
    l->column.count = l->start.count = 0;
    int rc = end_row(l, err);
    while (rc == 0 && l->rest.len > 0) {
        struct str before = l->rest, line;
        uint32_t group = 0;
        rc = take_group(l, &line, &group, err);
        if (rc)
            break;
        if (begun && group != l->group) {
            l->rest = before;
            l->line--;
            break;
        }
        if (!begun && l->seen[group])
            return refuse(l, "the group's lines do not stand together: sort the file", err);
        begun = true;
        l->group = group;
        if (!only || *only == group)
            rc = take_ranks(l, line, err);
        if (rc == 0)
            rc = end_row(l, err);
    }
    if (rc == 0 && begun)
        l->seen[l->group] = true;
    return rc;
}

int shardlines_next(struct shardlines *l, const uint32_t *only, struct error *err)
{
    do {
        l->ended = l->rest.len == 0;
        if (l->ended)
            return 0;
        int rc = take_lines(l, only, err);
        if (rc)
            return rc;
    } while (only && *only != l->group);
    l->rows = (struct csr){.rows = (uint32_t)(l->start.count - 1),
                           .cols = l->ranks,
                           .start = l->start.at,
                           .column = l->column.at};
    return 0;
}

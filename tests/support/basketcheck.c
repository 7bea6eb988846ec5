#include "support/basketcheck.h"

#include "base/limits.h"
#include "base/mem.h"
#include "data/baskets.h"
#include "mine/itemsets.h"
#include "service/groupfile.h"
#include "service/sharding.h"
#include "service/shardlines.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct slow {
    const struct baskets *read;
    struct str *word; /* the words of one line */
    uint64_t repeats, entries, largest;
    size_t words;
    bool good, numbers; /* all words are small numbers */
};

static bool is_plain_number(struct str word, uint64_t *value)
{
    *value = 0;
    if (word.len == 0 || word.len > 7 || (word.ptr[0] == '0' && word.len > 1))
        return false;
    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] < '0' || word.ptr[i] > '9')
            return false;
        *value = *value * 10 + (uint64_t)(word.ptr[i] - '0');
    }
    return true;
}

static size_t split(struct str line, struct str *words)
{
    size_t count = 0;
    for (size_t at = 0, end; at <= line.len; at = end + 1) {
        for (end = at; end < line.len && !strchr(" \t\r", line.ptr[end] ? line.ptr[end] : 'x');)
            end++;
        if (end > at)
            words[count++] = (struct str){line.ptr + at, end - at};
    }
    return count;
}

/* What the whole text is: good names? small numbers? */
static void judge(struct slow *s, struct str line)
{
    size_t count = split(line, s->word);
    for (size_t i = 0; i < count; i++) {
        uint64_t value;
        s->good = s->good && !id_problem(s->word[i]);
        s->numbers = s->numbers && is_plain_number(s->word[i], &value);
        if (s->numbers && value > s->largest)
            s->largest = value;
    }
    s->words += count;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void check_row(struct slow *s, struct str line, uint32_t row)
{
    const struct csr *rows = &s->read->rows;
    uint32_t *column, distinct = 0;
    size_t count = split(line, s->word);
    MEM_NEW(column, count);
    assert(column);
    for (size_t i = 0; i < count; i++) {
        column[i] = baskets_find(s->read, s->word[i]);
        char room[BASKETS_NUMBER_BYTES];
        assert(column[i] < rows->cols);
        assert(str_eq(baskets_name(s->read, column[i], room), s->word[i]));
    }
    qsort(column, count, sizeof *column, compare);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || column[i] != column[i - 1])
            column[distinct++] = column[i];
    assert(rows->start[row + 1] - rows->start[row] == distinct);
    assert(!distinct ||
           memcmp(rows->column + rows->start[row], column, distinct * sizeof *column) == 0);
    s->repeats += count - distinct;
    s->entries += distinct;
    free(column);
}

/* Numbers before names, by value; names by bytes. */
static void check_order(const struct baskets *b)
{
    for (uint32_t c = 1; c < b->names.count; c++) {
        struct str a = dict_name(&b->names, c - 1), z = dict_name(&b->names, c);
        uint64_t x, y;
        bool a_number = str_to_u64(a, &x) && (a.len == 1 || a.ptr[0] != '0');
        bool z_number = str_to_u64(z, &y) && (z.len == 1 || z.ptr[0] != '0');
        if (a_number && z_number)
            assert(x < y);
        else if (a_number == z_number && a.len < 20 && z.len < 20)
            assert(str_cmp(a, z) < 0);
        else if (a.len < 20 && z.len < 20)
            assert(a_number);
    }
}

static uint32_t each_line(struct slow *s, struct str text, bool checking)
{
    uint32_t row = 0;
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t length = end ? (size_t)(end - text.ptr) : text.len;
        if (checking)
            check_row(s, (struct str){text.ptr, length}, row);
        else
            judge(s, (struct str){text.ptr, length});
        length += end != NULL;
        text = (struct str){text.ptr + length, text.len - length};
        row++;
    }
    return row;
}

bool basketcheck(struct str text, uint32_t threads)
{
    struct baskets b = {0};
    struct slow s = {.read = &b, .good = true, .numbers = true};
    struct error err = ERROR_INIT;
    MEM_NEW(s.word, text.len + 1);
    assert(s.word);
    uint32_t lines = each_line(&s, text, false);
    int rc = baskets_parse(text, threads, &b, &err);
    assert((rc == 0) == s.good);
    if (rc) {
        assert(rc == ERR_INVALID && err.line >= 1 && err.line <= lines);
    } else {
        assert(csr_check(&b.rows, NULL) == 0);
        assert(b.rows.rows == lines && each_line(&s, text, true) == lines);
        assert(csr_entries(&b.rows) == s.entries && b.repeats == s.repeats);
        assert(s.numbers || b.names.count == b.rows.cols);
        check_order(&b);
    }
    baskets_deinit(&b);
    free(s.word);
    return rc == 0;
}

void fuzzcheck_baskets(const uint8_t *data, size_t size)
{
    basketcheck((struct str){(const char *)data, size}, 1);
}

static void check_lines(struct str text)
{
    struct shardlines lines;
    struct error err = ERROR_INIT;
    bool seen[5] = {false};
    assert(shardlines_init(&lines, text, 5, 300, NULL) == 0);
    int rc;
    while ((rc = shardlines_next(&lines, NULL, &err)) == 0 && !lines.ended) {
        const struct csr *m = &lines.rows;
        assert(lines.group < 5 && !seen[lines.group] && m->rows > 0 && csr_check(m, NULL) == 0);
        seen[lines.group] = true;
        for (uint32_t r = 0; r < m->rows; r++) {
            assert(m->start[r] < m->start[r + 1]);
            for (uint64_t e = m->start[r] + 1; e < m->start[r + 1]; e++)
                assert(m->column[e - 1] < m->column[e]);
        }
    }
    assert(rc == 0 || (rc == ERR_INVALID && err.line > 0));
    shardlines_deinit(&lines);
}

static void check_flist(struct str text)
{
    struct flist f;
    struct error err = ERROR_INIT;
    int rc = flist_parse(text, &f, &err);
    assert(rc == 0 || (rc == ERR_INVALID && err.line > 0));
    if (rc)
        return;
    assert(f.baskets && f.support && f.shards);
    for (uint32_t r = 0; r < f.items.rows.cols; r++)
        assert(f.column[r] < f.items.rows.cols);
    flist_deinit(&f);
}

static void check_groups(struct str text)
{
    struct baskets b;
    uint32_t *parent;
    struct error err = ERROR_INIT;
    assert(baskets_parse(STR("a b\n1 c\n\nb\n"), 1, &b, NULL) == 0);
    uint64_t entries = csr_entries(&b.rows);
    int rc = groupfile_parse(text, &b, &parent, &err);
    assert(rc == 0 || rc == ERR_INVALID);
    assert(b.names.count == b.rows.cols && b.rows.rows == 4 && csr_entries(&b.rows) >= entries);
    assert(csr_check(&b.rows, NULL) == 0);
    for (uint32_t c = 0; rc == 0 && c < b.rows.cols; c++)
        assert(parent[c] == ITEM_NONE || parent[c] < b.rows.cols);
    free(parent);
    baskets_deinit(&b);
}

void fuzzcheck_shards(const uint8_t *data, size_t size)
{
    void (*const checks[])(struct str text) = {check_lines, check_flist, check_groups};
    if (size > 0)
        checks[data[0] % 3]((struct str){(const char *)data + 1, size - 1});
}

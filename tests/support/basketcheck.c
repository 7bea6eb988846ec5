#include "support/basketcheck.h"

#include "base/limits.h"
#include "base/mem.h"
#include "data/baskets.h"

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

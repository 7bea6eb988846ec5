/* Two ways through a row. Most lie whole in a piece and their cells are slices of it (row_in_place,
 * one pass, no copy). Whatever is not that simple (a row cut by the end of a piece, "" inside
 * quotes, a fault) is gathered in `text` by a state machine, run by run:
 *
 *     START --"--> QUOTED --"--> QUOTE --"--> QUOTED        (a doubled quote)
 *       |                          |--separator--> START
 *       '--other--> PLAIN          |--CR--> QUOTE_CR --LF--> row
 *                     |--separator--> START   |--other--> SKIP --LF--> next row
 *
 * Both give the same rows: a fault is always judged by the state machine, from the row's start. */
#include "ingest/csv.h"

#include <assert.h>
#include <string.h>

enum { HEAD_BYTES = 64 << 10 };

void csv_init(struct csv *c, csv_fn row, void *context)
{
    *c = (struct csv){.line = 1, .row = row, .context = context};
    buf_init(&c->head, 0);
    buf_init(&c->text, 0);
}

void csv_deinit(struct csv *c)
{
    buf_deinit(&c->head);
    buf_deinit(&c->text);
}

const char *csv_problem_text(enum csv_problem problem)
{
    static const char *const texts[] = {
        [CSV_GOOD] = "",
        [CSV_TOO_LONG] = "row longer than 1 MiB; is a quote not closed?",
        [CSV_TOO_MANY] = "more than 256 columns",
        [CSV_AFTER_QUOTE] = "text after a closing quote; quotes inside quotes are doubled",
        [CSV_NOT_CLOSED] = "a quote is opened and never closed",
    };
    return texts[problem];
}
_Static_assert(LIMIT_CSV_ROW_BYTES == 1 << 20 && LIMIT_CSV_COLUMNS == 256, "named in messages");

static int hand_on(struct csv *c, uint64_t line, unsigned count, enum csv_problem problem,
                   struct error *err)
{
    struct csv_row row = {.line = line, .cells = c->cells, .count = count, .problem = problem};
    return c->row(c->context, &row, err);
}

static size_t count_byte(struct str s, char byte)
{
    size_t count = 0;
    for (size_t i = 0; i < s.len; i++)
        count += s.ptr[i] == byte;
    return count;
}

/* A quoted cell at `at` that ends in these bytes with a separator or line end behind it, without
 * doubled quotes: the position behind its closing quote, else NULL. */
static const char *quoted_in_place(const struct csv *c, const char *at, const char *end)
{
    const char *close = memchr(at + 1, '"', (size_t)(end - at - 1));
    if (!close || close + 1 == end)
        return NULL;
    if (close[1] == c->separator || close[1] == '\n')
        return close + 1;
    return close[1] == '\r' && close + 2 < end && close[2] == '\n' ? close + 1 : NULL;
}

/* The row at the start of `bytes`: fills cells and *count and returns its length with the line end;
 * 0: not simple, take the state machine. */
static size_t row_in_place(struct csv *c, struct str bytes, unsigned *count, uint64_t *inner_lines)
{
    const char *at = bytes.ptr, *end = at + bytes.len;
    const char separator = c->separator;
    unsigned n = 0;
    for (;; at++) {
        struct str *cell = &c->cells[n];
        cell->ptr = at;
        if (at < end && *at == '"') {
            at = quoted_in_place(c, at, end);
            if (!at)
                return 0;
            *cell = (struct str){cell->ptr + 1, (size_t)(at - cell->ptr) - 2};
            *inner_lines += count_byte(*cell, '\n');
            at += *at == '\r';
        } else {
            while (at < end && *at != separator && *at != '\n')
                at++;
            if (at == end)
                return 0;
            cell->len = (size_t)(at - cell->ptr);
            if (*at == '\n' && cell->len > 0 && at[-1] == '\r')
                cell->len--;
        }
        n++;
        if (*at == '\n')
            break;
        if (n == LIMIT_CSV_COLUMNS)
            return 0;
    }
    size_t length = (size_t)(at + 1 - bytes.ptr);
    *count = n;
    return length <= LIMIT_CSV_ROW_BYTES ? length : 0;
}

static void next_row(struct csv *c)
{
    c->state = CSV_CELL_START;
    c->gathering = c->quoted = false;
    c->count = 0;
    buf_clear(&c->text);
}

/* The row is at fault: reported now, skipped to the end of the present line. */
static int fault(struct csv *c, enum csv_problem problem, struct error *err)
{
    next_row(c);
    c->gathering = true;
    c->state = CSV_SKIP;
    return hand_on(c, c->row_line, 0, problem, err);
}

static int end_cell(struct csv *c, struct error *err)
{
    if (c->count == LIMIT_CSV_COLUMNS)
        return fault(c, CSV_TOO_MANY, err);
    c->ends[c->count++] = (uint32_t)c->text.len;
    c->state = CSV_CELL_START;
    return 0;
}

static int end_row(struct csv *c, struct error *err)
{
    size_t from = c->count > 0 ? c->ends[c->count - 1] : 0;
    if (!c->quoted && c->text.len > from && c->text.ptr[c->text.len - 1] == '\r')
        c->text.len--;
    bool blank = c->count == 0 && c->text.len == 0 && !c->quoted;
    int rc = c->text.len > LIMIT_CSV_ROW_BYTES ? fault(c, CSV_TOO_LONG, err) : end_cell(c, err);
    if (rc == 0 && !blank && c->state != CSV_SKIP) {
        from = 0;
        for (unsigned i = 0; i < c->count; i++) {
            c->cells[i] = (struct str){c->text.ptr + from, c->ends[i] - from};
            from = c->ends[i];
        }
        rc = hand_on(c, c->row_line, c->count, CSV_GOOD, err);
    }
    next_row(c);
    return rc;
}

/* Adds a run of bytes to the cell; one past the limit is kept, it may be the CR of the line end. */
static int keep(struct csv *c, struct str *bytes, size_t run, struct error *err)
{
    size_t room = LIMIT_CSV_ROW_BYTES + 1 - c->text.len, count = run < room ? run : room;
    buf_add(&c->text, bytes->ptr, count);
    if (c->text.failed)
        return error_set(err, ERR_NOMEM, "csv: out of memory");
    c->line += count_byte((struct str){bytes->ptr, count}, '\n');
    bytes->ptr += count;
    bytes->len -= count;
    return count < run ? fault(c, CSV_TOO_LONG, err) : 0;
}

/* The byte behind a cell. */
static int after_cell(struct csv *c, char byte, struct error *err)
{
    if (byte == c->separator) {
        int rc = end_cell(c, err);
        c->quoted = false;
        return rc;
    }
    assert(byte == '\n');
    c->line++;
    return end_row(c, err);
}

static int plain(struct csv *c, struct str *bytes, struct error *err)
{
    size_t run = 0;
    while (run < bytes->len && bytes->ptr[run] != c->separator && bytes->ptr[run] != '\n')
        run++;
    int rc = keep(c, bytes, run, err);
    if (rc != 0 || c->state != CSV_PLAIN || bytes->len == 0)
        return rc;
    char byte = *bytes->ptr++;
    bytes->len--;
    return after_cell(c, byte, err);
}

static int quoted(struct csv *c, struct str *bytes, struct error *err)
{
    const char *close = memchr(bytes->ptr, '"', bytes->len);
    int rc = keep(c, bytes, close ? (size_t)(close - bytes->ptr) : bytes->len, err);
    if (rc != 0 || c->state != CSV_QUOTED || bytes->len == 0)
        return rc;
    bytes->ptr++;
    bytes->len--;
    c->state = CSV_QUOTE;
    return 0;
}

/* Behind a quote inside or at the end of a quoted cell. */
static int after_quote(struct csv *c, struct str *bytes, struct error *err)
{
    char byte = *bytes->ptr;
    if (c->state == CSV_QUOTE && byte == '"') {
        c->state = CSV_QUOTED;
        return keep(c, bytes, 1, err);
    }
    if (c->state == CSV_QUOTE && byte == '\r') {
        c->state = CSV_QUOTE_CR;
    } else if (byte == '\n' || (c->state == CSV_QUOTE && byte == c->separator)) {
        bytes->ptr++;
        bytes->len--;
        return after_cell(c, byte, err);
    } else {
        return fault(c, CSV_AFTER_QUOTE, err);
    }
    bytes->ptr++;
    bytes->len--;
    return 0;
}

static void skip(struct csv *c, struct str *bytes)
{
    const char *lf = memchr(bytes->ptr, '\n', bytes->len);
    size_t count = lf ? (size_t)(lf - bytes->ptr) + 1 : bytes->len;
    bytes->ptr += count;
    bytes->len -= count;
    if (lf) {
        c->line++;
        next_row(c);
    }
}

static int step(struct csv *c, struct str *bytes, struct error *err)
{
    switch (c->state) {
    case CSV_CELL_START:
        if (!c->gathering)
            c->row_line = c->line;
        c->gathering = true;
        c->quoted = *bytes->ptr == '"';
        c->state = c->quoted ? CSV_QUOTED : CSV_PLAIN;
        bytes->ptr += c->quoted;
        bytes->len -= c->quoted;
        return 0;
    case CSV_PLAIN:
        return plain(c, bytes, err);
    case CSV_QUOTED:
        return quoted(c, bytes, err);
    case CSV_QUOTE:
    case CSV_QUOTE_CR:
        return after_quote(c, bytes, err);
    case CSV_SKIP:
        skip(c, bytes);
    }
    return 0;
}

static int rows(struct csv *c, struct str bytes, struct error *err)
{
    int rc = 0;
    while (rc == 0 && bytes.len > 0) {
        unsigned count = 0;
        uint64_t inner_lines = 0;
        size_t length = c->gathering ? 0 : row_in_place(c, bytes, &count, &inner_lines);
        if (length == 0) {
            rc = step(c, &bytes, err);
            continue;
        }
        bool blank = count == 1 && c->cells[0].len == 0 && *bytes.ptr != '"';
        if (!blank)
            rc = hand_on(c, c->line, count, CSV_GOOD, err);
        c->line += 1 + inner_lines;
        bytes.ptr += length;
        bytes.len -= length;
    }
    return rc;
}

/* The separator of the first row; *whole: its end is among the bytes. */
static char find_separator(struct str bytes, bool *whole)
{
    static const char separators[] = {',', ';', '\t'};
    size_t counts[sizeof separators] = {0}, best = 0;
    bool inside = false;
    *whole = false;
    for (size_t i = 0; i < bytes.len && !*whole; i++) {
        char c = bytes.ptr[i];
        inside ^= c == '"';
        *whole = c == '\n' && !inside;
        for (size_t k = 0; k < sizeof separators; k++)
            counts[k] += c == separators[k] && !inside;
    }
    for (size_t k = 1; k < sizeof separators; k++)
        best = counts[k] > counts[best] ? k : best;
    return separators[best];
}

/* Holds the first row back until its separator is known. */
static int push_head(struct csv *c, struct str bytes, bool last, struct error *err)
{
    bool whole;
    buf_str(&c->head, bytes);
    if (c->head.failed)
        return error_set(err, ERR_NOMEM, "csv: out of memory");
    struct str head = {c->head.ptr, c->head.len};
    char separator = find_separator(head, &whole);
    if (!whole && !last && head.len < HEAD_BYTES)
        return 0;
    c->separator = separator;
    int rc = rows(c, head, err);
    buf_deinit(&c->head);
    return rc;
}

int csv_push(struct csv *c, struct str bytes, struct error *err)
{
    return c->separator ? rows(c, bytes, err) : push_head(c, bytes, false, err);
}

int csv_finish(struct csv *c, struct error *err)
{
    int rc = c->separator ? 0 : push_head(c, STR_NONE, true, err);
    if (rc != 0 || !c->gathering || c->state == CSV_SKIP)
        return rc;
    return c->state == CSV_QUOTED ? fault(c, CSV_NOT_CLOSED, err) : end_row(c, err);
}

/* CSV (RFC 4180) in pieces of any size -> rows of cells. LF and CRLF, quoted cells with "" and line
 * ends inside. Beyond the RFC: a quote inside an unquoted cell is an ordinary byte (12" RULER), and
 * the separator is found in the first row: comma, semicolon or tab, whichever stands there most
 * often outside quotes. Blank lines are skipped. */
#ifndef INGEST_CSV_H
#define INGEST_CSV_H

#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"

enum csv_problem {
    CSV_GOOD,
    CSV_TOO_LONG,    /* past LIMIT_CSV_ROW_BYTES: a quote that is never closed, usually */
    CSV_TOO_MANY,    /* more than LIMIT_CSV_COLUMNS cells */
    CSV_AFTER_QUOTE, /* text between a closing quote and the separator */
    CSV_NOT_CLOSED   /* the input ends inside quotes */
};
const char *csv_problem_text(enum csv_problem problem);

/* A row; borrowed for the call. With a problem it has no cells, and reading goes on with the next
 * line. `line` is where it begins, from 1. Non-zero (with err set) stops the reading. */
struct csv_row {
    uint64_t line;
    const struct str *cells;
    unsigned count;
    enum csv_problem problem;
};
typedef int (*csv_fn)(void *context, const struct csv_row *row, struct error *err);

enum csv_state { CSV_CELL_START, CSV_PLAIN, CSV_QUOTED, CSV_QUOTE, CSV_QUOTE_CR, CSV_SKIP };

struct csv {
    char separator;  /* 0 until the first row's end is known */
    struct buf head; /* the first row until then */
    enum csv_state state;
    struct buf text;                  /* the cells so far of a row that is being gathered */
    uint32_t ends[LIMIT_CSV_COLUMNS]; /* their ends in `text` */
    struct str cells[LIMIT_CSV_COLUMNS];
    unsigned count;
    bool gathering; /* a row has begun in `text` */
    bool quoted;    /* the row's last cell was quoted */
    uint64_t line, row_line;
    csv_fn row;
    void *context;
};

void csv_init(struct csv *c, csv_fn row, void *context);
void csv_deinit(struct csv *c); /* may run twice */
int csv_push(struct csv *c, struct str bytes, struct error *err) WARN_UNUSED;
int csv_finish(struct csv *c, struct error *err) WARN_UNUSED;

#endif

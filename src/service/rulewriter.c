/* A line is made in a buffer of its own and copied out: rules come from one thread, and their
 * numbers cost more than the copy. */
#include "service/rulewriter.h"

#include "base/buf.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

struct rulewriter {
    struct outlane *lane;
    enum text_format format;
    struct rule_columns columns;
    struct itemtext text;
    struct buf line;
    uint64_t count;
};

static const char *column_name(unsigned column)
{
    switch (column) {
    case RULE_Q:
        return "q";
    case RULE_IMPROVEMENT:
        return "improvement";
    case RULE_IMPROVEMENT_P:
        return "improvement_p";
    case RULE_PRODUCTIVE:
        return "productive";
    default:
        return measure_name((enum measure)column);
    }
}

bool rule_columns_have(const struct rule_columns *columns, unsigned column)
{
    for (unsigned i = 0; i < columns->count; i++)
        if (columns->column[i] == column)
            return true;
    return false;
}

static bool add_column(struct rule_columns *columns, struct str name)
{
    for (unsigned c = 0; c < RULE_COLUMN_COUNT; c++) {
        if (!str_eq(name, str_of(column_name(c))))
            continue;
        if (!rule_columns_have(columns, c))
            columns->column[columns->count++] = (unsigned char)c;
        return true;
    }
    return false;
}

bool rule_columns_parse(struct str list, struct rule_columns *out, struct str *unknown)
{
    *out = (struct rule_columns){0};
    if (str_eq(list, STR("all"))) {
        for (unsigned c = 0; c < RULE_COLUMN_COUNT; c++)
            out->column[out->count++] = (unsigned char)c;
        return true;
    }
    do {
        *unknown = str_trim(str_cut(&list, ','));
        if (!add_column(out, *unknown))
            return false;
    } while (list.ptr);
    return true;
}

void rule_columns_names(struct buf *out)
{
    for (unsigned c = 0; c < RULE_COLUMN_COUNT; c++) {
        buf_char(out, ' ');
        buf_text(out, column_name(c));
    }
}

static double value_of(const struct rule *rule, unsigned column)
{
    switch (column) {
    case MEASURE_FISHER_P:
        return rule->fisher_p;
    case RULE_Q:
        return rule->q;
    case RULE_IMPROVEMENT:
        return rule->improvement;
    case RULE_IMPROVEMENT_P:
        return rule->improvement_p;
    default:
        return measure_of((enum measure)column, &rule->counts);
    }
}

static void put_items(const struct rulewriter *w, struct buf *line, const uint32_t *items,
                      uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        buf_str(line, itemtext_of(&w->text, items[i]));
    if (line->len && w->format != TEXT_FIMI)
        line->len--; /* the last separator */
}

static void put_fimi(const struct rulewriter *w, struct buf *line, const struct rule *rule)
{
    put_items(w, line, rule->antecedent, rule->antecedent_length);
    buf_text(line, "-> ");
    put_items(w, line, rule->consequent, rule->consequent_length);
    buf_char(line, '(');
    buf_u64(line, rule->counts.c);
    buf_char(line, ' ');
    buf_f64(line, measure_of(MEASURE_CONFIDENCE, &rule->counts));
    buf_char(line, ' ');
    buf_f64(line, measure_of(MEASURE_LIFT, &rule->counts));
    buf_text(line, ")\n");
}

static void put_tsv(const struct rulewriter *w, struct buf *line, const struct rule *rule)
{
    put_items(w, line, rule->antecedent, rule->antecedent_length);
    buf_char(line, '\t');
    put_items(w, line, rule->consequent, rule->consequent_length);
    buf_char(line, '\t');
    buf_u64(line, rule->counts.c);
    for (unsigned i = 0; i < w->columns.count; i++) {
        unsigned column = w->columns.column[i];
        buf_char(line, '\t');
        if (column == RULE_PRODUCTIVE) {
            buf_text(line, rule->productive ? "true" : "false");
            continue;
        }
        double value = value_of(rule, column);
        if (!isnan(value))
            buf_f64(line, value);
    }
    buf_char(line, '\n');
}

static void put_ndjson(const struct rulewriter *w, struct buf *line, const struct rule *rule)
{
    buf_text(line, "{\"antecedent\":[");
    put_items(w, line, rule->antecedent, rule->antecedent_length);
    buf_text(line, "],\"consequent\":[");
    put_items(w, line, rule->consequent, rule->consequent_length);
    buf_text(line, "],\"count\":");
    buf_u64(line, rule->counts.c);
    for (unsigned i = 0; i < w->columns.count; i++) {
        unsigned column = w->columns.column[i];
        buf_text(line, ",\"");
        buf_text(line, column_name(column));
        buf_text(line, "\":");
        if (column == RULE_PRODUCTIVE)
            buf_text(line, rule->productive ? "true" : "false");
        else
            buf_f64(line, value_of(rule, column));
    }
    buf_text(line, "}\n");
}

static int put_line(struct rulewriter *w)
{
    if (w->line.failed)
        return ERR_NOMEM;
    if (!laneout_reserve(w->lane, w->line.len))
        return ERR_IO;
    if (w->line.len)
        memcpy(w->lane->at, w->line.ptr, w->line.len);
    w->lane->at += w->line.len;
    return 0;
}

int rulewriter_take(void *writer, const struct rule *rule)
{
    struct rulewriter *w = writer;
    buf_clear(&w->line);
    if (w->format == TEXT_FIMI)
        put_fimi(w, &w->line, rule);
    else if (w->format == TEXT_TSV)
        put_tsv(w, &w->line, rule);
    else
        put_ndjson(w, &w->line, rule);
    w->count++;
    return put_line(w);
}

static void put_header(struct rulewriter *w)
{
    if (w->format != TEXT_TSV)
        return;
    buf_text(&w->line, "antecedent\tconsequent\tcount");
    for (unsigned i = 0; i < w->columns.count; i++) {
        buf_char(&w->line, '\t');
        buf_text(&w->line, column_name(w->columns.column[i]));
    }
    buf_char(&w->line, '\n');
}

struct rulewriter *rulewriter_new(struct laneout *out, const struct baskets *baskets,
                                  enum text_format format, const struct rule_columns *columns,
                                  struct error *err)
{
    struct rulewriter *w;
    if (!MEM_ZNEW(w, 1)) {
        error_set(err, ERR_NOMEM, "output: out of memory");
        return NULL;
    }
    w->format = format;
    w->columns = *columns;
    buf_init(&w->line, 0);
    int rc = itemtext_init(&w->text, baskets, format, err);
    w->lane = rc == 0 ? laneout_open(out, NULL) : NULL;
    if (rc == 0 && !w->lane)
        rc = error_set(err, ERR_NOMEM, "output: out of memory");
    if (rc == 0) {
        put_header(w);
        if (put_line(w) == ERR_NOMEM)
            rc = error_set(err, ERR_NOMEM, "output: out of memory");
    }
    if (rc == 0)
        return w;
    rulewriter_free(w);
    return NULL;
}

uint64_t rulewriter_count(const struct rulewriter *w)
{
    return w->count;
}

void rulewriter_free(struct rulewriter *w)
{
    if (!w)
        return;
    if (w->lane)
        laneout_close(w->lane);
    itemtext_deinit(&w->text);
    buf_deinit(&w->line);
    free(w);
}

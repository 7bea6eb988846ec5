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
    const struct strata *strata;
    struct counts *tables; /* [strata->count] of the rule */
    struct itemtext text;
    struct buf line;
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
    if (w->format != TEXT_FIMI)
        line->len -= line->len > 0; /* the last separator */
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

/* A field behind the count. */
static void put_name(const struct rulewriter *w, struct buf *line, const char *name)
{
    if (w->format == TEXT_TSV) {
        buf_char(line, '\t');
        return;
    }
    buf_text(line, ",\"");
    buf_text(line, name);
    buf_text(line, "\":");
}

/* Undefined is an empty cell, or null. */
static void put_number(const struct rulewriter *w, struct buf *line, double value)
{
    if (w->format != TEXT_TSV || !isnan(value))
        buf_f64(line, value);
}

static void put_columns(const struct rulewriter *w, struct buf *line, const struct rule *rule)
{
    for (unsigned i = 0; i < w->columns.count; i++) {
        unsigned column = w->columns.column[i];
        put_name(w, line, column_name(column));
        if (column == RULE_PRODUCTIVE)
            buf_text(line, rule->productive ? "true" : "false");
        else
            put_number(w, line, value_of(rule, column));
    }
}

static const char *const adjusted_names[] = {"adjusted_odds_ratio", "adjusted_low",
                                             "adjusted_high"};

static int put_adjusted(const struct rulewriter *w, struct buf *line, const struct rule *rule)
{
    const struct item_list x = {rule->antecedent, rule->antecedent_length},
                           y = {rule->consequent, rule->consequent_length};
    struct adjusted adjusted;
    if (!w->strata)
        return 0;
    int rc = strata_count(w->strata, x, y, w->tables, NULL);
    if (rc)
        return rc;
    strata_adjust(w->tables, w->strata->count, &adjusted);
    const double values[] = {adjusted.odds_ratio, adjusted.low, adjusted.high};
    for (unsigned i = 0; i < 3; i++) {
        put_name(w, line, adjusted_names[i]);
        put_number(w, line, values[i]);
    }
    return 0;
}

static int put_tsv(const struct rulewriter *w, struct buf *line, const struct rule *rule)
{
    put_items(w, line, rule->antecedent, rule->antecedent_length);
    buf_char(line, '\t');
    put_items(w, line, rule->consequent, rule->consequent_length);
    buf_char(line, '\t');
    buf_u64(line, rule->counts.c);
    put_columns(w, line, rule);
    int rc = put_adjusted(w, line, rule);
    buf_char(line, '\n');
    return rc;
}

static int put_ndjson(const struct rulewriter *w, struct buf *line, const struct rule *rule)
{
    buf_text(line, "{\"antecedent\":[");
    put_items(w, line, rule->antecedent, rule->antecedent_length);
    buf_text(line, "],\"consequent\":[");
    put_items(w, line, rule->consequent, rule->consequent_length);
    buf_text(line, "],\"count\":");
    buf_u64(line, rule->counts.c);
    put_columns(w, line, rule);
    int rc = put_adjusted(w, line, rule);
    buf_text(line, "}\n");
    return rc;
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
    int rc = 0;
    buf_clear(&w->line);
    if (w->format == TEXT_FIMI)
        put_fimi(w, &w->line, rule);
    else if (w->format == TEXT_TSV)
        rc = put_tsv(w, &w->line, rule);
    else
        rc = put_ndjson(w, &w->line, rule);
    return rc ? rc : put_line(w);
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
    for (unsigned i = 0; w->strata && i < 3; i++) {
        buf_char(&w->line, '\t');
        buf_text(&w->line, adjusted_names[i]);
    }
    buf_char(&w->line, '\n');
}

struct rulewriter *rulewriter_new(struct laneout *out, const struct rulewriter_options *options,
                                  struct error *err)
{
    struct rulewriter *w;
    if (!MEM_ZNEW(w, 1)) {
        error_set(err, ERR_NOMEM, "output: out of memory");
        return NULL;
    }
    w->format = options->format;
    w->columns = *options->columns;
    w->strata = options->strata;
    buf_init(&w->line, 0);
    int rc = itemtext_init(&w->text, options->items, options->format, err);
    if (rc == 0 && w->strata && !MEM_NEW(w->tables, w->strata->count))
        rc = error_set(err, ERR_NOMEM, "output: out of memory");
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

void rulewriter_free(struct rulewriter *w)
{
    if (!w)
        return;
    if (w->lane)
        laneout_close(w->lane);
    itemtext_deinit(&w->text);
    buf_deinit(&w->line);
    free(w->tables);
    free(w);
}

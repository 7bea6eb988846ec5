/* Sums of counts and the first bad lines of an ingest, and their JSON. A tally is nine numbers in a
 * row, so that adding and printing walk a table of names. */
#include "service/report.h"

#include <string.h>

static const char *const tally_names[] = {"read",      "accepted",  "replaced",
                                          "duplicate", "cancelled", "returned",
                                          "merged",    "excluded",  "rejected"};
static const char *const kind_names[] = {"orders", "lines", "items", "events", "cancels"};

#define TALLY_NUMBERS (sizeof tally_names / sizeof *tally_names)
#define KINDS         (sizeof kind_names / sizeof *kind_names)
#define COUNT_NUMBERS (KINDS * TALLY_NUMBERS)

_Static_assert(sizeof(struct tally) == TALLY_NUMBERS * sizeof(uint64_t), "tally_names");
_Static_assert(sizeof(struct ingest_counts) == KINDS * sizeof(struct tally), "kind_names");

void ingest_report_init(struct ingest_report *r)
{
    memset(r, 0, sizeof *r);
    arena_init(&r->arena);
}

void ingest_report_deinit(struct ingest_report *r)
{
    arena_deinit(&r->arena);
    ingest_report_init(r);
}

void ingest_report_add(struct ingest_report *r, const struct record_problem *p)
{
    r->problem_total++;
    if (r->problem_count == LIMIT_ERRORS_KEPT)
        return;
    struct ingest_problem copy = {.line = p->line,
                                  .field = arena_str(&r->arena, str_of(p->field)),
                                  .reason = arena_str(&r->arena, str_of(p->reason))};
    if (copy.field.ptr && copy.reason.ptr)
        r->problems[r->problem_count++] = copy;
}

void ingest_counts_add(struct ingest_counts *sum, const struct ingest_counts *more)
{
    uint64_t a[COUNT_NUMBERS], b[COUNT_NUMBERS];
    memcpy(a, sum, sizeof a);
    memcpy(b, more, sizeof b);
    for (size_t i = 0; i < COUNT_NUMBERS; i++)
        a[i] += b[i];
    memcpy(sum, a, sizeof a);
}

static void tally_json(const char *kind, const uint64_t *numbers, struct buf *out)
{
    buf_printf(out, "\"%s\":{", kind);
    for (size_t i = 0; i < TALLY_NUMBERS; i++)
        buf_printf(out, "%s\"%s\":%llu", i ? "," : "", tally_names[i],
                   (unsigned long long)numbers[i]);
    buf_text(out, "},");
}

void ingest_report_json(const struct ingest_report *r, struct buf *out)
{
    uint64_t numbers[COUNT_NUMBERS];
    memcpy(numbers, &r->counts, sizeof numbers);
    buf_char(out, '{');
    for (size_t kind = 0; kind < KINDS; kind++)
        tally_json(kind_names[kind], numbers + kind * TALLY_NUMBERS, out);
    buf_printf(out, "\"error_count\":%llu,\"errors\":[", (unsigned long long)r->problem_total);
    for (uint32_t i = 0; i < r->problem_count; i++) {
        const struct ingest_problem *p = &r->problems[i];
        buf_printf(out, "%s{\"line\":%llu,\"field\":", i ? "," : "", (unsigned long long)p->line);
        buf_json_str(out, p->field);
        buf_text(out, ",\"reason\":");
        buf_json_str(out, p->reason);
        buf_char(out, '}');
    }
    buf_text(out, "]}");
}

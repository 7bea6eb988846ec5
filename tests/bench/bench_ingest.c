/* Speed of reading, one core, from memory, in pieces of 64 KiB, nothing done with the records:
 * bench_ingest [orders] [repeats]. The time is the best of the repeats. Shapes: `order,item` with
 * an order's rows together and scattered over the file, UCI's columns, JSON in its two forms, FIMI,
 * and the shared UCI file as it is. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "ingest/reader.h"
#include "support/shared.h"

#include <stdio.h>
#include <stdlib.h>

enum { PIECE = 64 << 10, ITEMS = 20000 };

struct row {
    uint32_t order, item, quantity;
};

struct made {
    struct row *rows;
    uint32_t rows_count, orders;
};

static int make_rows(struct made *m, uint32_t orders)
{
    struct rng rng;
    rng_seed(&rng, 1);
    *m = (struct made){.orders = orders};
    if (!MEM_NEW(m->rows, (size_t)orders * 5))
        return 1;
    for (uint32_t o = 0; o < orders; o++)
        for (uint32_t n = 3 + rng_below(&rng, 3); n > 0; n--)
            m->rows[m->rows_count++] =
                (struct row){1000000 + o, 10000 + rng_below(&rng, ITEMS), 1 + rng_below(&rng, 3)};
    return 0;
}

static void shuffle(struct made *m)
{
    struct rng rng;
    rng_seed(&rng, 2);
    for (uint32_t i = m->rows_count; i > 1; i--) {
        uint32_t j = rng_below(&rng, i);
        struct row swapped = m->rows[i - 1];
        m->rows[i - 1] = m->rows[j];
        m->rows[j] = swapped;
    }
}

static void plain_csv(struct buf *out, const struct made *m)
{
    buf_text(out, "order,item\n");
    for (uint32_t i = 0; i < m->rows_count; i++)
        buf_printf(out, "%u,sku-%u\n", m->rows[i].order, m->rows[i].item);
}

static void uci_csv(struct buf *out, const struct made *m)
{
    buf_text(out, "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,"
                  "Country\r\n");
    for (uint32_t i = 0; i < m->rows_count; i++) {
        const struct row *r = &m->rows[i];
        buf_printf(out,
                   "%u,%u,WHITE HANGING HEART T-LIGHT HOLDER,%u,2010-12-%02u %02u:26:00,%u.%02u,"
                   "%u,United Kingdom\r\n",
                   r->order, r->item, r->quantity, 1 + r->order % 28, r->order % 24, r->item % 50,
                   r->item % 100, 10000 + r->order % 4000);
    }
}

static void json_orders(struct buf *out, const struct made *m, const char *between)
{
    for (uint32_t i = 0; i < m->rows_count;) {
        uint32_t order = m->rows[i].order;
        if (i > 0)
            buf_text(out, between);
        buf_printf(out,
                   "{\"order_id\":\"%u\",\"user_id\":\"u%u\",\"timestamp\":"
                   "\"2026-01-%02uT03:04:05Z\",\"items\":[",
                   order, order % 4000, 1 + order % 28);
        for (uint32_t first = i; i < m->rows_count && m->rows[i].order == order; i++)
            buf_printf(out, "%s{\"item_id\":\"sku-%u\",\"quantity\":%u,\"price\":%u.%02u}",
                       i > first ? "," : "", m->rows[i].item, m->rows[i].quantity,
                       m->rows[i].item % 50, m->rows[i].item % 100);
        buf_text(out, "]}");
    }
}

static void fimi(struct buf *out, const struct made *m)
{
    for (uint32_t i = 0; i < m->rows_count; i++)
        buf_printf(out, "%u%c", m->rows[i].item,
                   i + 1 < m->rows_count && m->rows[i + 1].order == m->rows[i].order ? ' ' : '\n');
}

static int take(void *context, const struct record *record, struct error *err)
{
    (void)err;
    *(uint64_t *)context += record->line_count;
    return 0;
}

static int read_once(struct str input, struct ingest_counts *counts)
{
    uint64_t lines = 0;
    struct error err = ERROR_INIT;
    const struct reader_options options = {.source = "bench"};
    const struct reader_sink sink = {.context = &lines, .record = take};
    struct reader *r = reader_new(&options, &sink, &err);
    int rc = r ? 0 : -1;
    while (rc == 0 && input.len > 0) {
        size_t len = input.len < PIECE ? input.len : PIECE;
        rc = reader_feed(r, (struct str){input.ptr, len}, &err);
        input = (struct str){input.ptr + len, input.len - len};
    }
    if (rc == 0)
        rc = reader_finish(r, &err);
    if (rc != 0)
        printf("failed: %s\n", err.text);
    else
        *counts = *reader_counts(r);
    reader_free(r);
    return rc;
}

static int measure(const char *name, struct str input, int repeats)
{
    double best_s = 1e9;
    struct ingest_counts counts = {0};
    for (int i = 0; i < repeats; i++) {
        double begin = clock_cpu_s();
        if (read_once(input, &counts))
            return 1;
        double s = clock_cpu_s() - begin;
        best_s = s < best_s ? s : best_s;
    }
    printf("%-14s %7.1f MB %9.0f orders/s %9.0f lines/s %7.1f MB/s\n", name,
           (double)input.len / 1e6, (double)counts.orders.read / best_s,
           (double)counts.lines.read / best_s, (double)input.len / 1e6 / best_s);
    printf("result ingest.%s.orders %.0f orders/s\n", name, (double)counts.orders.read / best_s);
    printf("result ingest.%s.bytes %.1f MB/s\n", name, (double)input.len / 1e6 / best_s);
    return 0;
}

/* Measures what `text` holds and empties it. */
static int measure_text(const char *name, struct buf *text, int repeats)
{
    int rc = text->failed ? 1 : measure(name, (struct str){text->ptr, text->len}, repeats);
    buf_clear(text);
    return rc;
}

static int run(struct made *m, struct buf *text, int repeats)
{
    int bad = 0;
    plain_csv(text, m);
    bad |= measure_text("csv", text, repeats);
    uci_csv(text, m);
    bad |= measure_text("csv_uci", text, repeats);
    json_orders(text, m, "\n");
    bad |= measure_text("ndjson", text, repeats);
    buf_char(text, '[');
    json_orders(text, m, ",\n");
    buf_char(text, ']');
    bad |= measure_text("json", text, repeats);
    fimi(text, m);
    bad |= measure_text("fimi", text, repeats);
    shuffle(m);
    plain_csv(text, m);
    bad |= measure_text("csv_scattered", text, repeats);
    if (!shared_read("online-retail/online_retail.csv.gz", text)) {
        printf("skipped: no shared data\n");
        return bad;
    }
    return bad | measure_text("uci_gzip", text, repeats);
}

int main(int argc, char **argv)
{
    uint64_t orders = 200000, repeats = 3;
    if ((argc > 1 && !str_to_u64(str_of(argv[1]), &orders)) ||
        (argc > 2 && !str_to_u64(str_of(argv[2]), &repeats)))
        return 2;
    struct made m;
    struct buf text;
    buf_init(&text, 0);
    int bad = make_rows(&m, (uint32_t)orders);
    if (!bad)
        bad = run(&m, &text, (int)repeats);
    buf_deinit(&text);
    free(m.rows);
    return bad;
}

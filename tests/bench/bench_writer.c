/* Durable single-order requests: 64 threads each submit one order, wait for its commit, submit the
 * next: bench_writer [seconds, default 5 [threads, default 64]]. Files go to $TMPDIR or /tmp. */
#include "base/clock.h"
#include "service/ingest.h"
#include "support/tempdir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct submitter {
    struct shop *shop;
    pthread_t thread;
    uint32_t number;
    uint64_t until_ns;
    uint64_t *waits_ns;
    uint32_t count, cap;
    bool failed;
};

static void *submit(void *context)
{
    struct submitter *s = context;
    struct ingest_op *op = ingest_op_new(NULL, NULL);
    while (op && clock_mono_ns() < s->until_ns && s->count < s->cap && !s->failed) {
        char order[32], user[32];
        struct record_line lines[3] = {
            {.item_id = STR("item-1"), .quantity = 1, .price_minor = 250},
            {.item_id = STR("item-2"), .quantity = 2, .price_minor = 990},
            {.item_id = STR("item-3"), .quantity = 1, .price_minor = 99}};
        snprintf(order, sizeof order, "o%u-%u", s->number, s->count);
        snprintf(user, sizeof user, "u%u", s->count % 1000);
        struct record record = {.kind = RECORD_ORDER,
                                .time_ms = clock_wall_ms(),
                                .order_id = str_of(order),
                                .user_id = str_of(user),
                                .lines = lines,
                                .line_count = 3,
                                .input_lines = 3};
        uint64_t start_ns = clock_mono_ns();
        ingest_op_clear(op);
        s->failed =
            ingest_op_add(op, &record, NULL) != 0 || shop_write_wait(s->shop, &op->op, NULL) != 0;
        s->waits_ns[s->count++] = clock_mono_ns() - start_ns;
    }
    ingest_op_free(op);
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int report(struct submitter *s, uint32_t threads, double seconds)
{
    uint64_t total = 0, filled = 0;
    bool failed = false;
    for (uint32_t i = 0; i < threads; i++)
        total += s[i].count;
    uint64_t *all = malloc((total + 1) * sizeof *all);
    if (!all)
        return 1;
    for (uint32_t i = 0; i < threads; i++) {
        memcpy(all + filled, s[i].waits_ns, s[i].count * sizeof *all);
        filled += s[i].count;
        failed = failed || s[i].failed;
    }
    qsort(all, total, sizeof *all, by_value);
    if (total) {
        uint64_t p50_ns = all[total / 2], p99_ns = all[total * 99 / 100];
        printf("result writer.orders_per_s %.0f orders/s\n"
               "result writer.p50 %.2f ms\nresult writer.p99 %.2f ms\n",
               (double)total / seconds, (double)p50_ns / 1e6, (double)p99_ns / 1e6);
    }
    free(all);
    return failed || !total;
}

int main(int argc, char **argv)
{
    struct error err = ERROR_INIT;
    struct settings settings;
    uint64_t seconds = 5, threads = 64;
    struct tempdir dir;
    if ((argc > 1 && !str_to_u64(str_of(argv[1]), &seconds)) ||
        (argc > 2 && !str_to_u64(str_of(argv[2]), &threads)) || threads > 1024)
        return 2;
    tempdir_open(&dir);
    settings_default(&settings);
    snprintf(settings.data, sizeof settings.data, "%s/shop", dir.path);
    struct shop *shop = shop_open(&settings, SHOP_COMMAND, &err);
    struct submitter *s = calloc(threads, sizeof *s);
    if (!shop || !s) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    uint64_t start_ns = clock_mono_ns();
    for (uint32_t i = 0; i < threads; i++) {
        s[i] = (struct submitter){.shop = shop,
                                  .number = i,
                                  .cap = 1000000,
                                  .until_ns = start_ns + seconds * 1000000000u};
        s[i].waits_ns = malloc(s[i].cap * sizeof *s[i].waits_ns);
        if (!s[i].waits_ns || pthread_create(&s[i].thread, NULL, submit, &s[i]) != 0)
            return 1;
    }
    for (uint32_t i = 0; i < threads; i++)
        pthread_join(s[i].thread, NULL);
    int rc = report(s, (uint32_t)threads, (double)(clock_mono_ns() - start_ns) / 1e9);
    for (uint32_t i = 0; i < threads; i++)
        free(s[i].waits_ns);
    free(s);
    shop_close(shop);
    tempdir_close(&dir);
    return rc;
}

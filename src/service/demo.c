/* A made-up shop from one seed.
 *
 * Items have Zipf popularity, a season or not, and a place in one of the planted groups. An order
 * belongs to a user with up to three habits (an item bought again after its own gap) and holds: due
 * habits, a Poisson number of draws by popularity in the month, for each drawn bundle anchor its
 * partners with the bundle's probability, and never both of two substitutes. One user in a hundred
 * buys in bulk. Orders are written in time order, so memory is that of items and users alone. Names
 * are in demo_names.c. */
#include "service/demo.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"
#include "demo_internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DAY_MS         86400000LL
#define YEAR_DAYS      365
#define DEFAULT_END_MS 1767225600000LL /* 2026-01-01 */
#define BASKET_MAX     100
#define FLUSH_BYTES    (256u << 10)

struct file {
    FILE *stream;
    struct buf text;
    const char *name;
};

static int file_open(struct file *f, const char *directory, const char *name, struct error *err)
{
    char path[4352];
    snprintf(path, sizeof path, "%.4095s/%s", directory, name);
    buf_init(&f->text, 0);
    f->name = name;
    f->stream = fopen(path, "wb");
    return f->stream ? 0 : error_set_errno(err, ERR_IO, errno, "%s", path);
}

static int file_flush(struct file *f, size_t over, struct error *err)
{
    if (f->text.failed)
        return error_set(err, ERR_NOMEM, "%s: out of memory", f->name);
    if (f->text.len <= over)
        return 0;
    if (fwrite(f->text.ptr, 1, f->text.len, f->stream) != f->text.len)
        return error_set_errno(err, ERR_IO, errno, "%s", f->name);
    buf_clear(&f->text);
    return 0;
}

/* Flushes unless `rc` says it went wrong already. */
static int file_close(struct file *f, int rc, struct error *err)
{
    if (rc == 0)
        rc = file_flush(f, 0, err);
    if (f->stream && fclose(f->stream) != 0 && rc == 0)
        rc = error_set_errno(err, ERR_IO, errno, "%s", f->name);
    buf_deinit(&f->text);
    f->stream = NULL;
    return rc;
}

/* ---- the shop ---- */

static int shop_alloc(struct demo *d, struct error *err)
{
    bool ok = MEM_ZNEW(d->items, d->item_count) && MEM_ZNEW(d->bundles, d->bundle_count) &&
              MEM_ZNEW(d->users, d->user_count) && MEM_ZNEW(d->stamp, d->item_count);
    for (int m = 0; ok && m < 12; m++)
        ok = MEM_ZNEW(d->cumulative[m], d->item_count) != NULL;
    return ok ? 0 : error_set(err, ERR_NOMEM, "demo: out of memory");
}

static void shop_release(struct demo *d)
{
    free(d->items);
    free(d->bundles);
    free(d->users);
    free(d->stamp);
    for (int m = 0; m < 12; m++)
        free(d->cumulative[m]);
}

static void plant_items(struct demo *d)
{
    struct rng *r = &d->rng;
    for (uint32_t i = 0; i < d->item_count; i++) {
        struct demo_item *it = &d->items[i];
        it->weight = (float)(1.0 / pow(i + 3.0, 0.8));
        it->bundle = it->substitute = DEMO_NONE;
        it->season = -1;
        demo_name_item(d, i);
    }
    for (uint32_t i = d->item_count - 1; i > 0; i--) { /* popularity is not the order of ids */
        uint32_t j = rng_below(r, i + 1);
        float swap = d->items[i].weight;
        d->items[i].weight = d->items[j].weight;
        d->items[j].weight = swap;
    }
}

/* An item in no group yet, tried at random. */
static uint32_t free_item(struct demo *d)
{
    for (;;) {
        uint32_t i = rng_below(&d->rng, d->item_count);
        const struct demo_item *it = &d->items[i];
        if (it->bundle == DEMO_NONE && it->substitute == DEMO_NONE && it->season < 0 &&
            it->gap_days == 0)
            return i;
    }
}

static void plant_groups(struct demo *d)
{
    struct rng *r = &d->rng;
    for (uint32_t b = 0; b < d->bundle_count; b++) {
        struct demo_bundle *bundle = &d->bundles[b];
        bundle->count = 2 + rng_below(r, 3);
        bundle->chance = 0.5f + 0.35f * rng_unitf(r);
        for (uint32_t i = 0; i < bundle->count; i++) {
            bundle->items[i] = free_item(d);
            d->items[bundle->items[i]].bundle = b;
        }
        struct demo_item *anchor = &d->items[bundle->items[0]];
        float floor_weight = 40.0f / (float)d->item_count; /* often enough to be found */
        if (anchor->weight < floor_weight)
            anchor->weight = floor_weight;
    }
    for (uint32_t i = 0; i < d->item_count / 25; i++) {
        uint32_t a = free_item(d);
        d->items[a].substitute = a;
        uint32_t b = free_item(d);
        d->items[a].substitute = b;
        d->items[b].substitute = a;
    }
    for (uint32_t i = 0; i < d->item_count / 25; i++)
        d->items[free_item(d)].season = (int8_t)rng_below(r, 12);
    for (uint32_t i = 0; i < d->item_count / 20; i++)
        d->items[free_item(d)].gap_days = (uint8_t)(14 + rng_below(r, 32));
}

static void weigh_months(struct demo *d)
{
    for (int m = 0; m < 12; m++) {
        double sum = 0;
        for (uint32_t i = 0; i < d->item_count; i++) {
            const struct demo_item *it = &d->items[i];
            int apart = it->season < 0 ? 0 : abs(m - it->season);
            apart = apart > 6 ? 12 - apart : apart;
            double factor = it->season < 0 ? 1 : apart == 0 ? 8 : apart == 1 ? 3 : 0.05;
            sum += it->weight * factor;
            d->cumulative[m][i] = sum;
        }
    }
}

static uint32_t draw_item(struct demo *d, int month)
{
    const double *c = d->cumulative[month];
    double x = rng_unit(&d->rng) * c[d->item_count - 1];
    uint32_t low = 0, high = d->item_count - 1;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (c[mid] > x)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

static void plant_users(struct demo *d)
{
    struct rng *r = &d->rng;
    for (uint32_t u = 0; u < d->user_count; u++) {
        struct demo_user *user = &d->users[u];
        user->bulk = u % 100 == 99;
        user->habit_count = (uint8_t)rng_below(r, DEMO_HABITS + 1);
        for (uint32_t h = 0; h < user->habit_count; h++) {
            uint32_t item = rng_below(r, d->item_count);
            for (uint32_t step = 0; step < d->item_count && d->items[item].gap_days == 0; step++)
                item = (item + 1) % d->item_count;
            user->habit[h] = item;
        }
    }
}

/* ---- orders ---- */

struct basket {
    uint32_t items[BASKET_MAX], quantity[BASKET_MAX], count;
};

static void basket_add(struct demo *d, struct basket *b, uint32_t item, uint32_t quantity)
{
    const struct demo_item *it = &d->items[item];
    bool rival = it->substitute != DEMO_NONE && d->stamp[it->substitute] == d->now;
    if (b->count == BASKET_MAX || d->stamp[item] == d->now || rival)
        return;
    d->stamp[item] = d->now;
    b->items[b->count] = item;
    b->quantity[b->count++] = quantity;
}

static void add_drawn(struct demo *d, struct basket *b, uint32_t item, bool bulk)
{
    struct rng *r = &d->rng;
    uint32_t quantity = bulk ? 6 + rng_below(r, 43) : 1 + (rng_below(r, 5) == 0);
    basket_add(d, b, item, quantity);
    if (d->items[item].bundle == DEMO_NONE)
        return;
    const struct demo_bundle *bundle = &d->bundles[d->items[item].bundle];
    for (uint32_t i = 0; i < bundle->count; i++)
        if (rng_unitf(r) < bundle->chance)
            basket_add(d, b, bundle->items[i], quantity);
}

static void fill_basket(struct demo *d, struct basket *b, struct demo_user *user, int day,
                        int month)
{
    struct rng *r = &d->rng;
    b->count = 0;
    d->now++;
    for (uint32_t h = 0; h < user->habit_count; h++) {
        uint32_t item = user->habit[h];
        int due = user->last_day[h] + d->items[item].gap_days;
        if (user->last_day[h] == 0 || day + 3 >= due) {
            basket_add(d, b, item, 1);
            user->last_day[h] = (uint16_t)(day + 1);
        }
    }
    uint32_t draws = user->bulk ? 20 + rng_below(r, 40) : 1 + rng_poisson(r, 1.6);
    for (uint32_t i = 0; i < draws; i++)
        add_drawn(d, b, draw_item(d, month), user->bulk);
    if (!user->bulk && rng_below(r, 4) == 0) /* noise */
        basket_add(d, b, rng_below(r, d->item_count), 1);
}

static void write_order(struct demo *d, struct buf *out, uint64_t number, uint32_t user,
                        int64_t time_ms, const struct basket *b)
{
    char when[25];
    time_ms_format(time_ms, when);
    buf_printf(out,
               "{\"order_id\":\"D%09llu\",\"user_id\":\"u%07u\",\"timestamp\":\"%s\",\"items\":[",
               (unsigned long long)number, user + 1, when);
    for (uint32_t i = 0; i < b->count; i++)
        buf_printf(out, "%s{\"item_id\":\"sku-%06u\",\"quantity\":%u,\"price\":%u.%02u}",
                   i ? "," : "", b->items[i] + 1, b->quantity[i],
                   d->items[b->items[i]].price_minor / 100,
                   d->items[b->items[i]].price_minor % 100);
    buf_text(out, "]}\n");
}

static int write_orders(struct demo *d, const char *directory, const struct demo_params *p,
                        struct error *err)
{
    struct file f = {0};
    struct basket basket;
    int64_t end = p->end_ms ? p->end_ms : DEFAULT_END_MS, start = end - YEAR_DAYS * DAY_MS;
    int rc = file_open(&f, directory, "orders.ndjson", err);
    if (rc)
        return rc;
    progress_begin(p->progress, "making orders", d->order_count);
    for (uint64_t n = 0; rc == 0 && n < d->order_count; n++) {
        double part = ((double)n + rng_unit(&d->rng)) / (double)d->order_count;
        int64_t time_ms = start + (int64_t)(part * (double)(YEAR_DAYS * DAY_MS - 1));
        int day = (int)(part * YEAR_DAYS), month = (int)(part * 12);
        uint32_t user = (uint32_t)((double)d->user_count * pow(rng_unit(&d->rng), 1.5));
        fill_basket(d, &basket, &d->users[user], day, month > 11 ? 11 : month);
        write_order(d, &f.text, n + 1, user, time_ms, &basket);
        rc = file_flush(&f, FLUSH_BYTES, err);
        if (rc == 0 && progress_step(p->progress, 1))
            rc = error_set(err, ERR_CANCELLED, "cancelled");
    }
    return file_close(&f, rc, err);
}

static int write_items(struct demo *d, const char *directory, struct error *err)
{
    struct file f = {0};
    int rc = file_open(&f, directory, "items.ndjson", err);
    if (rc)
        return rc;
    for (uint32_t i = 0; rc == 0 && i < d->item_count; i++) {
        const struct demo_item *it = &d->items[i];
        buf_printf(&f.text, "{\"kind\":\"item\",\"item_id\":\"sku-%06u\",\"title\":", i + 1);
        buf_json_str(&f.text, str_of(it->title));
        buf_printf(&f.text, ",\"category\":[\"%s\",\"%s\"],\"price\":%u.%02u,\"stock\":%u,",
                   it->department, it->shelf, it->price_minor / 100, it->price_minor % 100,
                   it->stock);
        buf_printf(&f.text, "\"attributes\":{\"brand\":\"%s\",\"perishable\":%s}}\n", it->brand,
                   it->gap_days ? "true" : "false");
        rc = file_flush(&f, FLUSH_BYTES, err);
    }
    return file_close(&f, rc, err);
}

static void write_groups(const struct demo *d, struct buf *out)
{
    const char *comma = "";
    buf_text(out, "\"bundles\":[");
    for (uint32_t b = 0; b < d->bundle_count; b++) {
        const struct demo_bundle *bundle = &d->bundles[b];
        buf_printf(out, "%s\n{\"chance\":%.3f,\"items\":[", b ? "," : "", (double)bundle->chance);
        for (uint32_t i = 0; i < bundle->count; i++)
            buf_printf(out, "%s\"sku-%06u\"", i ? "," : "", bundle->items[i] + 1);
        buf_text(out, "]}");
    }
    buf_text(out, "],\n\"substitutes\":[");
    for (uint32_t i = 0; i < d->item_count; i++) {
        uint32_t other = d->items[i].substitute;
        if (other == DEMO_NONE || other < i)
            continue;
        buf_printf(out, "%s[\"sku-%06u\",\"sku-%06u\"]", comma, i + 1, other + 1);
        comma = ",";
    }
}

static int write_truth(struct demo *d, const char *directory, const struct demo_params *p,
                       struct error *err)
{
    struct file f = {0};
    int rc = file_open(&f, directory, "truth.json", err);
    if (rc)
        return rc;
    buf_printf(&f.text, "{\"seed\":%llu,\"items\":%u,\"orders\":%llu,\"users\":%u,\n",
               (unsigned long long)(p->seed ? p->seed : 1), d->item_count,
               (unsigned long long)d->order_count, d->user_count);
    write_groups(d, &f.text);
    const char *comma = "";
    buf_text(&f.text, "],\n\"seasonal\":[");
    for (uint32_t i = 0; i < d->item_count; i++) {
        if (d->items[i].season < 0)
            continue;
        buf_printf(&f.text, "%s{\"item_id\":\"sku-%06u\",\"month\":%d}", comma, i + 1,
                   d->items[i].season + 1);
        comma = ",";
    }
    comma = "";
    buf_text(&f.text, "],\n\"habits\":[");
    for (uint32_t i = 0; i < d->item_count; i++) {
        if (d->items[i].gap_days == 0)
            continue;
        buf_printf(&f.text, "%s{\"item_id\":\"sku-%06u\",\"gap_days\":%u}", comma, i + 1,
                   d->items[i].gap_days);
        comma = ",";
    }
    buf_text(&f.text, "]}\n");
    return file_close(&f, rc, err);
}

int demo_write(const char *directory, const struct demo_params *params, struct error *err)
{
    struct demo d = {.item_count = params->items ? params->items : 500,
                     .order_count = params->orders ? params->orders : 20000};
    d.bundle_count = d.item_count / 25;
    d.user_count = (uint32_t)(d.order_count / 8 + 1);
    rng_seed(&d.rng, params->seed ? params->seed : 1);
    if (mkdir(directory, 0755) != 0 && errno != EEXIST)
        return error_set_errno(err, ERR_IO, errno, "%s", directory);
    int rc = shop_alloc(&d, err);
    if (rc == 0) {
        plant_items(&d);
        plant_groups(&d);
        weigh_months(&d);
        plant_users(&d);
        rc = write_items(&d, directory, err);
    }
    if (rc == 0)
        rc = write_orders(&d, directory, params, err);
    if (rc == 0)
        rc = write_truth(&d, directory, params, err);
    shop_release(&d);
    return rc;
}

/* What a training needs, before it starts, and whether there is room for the rehearsal: a shop gets
 * a model without one rather than none. Counting the pairs of orders and shoppers takes as long as
 * reading the orders; without them the estimate would be a guess. */
#include "trainer_internal.h"

#include "base/log.h"
#include "base/vec.h"
#include "service/live.h"
#include "service/tuning.h"
#include "store/events.h"
#include "store/orders.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ITEM_NAME_BYTES 40 /* a guess, with where it is */

/* "0.1%" or "25"; settings have checked it. Empty: the builder's choice. */
static void set_min_support(struct build_params *params, const char *text)
{
    struct str s = str_trim(str_of(text));
    double share;
    uint64_t count;
    if (str_to_percent(s, &share))
        params->min_support_share = share;
    else if (str_to_u64(s, &count) && count <= UINT32_MAX)
        params->min_support = (uint32_t)count;
}

struct build_params train_build_params(const struct settings *s, struct progress *progress)
{
    struct build_params params = {.max_length = s->max_length,
                                  .max_itemsets = s->max_itemsets,
                                  .max_rules = s->max_rules,
                                  .min_confidence = s->min_confidence,
                                  .min_lift = s->min_lift,
                                  .max_q = s->max_q,
                                  .redundant_rules = !s->productive,
                                  .neighbours = s->neighbours,
                                  .without_sgns = !s->embeddings,
                                  .memory_limit_bytes = s->memory_limit_bytes,
                                  .threads = s->threads,
                                  .progress = progress};
    params.sgns.threads = s->threads;
    set_min_support(&params, s->min_support);
    return params;
}

int train_menu(const struct settings *s, const struct dataset_shape *shape, struct recipe *menu,
               struct error *err)
{
    struct error why = ERROR_INIT;
    uint32_t items = (uint32_t)shape->items;
    recipe_menu(menu, items);
    if (!s->rehearse || shape->lines > REHEARSAL_LINES_MAX)
        return 0;
    int rc = tuning_menu(s->data, items, menu, &why);
    if (rc == ERR_INVALID) {
        log_warn("tuning.damaged", "error=%s", log_text(why.text, (struct log_quoted[1]){0}));
        recipe_menu(menu, items);
        return 0;
    }
    return rc ? error_set(err, rc, "%s", why.text) : 0;
}

/* Sets not_rehearsed, and rehearsal_bytes where one would be held with more room. */
static void need_of_rehearsal(const struct settings *s, const struct recipe *menu,
                              struct train_need *out)
{
    const struct rehearsal_params params = {
        .keep = s->neighbours, .menu = menu, .threads = s->threads};
    const struct dataset_shape *shape = &out->shape;
    const struct build_params build = train_build_params(s, NULL);
    uint64_t limit = s->memory_limit_bytes;
    struct estimate dataset;
    if (!s->rehearse) {
        snprintf(out->not_rehearsed, sizeof out->not_rehearsed, "train.rehearse is off");
        return;
    }
    if (shape->lines > REHEARSAL_LINES_MAX) {
        snprintf(out->not_rehearsed, sizeof out->not_rehearsed,
                 "%" PRIu64 " order lines, more than %u", shape->lines, REHEARSAL_LINES_MAX);
        return;
    }
    build_estimate(shape, &build, &dataset);
    out->rehearsal_bytes = dataset.dataset_bytes + shape->items * ITEM_NAME_BYTES +
                           rehearsal_estimate_bytes(shape, &params);
    if (limit && out->rehearsal_bytes > limit)
        snprintf(out->not_rehearsed, sizeof out->not_rehearsed,
                 "memory-limit: it may need %" PRIu64 " MiB, the limit is %" PRIu64 " MiB",
                 out->rehearsal_bytes >> 20, limit >> 20);
}

void train_need_of(const struct settings *s, const struct dataset_shape *shape,
                   const struct recipe *menu, const struct recipe *live, struct train_need *out)
{
    struct build_params params = train_build_params(s, NULL);
    struct recipe all = *menu;
    *out = (struct train_need){.shape = *shape};
    need_of_rehearsal(s, menu, out);
    for (uint32_t x = 0; x < all.ingredient_count; x++)
        all.ingredients[x].share = 1; /* what it chooses is not known yet */
    params.recipe = *out->not_rehearsed ? live : &all;
    build_estimate(shape, &params, &out->build);
    out->peak_bytes = out->build.peak_bytes;
    if (!*out->not_rehearsed && out->rehearsal_bytes > out->peak_bytes)
        out->peak_bytes = out->rehearsal_bytes;
}

struct counting {
    struct dataset_shape *shape;
    uint32_t max_order_items;
    VEC(uint64_t) lines; /* by user key */
};

static int count_order(void *context, const struct order_row *row, struct error *err)
{
    struct counting *c = context;
    uint64_t size = row->line_count;
    if (size == 0 || size > c->max_order_items)
        return 0;
    c->shape->orders++;
    c->shape->lines += size;
    c->shape->pairs += size * (size - 1);
    if (!row->user)
        return 0;
    if (!VEC_RESERVE(&c->lines, row->user + 1))
        return error_set(err, ERR_NOMEM, "training: out of memory");
    while (c->lines.count <= row->user)
        c->lines.at[c->lines.count++] = 0;
    c->lines.at[row->user] += size;
    return 0;
}

static int count_shop(struct shop *shop, struct dataset_shape *shape, struct error *err)
{
    struct counting c = {.shape = shape, .max_order_items = shop->settings->max_order_items};
    uint64_t damaged, events = 0;
    struct db *db = train_open(shop, "orders", err);
    if (!db)
        return err ? (int)err->code : ERR_DB;
    int rc = orders_scan(db, count_order, &c, NULL, &damaged, err);
    if (rc == 0)
        rc = events_count(db, &events, err);
    db_close(db);
    shape->events = events < shop->settings->max_events ? events : shop->settings->max_events;
    for (size_t u = 0; u < c.lines.count; u++) {
        shape->users += c.lines.at[u] > 0;
        shape->shopper_pairs += c.lines.at[u] * (c.lines.at[u] - (c.lines.at[u] > 0));
    }
    VEC_FREE(&c.lines);
    pthread_rwlock_rdlock(&shop->memory_lock);
    shape->items = shop->catalog.count ? shop->catalog.count - 1 : 0;
    pthread_rwlock_unlock(&shop->memory_lock);
    return rc;
}

int train_estimate(struct shop *shop, struct train_need *out, struct error *err)
{
    struct dataset_shape shape = {0};
    struct recipe menu;
    int rc = count_shop(shop, &shape, err);
    if (rc == 0)
        rc = train_menu(shop->settings, &shape, &menu, err);
    if (rc)
        return rc;
    struct model *live = live_ref(shop->live);
    train_need_of(shop->settings, &shape, &menu, live ? &live->recipe : NULL, out);
    model_unref(live);
    return 0;
}

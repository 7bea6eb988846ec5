/* Records of any format of the reader. Orders may come again under their id or be cancelled later,
 * so they are gathered first and then added to the dataset in the order they came. */
#include "evaldata_internal.h"

static int out_of_memory(struct error *err)
{
    return error_set(err, ERR_NOMEM, "out of memory for the orders");
}

static int take_lines(struct gathering *g, const struct record *record, struct error *err)
{
    for (uint32_t i = 0; i < record->line_count; i++) {
        const struct record_line *line = &record->lines[i];
        uint32_t item;
        if (g->request->priced && line->price_minor <= 0)
            continue; /* also no price: the least number there is */
        int rc = dict_add(&g->out->names, line->item_id, &item, err);
        if (rc)
            return rc;
        if (!VEC_PUSH(&g->key, item + 1))
            return out_of_memory(err);
    }
    return 0;
}

static int take_order(struct gathering *g, const struct record *record, struct error *err)
{
    uint32_t user = 0, order = (uint32_t)g->start.count;
    uint64_t begin = g->key.count;
    int rc = record->user_id.len ? dict_add(&g->shoppers, record->user_id, &user, err) : 0;
    if (rc == 0)
        rc = take_lines(g, record, err);
    if (rc)
        return rc;
    bool kept = VEC_PUSH(&g->start, begin) && VEC_PUSH(&g->time_ms, record->time_ms) &&
                VEC_PUSH(&g->user, record->user_id.len ? (uint64_t)user + 1 : 0) &&
                VEC_PUSH(&g->gone, false) && strmap_set(&g->orders, record->order_id, order);
    return kept ? 0 : out_of_memory(err);
}

static int take_event(struct gathering *g, const struct record *record, struct error *err)
{
    uint32_t user = 0, item;
    int rc = record->user_id.len ? dict_add(&g->shoppers, record->user_id, &user, err) : 0;
    if (rc == 0)
        rc = dict_add(&g->out->names, record->item_id, &item, err);
    if (rc)
        return rc;
    const struct event event = {.time_ms = record->time_ms,
                                .user = record->user_id.len ? (uint64_t)user + 1 : 0,
                                .item = item + 1,
                                .action = (uint8_t)record->event};
    return evaldata_event(g, &event, record->session_id, err);
}

static int take_record(void *context, const struct record *record, struct error *err)
{
    struct gathering *g = context;
    if (progress_cancelled(g->request->progress))
        return error_set(err, ERR_CANCELLED, "cancelled");
    if (record->kind == RECORD_EVENT && g->request->sessions && record->time_ms != RECORD_NO_TIME)
        return take_event(g, record, err);
    if (record->kind != RECORD_ORDER && record->kind != RECORD_CANCEL)
        return 0;
    uint32_t before = strmap_get(&g->orders, record->order_id);
    if (before != MAP_NONE)
        g->gone.at[before] = true;
    return record->kind == RECORD_ORDER ? take_order(g, record, err) : 0;
}

static void take_problem(void *context, const struct record_problem *problem)
{
    struct evaldata *out = ((struct gathering *)context)->out;
    if (out->rejected++ == 0)
        record_problem_text(problem, out->first_problem, sizeof out->first_problem);
}

static int add_orders(struct gathering *g, struct error *err)
{
    size_t orders = g->start.count, without = 0, with = 0;
    for (size_t o = 0; o < orders; o++) {
        without += !g->gone.at[o] && g->time_ms.at[o] == RECORD_NO_TIME;
        with += !g->gone.at[o] && g->time_ms.at[o] != RECORD_NO_TIME;
    }
    if (with && without)
        return error_set(err, ERR_INVALID,
                         "%zu orders have a time and %zu have none: give all of them one, or none",
                         with, without);
    g->out->timed = with > 0;
    for (size_t o = 0; o < orders; o++) {
        uint64_t end = o + 1 < orders ? g->start.at[o + 1] : g->key.count;
        if (g->gone.at[o] || end == g->start.at[o])
            continue;
        int64_t time_ms = with ? g->time_ms.at[o] : (int64_t)o;
        int rc = dataset_add(&g->out->orders, time_ms, g->user.at[o], g->key.at + g->start.at[o],
                             (uint32_t)(end - g->start.at[o]), err);
        if (rc)
            return rc;
    }
    return 0;
}

int evaldata_records(struct gathering *g, struct str text, struct error *err)
{
    const struct reader_options options = {.format = g->request->format,
                                           .coding = CODING_IDENTITY,
                                           .maps = g->request->maps,
                                           .include_items = g->request->include_items,
                                           .source = "line"};
    const struct reader_sink sink = {.context = g, .record = take_record, .problem = take_problem};
    struct reader *reader = reader_new(&options, &sink, err);
    if (!reader)
        return err->code;
    int rc = reader_feed(reader, text, err);
    if (rc == 0)
        rc = reader_finish(reader, err);
    g->out->format = reader_format(reader);
    reader_free(reader);
    if (rc)
        return rc;
    return g->events ? evaldata_add_sessions(g, err) : add_orders(g, err);
}

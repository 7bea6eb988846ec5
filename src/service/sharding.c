/* Ranks are formatted once; a basket's line for a group is then a piece of one text, the ranks up
 * to the group's largest. Cost: one pass over the baskets for the counts, one for the lines. */
#include "service/sharding.h"

#include "base/mem.h"
#include "mine/itemsets.h"
#include "service/itemtext.h"
#include "service/laneout.h"
#include "service/outfile.h"
#include "service/textfile.h"

#include <stdio.h>
#include <stdlib.h>

#define NUMBER_BYTES 12

struct ranked {
    uint32_t item, count;
};

struct shard {
    const struct shard_request *request;
    struct shard_report *report;
    struct baskets baskets;
    struct ranked *ranked;
    uint32_t ranks;
    uint32_t *rank_of; /* by item; ITEM_NONE: infrequent */
    uint32_t *row;     /* ranks of a basket */
    uint32_t *taken;   /* by group: basket + 1 that it was last taken of */
    char *text;        /* a basket's ranks, each with a blank behind it */
    size_t *end;       /* of each in the text */
};

int support_in_baskets(double share, uint32_t support, uint32_t baskets, uint32_t *out,
                       struct error *err)
{
    *out = share > 0 ? itemsets_min_support(share, baskets) : support ? support : 1;
    if (*out <= baskets)
        return 0;
    return error_set(err, ERR_INVALID,
                     "--support %u: there are only %u baskets; a share such as 0.1%% fits any file",
                     *out, baskets);
}

static int compare(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

static int rank_items(struct shard *s, struct error *err)
{
    const struct csr *rows = &s->baskets.rows;
    uint32_t cols = rows->cols;
    MEM_NEW(s->ranked, cols);
    MEM_ZNEW(s->rank_of, cols);
    if (!s->ranked || !s->rank_of)
        return error_set(err, ERR_NOMEM, "shard: out of memory");
    for (uint64_t e = 0; e < csr_entries(rows); e++)
        s->rank_of[rows->column[e]]++;
    for (uint32_t c = 0; c < cols; c++)
        if (s->rank_of[c] >= s->report->support)
            s->ranked[s->ranks++] = (struct ranked){c, s->rank_of[c]};
    qsort(s->ranked, s->ranks, sizeof *s->ranked, compare);
    for (uint32_t c = 0; c < cols; c++)
        s->rank_of[c] = ITEM_NONE;
    for (uint32_t r = 0; r < s->ranks; r++)
        s->rank_of[s->ranked[r].item] = r;
    s->report->items = s->ranks;
    return 0;
}

static bool put(struct outlane *lane, const char *text, size_t length)
{
    if (!laneout_reserve(lane, length))
        return false;
    memcpy(lane->at, text, length);
    lane->at += length;
    return true;
}

/* A failed write shows at the end, in laneout_finish. */
static int write_flist(void *context, struct laneout *out, struct error *err)
{
    const struct shard *s = context;
    char line[128], room[BASKETS_NUMBER_BYTES];
    struct outlane *lane = laneout_open(out, NULL);
    if (!lane)
        return error_set(err, ERR_NOMEM, "shard: out of memory");
    int length = snprintf(line, sizeof line, "baskets\t%u\tsupport\t%u\tshards\t%u\n",
                          s->report->baskets, s->report->support, s->request->shards);
    bool good = put(lane, line, (size_t)length);
    for (uint32_t r = 0; good && r < s->ranks; r++) {
        struct str name = baskets_name(&s->baskets, s->ranked[r].item, room);
        length = snprintf(line, sizeof line, "\t%u\n", s->ranked[r].count);
        good = put(lane, name.ptr, name.len) && put(lane, line, (size_t)length);
    }
    laneout_close(lane);
    return 0;
}

/* The basket's frequent items as ascending ranks. */
static uint32_t ranks_of(struct shard *s, uint32_t basket)
{
    const struct csr *rows = &s->baskets.rows;
    uint32_t count = 0;
    for (uint64_t e = rows->start[basket]; e < rows->start[basket + 1]; e++) {
        uint32_t rank = s->rank_of[rows->column[e]];
        if (rank != ITEM_NONE)
            s->row[count++] = rank;
    }
    return (uint32_t)basket_row_sort(s->row, count);
}

static void format_ranks(struct shard *s, uint32_t count)
{
    size_t fill = 0;
    for (uint32_t i = 0; i < count; i++) {
        char digits[NUMBER_BYTES];
        unsigned at = NUMBER_BYTES;
        digits[--at] = ' ';
        uint32_t number = s->row[i];
        do
            digits[--at] = (char)('0' + number % 10);
        while (number /= 10);
        memcpy(s->text + fill, digits + at, NUMBER_BYTES - at);
        fill += NUMBER_BYTES - at;
        s->end[i] = fill;
    }
}

static bool write_basket(struct shard *s, uint32_t basket, struct outlane *lane)
{
    uint32_t count = ranks_of(s, basket);
    format_ranks(s, count);
    for (uint32_t i = count; i-- > 0;) {
        char head[NUMBER_BYTES + 1];
        uint32_t group = s->row[i] % s->request->shards;
        if (s->taken[group] == basket + 1)
            continue;
        s->taken[group] = basket + 1;
        int length = snprintf(head, sizeof head, "%u\t", group);
        s->text[s->end[i] - 1] = '\n';
        bool good = put(lane, head, (size_t)length) && put(lane, s->text, s->end[i]);
        s->text[s->end[i] - 1] = ' ';
        if (!good)
            return false;
        s->report->lines++;
    }
    return true;
}

static int write_shards(void *context, struct laneout *out, struct error *err)
{
    struct shard *s = context;
    const struct csr *rows = &s->baskets.rows;
    uint64_t longest = 0;
    for (uint32_t b = 0; b < rows->rows; b++) {
        uint64_t length = rows->start[b + 1] - rows->start[b];
        longest = length > longest ? length : longest;
    }
    MEM_NEW(s->row, longest);
    MEM_NEW(s->end, longest);
    MEM_NEW(s->text, longest * NUMBER_BYTES);
    MEM_ZNEW(s->taken, s->request->shards);
    struct outlane *lane = laneout_open(out, NULL);
    bool room = s->row && s->end && s->text && s->taken && lane, good = room;
    progress_begin(s->request->progress, "writing shards", rows->rows);
    for (uint32_t b = 0; good && b < rows->rows; b++)
        good = write_basket(s, b, lane) &&
               !(b % 1024 == 0 && progress_step(s->request->progress, 1024));
    if (lane)
        laneout_close(lane);
    if (!room)
        return error_set(err, ERR_NOMEM, "shard: out of memory");
    return progress_cancelled(s->request->progress) ? error_set(err, ERR_CANCELLED, "cancelled")
                                                    : 0;
}

static int run(struct shard *s, struct error *err)
{
    const struct shard_request *q = s->request;
    struct shard_report *report = s->report;
    int rc = basketfile_read(q->path, q->format, q->threads, q->progress, &s->baskets,
                             &report->input, err);
    if (rc)
        return rc;
    report->baskets = s->baskets.rows.rows;
    if (report->baskets == 0)
        return error_set(err, ERR_INVALID, "%s: there are no baskets in it", q->path);
    rc = support_in_baskets(q->support_share, q->support, report->baskets, &report->support, err);
    if (rc) {
        report->usage = true;
        return rc;
    }
    rc = rank_items(s, err);
    if (rc == 0)
        rc = outfile_write(q->flist, write_flist, s, NULL, err);
    return rc ? rc : outfile_write(q->output, write_shards, s, NULL, err);
}

int shard_run(const struct shard_request *request, struct shard_report *report, struct error *err)
{
    struct shard s = {.request = request, .report = report};
    *report = (struct shard_report){0};
    int rc = run(&s, err);
    baskets_deinit(&s.baskets);
    free(s.ranked);
    free(s.rank_of);
    free(s.row);
    free(s.taken);
    free(s.text);
    free(s.end);
    return rc;
}

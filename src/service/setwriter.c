/* A lane keeps the line of the set before: its items' texts one behind the other and where each
 * ends. The next set goes on from the items they share; a set's line is one copy of that text and
 * one of the tail "(count)", which is kept for each support seen lately. Short texts are copied as
 * blocks of fixed size, which is one instruction or two where a call would be twenty.
 *
 * Every item's text ends with the separator, which the tail's first byte replaces where it must not
 * stand at the end. */
#include "service/setwriter.h"

#include "base/buf.h"
#include "base/mem.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define TAIL_BYTES  64
#define TAILS       64
#define CANCEL_SETS 4096 /* between two looks */

struct form {
    const char *header, *begin;
    const char *end_of_items, *share, *end; /* the tail: …count share? end */
    bool replaced;                          /* the tail stands on the last separator */
};

static const struct form forms[] = {
    [TEXT_FIMI] = {"", "", "(", NULL, ")\n", false},
    [TEXT_TSV] = {"items\tcount\tsupport\n", "", "\t", "\t", "\n", true},
    [TEXT_NDJSON] = {"", "{\"items\":[", "],\"count\":", ",\"support\":", "}\n", true},
};

struct setwriter {
    struct laneout *out;
    const struct form *form;
    const uint32_t *column;
    uint32_t basket_count;
    bool sorted;
    const struct progress *progress;
    struct itemtext text;
    atomic_uint_fast64_t count;
};

struct tail {
    uint32_t support; /* 0: none yet */
    uint32_t length;
    char text[TAIL_BYTES];
};

struct lane {
    struct outlane *out;
    struct setwriter *writer;
    char *line;
    size_t line_cap;
    VEC(size_t) end; /* of the line's items */
    VEC(uint32_t) chosen;
    VEC(uint32_t) column; /* of the items of the line; behind them as much room to sort in */
    struct buf number;    /* a tail while it is made */
    uint64_t count;
    struct tail tails[TAILS];
};

static int put_header(struct setwriter *w, struct error *err)
{
    size_t length = strlen(w->form->header);
    struct outlane *lane = length ? laneout_open(w->out, NULL) : NULL;
    if (!length)
        return 0;
    if (!lane)
        return error_set(err, ERR_NOMEM, "output: out of memory");
    if (laneout_reserve(lane, length)) {
        memcpy(lane->at, w->form->header, length);
        lane->at += length;
    }
    laneout_close(lane); /* laneout_finish tells of a failure */
    return 0;
}

struct setwriter *setwriter_new(struct laneout *out, const struct setwriter_options *options,
                                struct error *err)
{
    struct setwriter *w;
    if (!MEM_ZNEW(w, 1)) {
        error_set(err, ERR_NOMEM, "output: out of memory");
        return NULL;
    }
    w->out = out;
    w->form = &forms[options->format];
    w->column = options->column;
    w->basket_count = options->basket_count;
    w->sorted = options->sorted;
    w->progress = options->progress;
    if (itemtext_init(&w->text, options->items, options->format, err) == 0 &&
        put_header(w, err) == 0)
        return w;
    setwriter_free(w);
    return NULL;
}

void setwriter_free(struct setwriter *w)
{
    if (!w)
        return;
    itemtext_deinit(&w->text);
    free(w);
}

uint64_t setwriter_count(const struct setwriter *w)
{
    return atomic_load(&w->count);
}

static void free_lane(struct lane *lane)
{
    free(lane->line);
    VEC_FREE(&lane->end);
    VEC_FREE(&lane->chosen);
    VEC_FREE(&lane->column);
    buf_deinit(&lane->number);
    free(lane);
}

static void *open_lane(void *context, void *after)
{
    struct setwriter *w = context;
    struct lane *lane;
    if (!MEM_ZNEW(lane, 1))
        return NULL;
    lane->writer = w;
    lane->line_cap = 256;
    size_t begin = strlen(w->form->begin);
    if (!MEM_NEW(lane->line, lane->line_cap) || !VEC_PUSH(&lane->end, begin) ||
        !(lane->out = laneout_open(w->out, after ? ((struct lane *)after)->out : NULL))) {
        free_lane(lane);
        return NULL;
    }
    memcpy(lane->line, w->form->begin, begin);
    return lane;
}

static int close_lane(void *context, void *opened)
{
    struct setwriter *w = context;
    struct lane *lane = opened;
    bool good = laneout_close(lane->out);
    atomic_fetch_add(&w->count, lane->count);
    free_lane(lane);
    return good ? 0 : ERR_IO;
}

static bool grow_line(struct lane *lane, size_t need)
{
    size_t cap = mem_grow(lane->line_cap, need);
    char *line = mem_resize(lane->line, cap, 1);
    if (!line)
        return false;
    lane->line = line;
    lane->line_cap = cap;
    return true;
}

/* The text becomes the `at`-th of the line. Room in `end` is there. */
static inline bool put_text(struct lane *lane, uint32_t at, struct str text)
{
    size_t from = lane->end.at[at], need = from + text.len + ITEMTEXT_CHUNK;
    if (need > lane->line_cap && !grow_line(lane, need))
        return false;
    itemtext_copy(lane->line + from, text.ptr, text.len);
    lane->end.at[at + 1] = from + text.len;
    return true;
}

static inline bool put_item(struct lane *lane, uint32_t at, uint32_t item)
{
    const struct setwriter *w = lane->writer;
    uint32_t column = w->column ? w->column[item] : item;
    if (!w->sorted)
        return put_text(lane, at, itemtext_of(&w->text, column));
    lane->column.at[at] = column;
    return true;
}

static bool make_tail(struct lane *lane, struct tail *tail, uint32_t support)
{
    const struct setwriter *w = lane->writer;
    struct buf *text = &lane->number;
    buf_clear(text);
    buf_text(text, w->form->end_of_items);
    buf_u64(text, support);
    if (w->form->share) {
        buf_text(text, w->form->share);
        buf_f64(text, (double)support / w->basket_count);
    }
    buf_text(text, w->form->end);
    if (text->failed)
        return false;
    assert(text->len <= TAIL_BYTES);
    memcpy(tail->text, text->ptr, text->len);
    tail->length = (uint32_t)text->len;
    tail->support = support;
    return true;
}

/* The line's first `count` items as a set. */
static inline bool put_line(struct lane *lane, uint32_t count, const struct tail *tail)
{
    size_t length = lane->end.at[count], whole = length + tail->length;
    if (!laneout_reserve(lane->out, whole + TAIL_BYTES))
        return false;
    char *to = lane->out->at;
    itemtext_copy(to, lane->line, length);
    to += length - lane->writer->form->replaced;
    memcpy(to, tail->text, TAIL_BYTES);
    lane->out->at = to + tail->length;
    return ++lane->count % CANCEL_SETS || !progress_cancelled(lane->writer->progress);
}

static bool put_sorted_set(struct lane *lane, uint32_t count, const struct tail *tail)
{
    uint32_t *sorted = lane->column.at + lane->column.cap / 2;
    memcpy(sorted, lane->column.at, count * sizeof *sorted);
    uint64_t left = basket_row_sort(sorted, count);
    assert(left == count);
    for (uint32_t i = 0; i < count; i++)
        if (!put_text(lane, i, itemtext_of(&lane->writer->text, sorted[i])))
            return false;
    return put_line(lane, count, tail);
}

static inline bool put_set(struct lane *lane, uint32_t count, const struct tail *tail)
{
    return lane->writer->sorted ? put_sorted_set(lane, count, tail) : put_line(lane, count, tail);
}

/* Every choice of min to max extras behind the line's first items, depth first. */
static bool put_choices(struct lane *lane, const struct itemset_group *g, const struct tail *tail)
{
    uint32_t *chosen = lane->chosen.at, depth = 0, next = 0;
    uint32_t most = g->max_choice < g->extra_count ? g->max_choice : g->extra_count;
    for (;;) {
        uint32_t wanted = g->min_choice > depth + 1 ? g->min_choice - depth - 1 : 0;
        if (depth < most && next + wanted < g->extra_count) {
            if (!put_item(lane, g->length + depth, g->extra[next]))
                return false;
            chosen[depth++] = next++;
            if (depth >= g->min_choice && !put_set(lane, g->length + depth, tail))
                return false;
        } else if (depth == 0) {
            return true;
        } else {
            next = chosen[--depth] + 1;
        }
    }
}

/* Why a set could not be put; when the output failed, laneout_finish says so in the end. */
static int failure(const struct lane *lane)
{
    return progress_cancelled(lane->writer->progress) ? ERR_CANCELLED : ERR_NOMEM;
}

static int write_group(void *context, void *opened, const struct itemset_group *g)
{
    struct lane *lane = opened;
    (void)context;
    struct tail *tail = &lane->tails[g->support % TAILS];
    size_t longest = (size_t)g->length + g->extra_count;
    if (!VEC_RESERVE(&lane->end, longest + 1) || !VEC_RESERVE(&lane->chosen, g->extra_count) ||
        (lane->writer->sorted && !VEC_RESERVE(&lane->column, 2 * longest)))
        return ERR_NOMEM;
    if (tail->support != g->support && !make_tail(lane, tail, g->support))
        return ERR_NOMEM;
    for (uint32_t i = g->same; i < g->length; i++)
        if (!put_item(lane, i, g->items[i]))
            return ERR_NOMEM;
    if (g->min_choice == 0 && g->length && !put_set(lane, g->length, tail))
        return failure(lane);
    return g->extra_count == 0 || put_choices(lane, g, tail) ? 0 : failure(lane);
}

struct itemset_visitor setwriter_visitor(struct setwriter *w)
{
    return (struct itemset_visitor){w, open_lane, write_group, close_lane};
}

static uint32_t shared(const uint32_t *a, uint64_t a_length, const uint32_t *b, uint64_t b_length)
{
    uint32_t same = 0;
    while (same < a_length && same < b_length && a[same] == b[same])
        same++;
    return same;
}

int setwriter_sets(struct setwriter *w, const struct itemsets *sets, struct error *err)
{
    struct lane *lane = open_lane(w, NULL);
    const uint32_t *before = NULL;
    uint64_t before_length = 0;
    int rc = lane ? 0 : ERR_NOMEM;
    for (uint64_t s = 0; rc == 0 && s < sets->count; s++) {
        const uint32_t *items = sets->item + sets->start[s];
        uint64_t length = sets->start[s + 1] - sets->start[s];
        struct itemset_group g = {.items = items,
                                  .length = (uint32_t)length,
                                  .support = sets->support[s],
                                  .same = shared(items, length, before, before_length)};
        rc = write_group(w, lane, &g);
        before = items;
        before_length = length;
    }
    if (lane && close_lane(w, lane) != 0 && rc == 0)
        rc = ERR_IO;
    return rc == ERR_NOMEM ? error_set(err, ERR_NOMEM, "output: out of memory") : rc;
}

/* The parts of the search: one worker's state, the nodes it grows (itemsets_grow.c), the tables
 * that end branches of few items (itemsets_table.c) and the tasks that workers share
 * (itemsets_tasks.c). */
#ifndef MINE_ITEMSETS_SEARCH_H
#define MINE_ITEMSETS_SEARCH_H

#include "base/arena.h"
#include "itemsets_internal.h"

#include <pthread.h>

struct place {
    uint32_t at, weight; /* where in data a row goes on, how many baskets it stands for */
    uint32_t basket;     /* the row of the root it comes from, when these are told apart */
};

struct row {
    uint32_t front, weight, next, basket;
};

/* A conditional database. Its items have numbers: first those that were passed before (the past;
 * none when all sets are wanted), then those that can still extend the prefix, by ascending
 * support. Rows are ascending, so that the past of a place is all before it up to ROW_END. */
struct node {
    uint32_t item_count, past_count;
    const uint32_t *item, *support; /* [item_count] */
    const uint32_t *data;
    uint32_t data_count;
    struct row *rows;
    uint32_t *list; /* [item_count] first row of the list, NO_ROW */
    uint32_t row_count;
    /* where the search of this node stands, for those who take work off it */
    uint32_t next, end;
    uint32_t length, extra_count; /* of the prefix */
    struct node *inner;
};

#define NO_ROW UINT32_MAX

struct survivor {
    uint32_t support, local; /* local: number in the node */
};

struct worker {
    struct grow_job *job;
    struct tasks *tasks;
    struct task *task;
    void *lane;
    uint32_t index;
    bool all;        /* all sets, not closed or maximal ones */
    bool keeps_past; /* in the rows */
    struct arena arena;
    uint32_t *item; /* the prefix, room for a longer set behind it */
    uint32_t length, same;
    uint32_t *extra; /* perfect extensions of the prefix, when all sets are wanted */
    uint32_t extra_count;
    /* scratch for the items of a node; the first two are zero between two uses */
    uint32_t *sum, *number, *frequent, *past;
    uint32_t frequent_count;
    uint64_t *bit; /* zero between two uses */
    struct survivor *survivors;
    uint32_t survivor_count, past_count;
    uint32_t *common;  /* scratch: what baskets share */
    uint32_t *reduced; /* a set without the groups of its items */
    bool *is_group;    /* [item_span] scratch, false between two uses */
    struct node *outermost, **innermost;
    uint32_t depth;
    uint64_t work, count;
    int status;
};

/* All sets that have `local` as their first item at this node, held by the rows at `places`. */
void grow_item(struct worker *w, struct node *node, uint32_t local, const struct place *places,
               uint32_t place_count);
/* Takes the rows that begin with the item; returns how many. `places` has room for all rows. */
uint32_t node_gather(struct worker *w, struct node *node, uint32_t local, struct place *places);

void worker_begin(struct worker *w); /* at the empty set: the prefix of the root */
/* The node of the survivors. False: w->status tells why. `steps` bounds the entries of its rows. */
bool node_build(struct worker *w, struct node *child, const struct node *parent,
                const struct place *places, uint32_t place_count, uint64_t steps);

void *scratch(struct worker *w, size_t count,
              size_t size); /* until the item is done; NULL: status */
/* The first `length` of w->item are a set (a group, with the extras) of that support. */
void found(struct worker *w, uint32_t length, uint32_t support);
/* So many sets, and each with any choice of the extras. */
void count_found(struct worker *w, uint64_t sets);
static inline void push(struct worker *w, uint32_t at, uint32_t item)
{
    w->item[at] = item;
    if (w->same > at)
        w->same = at;
}

/* No item outside the first `length` of w->item is in all the baskets (itemsets_close.c). */
struct baskets {
    const struct place *places;
    uint32_t place_count;
    const uint16_t
        *holds; /* [place_count] only places with all bits of `mask` count; NULL: all do */
    uint16_t mask;
};
bool nothing_shared(struct worker *w, uint32_t length, const struct baskets *baskets);

/* Whether a table of all combinations of the survivors costs less than going on. */
bool table_pays(const struct worker *w, uint64_t steps, uint32_t place_count, uint32_t support);
void grow_table(struct worker *w, struct node *node, const struct place *places,
                uint32_t place_count);

/* Tasks in the order of the result. */
struct tasks {
    struct grow_job *job;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct task *first, *last; /* not finished; in the order of the result */
    uint32_t next_head, running;
    atomic_uint hungry; /* workers that wait for one */
    atomic_bool stop;
    int status;
};

void tasks_init(struct tasks *t, struct grow_job *job);
void tasks_deinit(struct tasks *t);
void tasks_work(struct tasks *t, struct worker *w); /* until there are no more */
bool task_is_heavy(const struct worker *w);
/* What is left of the worker's outermost node becomes tasks. */
void tasks_split(struct worker *w);

#endif

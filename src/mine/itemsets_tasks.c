/* Who searches what. Tasks begin as the heads of the first level, the most costly first. A task
 * whose share of all measured cost is large is split at once, and any task is when a worker has
 * nothing to do: all that its outermost open node has left becomes tasks of their own, one for each
 * item, with a copy of the node that the last of them frees. What is taken away comes directly
 * behind what the worker still does in the order of the result, so its own part stays in one piece.
 *
 * Tasks not finished stand in one list in the order of the result, and a worker always takes the
 * first that nobody has. So when the first open lane changes, it is being filled, or the worker
 * that finished the one before takes it: whoever waits for his lane to be the first waits for a
 * worker that does not. */
#include "itemsets_search.h"

#include "base/mem.h"
#include "base/parallel.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A task of more than 1/HEAVY of a worker's fair share is split from the start. */
#define HEAVY 16

struct branch {
    atomic_uint users;
    struct node node;
    uint32_t *prefix, *extra;
    uint32_t item[]; /* and support, data, prefix, extra */
};

struct task {
    struct task *next;
    void *lane;
    bool taken;
    uint32_t local;        /* number in the branch, rank of a head */
    struct branch *branch; /* NULL: a head */
    uint32_t place_count;
    struct place places[];
};

void tasks_init(struct tasks *t, struct grow_job *job)
{
    *t = (struct tasks){.job = job};
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, NULL);
}

static void branch_leave(struct branch *b)
{
    if (b && atomic_fetch_sub(&b->users, 1) == 1)
        free(b);
}

static int close_lane(struct tasks *t, struct task *task)
{
    const struct itemset_visitor *v = t->job->visitor;
    return v ? v->lane_close(v->context, task->lane) : 0;
}

static bool open_lane(struct tasks *t, struct task *task, void *after)
{
    const struct itemset_visitor *v = t->job->visitor;
    if (v)
        task->lane = v->lane_open(v->context, after);
    return !v || task->lane;
}

/* Ends everything: nobody takes a task any more. Under the lock. */
static void give_up(struct tasks *t, int status)
{
    t->status = t->status ? t->status : status;
    atomic_store(&t->stop, true);
    struct task **link = &t->first;
    t->last = NULL;
    while (*link) {
        struct task *task = *link;
        if (task->taken) {
            t->last = task;
            link = &task->next;
            continue;
        }
        *link = task->next;
        (void)close_lane(t, task); /* there is an error already */
        branch_leave(task->branch);
        free(task);
    }
    pthread_cond_broadcast(&t->changed);
}

void tasks_deinit(struct tasks *t)
{
    assert(!t->first);
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
}

/* A task for the next head, at the end of the list. Under the lock; NULL: no memory. */
static struct task *head_task(struct tasks *t)
{
    struct task *task = mem_zarray(1, sizeof *task);
    if (!task)
        return NULL;
    task->local = t->job->root->heads[t->next_head++];
    if (!open_lane(t, task, NULL)) {
        free(task);
        return NULL;
    }
    *(t->first ? &t->last->next : &t->first) = task;
    t->last = task;
    return task;
}

static struct task *first_free(struct tasks *t)
{
    for (struct task *task = t->first; task; task = task->next)
        if (!task->taken)
            return task;
    return NULL;
}

/* NULL: there is nothing left to do. */
static struct task *take(struct tasks *t)
{
    struct task *task = NULL;
    pthread_mutex_lock(&t->lock);
    while (!atomic_load(&t->stop)) {
        task = first_free(t);
        if (!task && t->next_head < t->job->root->head_count) {
            task = head_task(t);
            if (!task)
                give_up(t, ERR_NOMEM);
        }
        if (task || t->running == 0)
            break;
        atomic_fetch_add(&t->hungry, 1);
        pthread_cond_wait(&t->changed, &t->lock);
        atomic_fetch_sub(&t->hungry, 1);
    }
    if (task) {
        task->taken = true;
        t->running++;
    }
    pthread_mutex_unlock(&t->lock);
    return task;
}

static void finish(struct tasks *t, struct task *task, int status)
{
    int closed = close_lane(t, task);
    status = status ? status : closed;
    pthread_mutex_lock(&t->lock);
    struct task **link = &t->first, *before = NULL;
    for (; *link != task; link = &before->next)
        before = *link;
    *link = task->next;
    if (t->last == task)
        t->last = before;
    t->running--;
    if (status)
        give_up(t, status);
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
    branch_leave(task->branch);
    free(task);
}

static uint32_t root_gather(const struct worker *w, uint32_t rank, struct place *places)
{
    const struct root *root = w->job->root;
    uint32_t n = 0;
    for (uint32_t k = root->start[rank]; k < root->start[rank + 1]; k++)
        if (!w->all || root->data[root->place[k]] != ROW_END)
            places[n++] = (struct place){root->place[k], 1, root->basket ? root->basket[k] : 0};
    return n;
}

static void run_head(struct worker *w, uint32_t rank)
{
    const struct root *root = w->job->root;
    struct node top = {.item_count = root->item_count,
                       .item = root->item,
                       .support = root->support,
                       .data = root->data};
    struct arena_mark mark = arena_mark(&w->arena);
    struct place *places = scratch(w, root->start[rank + 1] - root->start[rank], sizeof *places);
    worker_begin(w);
    if (places)
        grow_item(w, &top, rank, places, root_gather(w, rank, places));
    arena_release(&w->arena, mark);
    if (progress_step(w->job->progress, root->cost[rank] + 1) && w->status == 0)
        w->status = ERR_CANCELLED;
}

static void run_branch(struct worker *w, const struct task *task)
{
    struct branch *b = task->branch;
    struct node node = b->node;
    memcpy(w->item, b->prefix, node.length * sizeof *w->item);
    if (node.extra_count)
        memcpy(w->extra, b->extra, node.extra_count * sizeof *w->extra);
    w->length = node.length;
    w->extra_count = node.extra_count;
    grow_item(w, &node, task->local, task->places, task->place_count);
}

void tasks_work(struct tasks *t, struct worker *w)
{
    struct task *task;
    if (w->status) {
        pthread_mutex_lock(&t->lock);
        give_up(t, w->status);
        pthread_mutex_unlock(&t->lock);
    }
    while ((task = take(t))) {
        w->task = task;
        w->lane = task->lane;
        w->same = 0;
        if (task->branch)
            run_branch(w, task);
        else
            run_head(w, task->local);
        finish(t, task, w->status);
    }
}

bool task_is_heavy(const struct worker *w)
{
    const struct root *root = w->job->root;
    return w->job->workers > 1 && !w->task->branch &&
           root->cost[w->task->local] > root->total_cost / (HEAVY * w->job->workers);
}

static struct branch *branch_new(const struct worker *w, const struct node *node)
{
    size_t items = node->item_count;
    size_t words = 2 * items + node->data_count + node->length + node->extra_count;
    struct branch *b = mem_array(1, sizeof *b + words * sizeof *b->item);
    if (!b)
        return NULL;
    atomic_init(&b->users, 1);
    b->node = (struct node){.item_count = node->item_count,
                            .past_count = node->past_count,
                            .data_count = node->data_count,
                            .length = node->length,
                            .extra_count = node->extra_count};
    uint32_t *support = b->item + items, *data = support + items;
    b->prefix = data + node->data_count;
    b->extra = b->prefix + node->length;
    memcpy(b->item, node->item, items * sizeof *b->item);
    memcpy(support, node->support, items * sizeof *support);
    memcpy(data, node->data, node->data_count * sizeof *data);
    memcpy(b->prefix, w->item, node->length * sizeof *b->prefix);
    if (node->extra_count)
        memcpy(b->extra, w->extra, node->extra_count * sizeof *b->extra);
    b->node.item = b->item;
    b->node.support = support;
    b->node.data = data;
    return b;
}

/* NULL: out of memory. */
static struct task *branch_task(struct worker *w, struct node *node, struct branch *b,
                                uint32_t local)
{
    uint32_t rows = 0;
    for (uint32_t r = node->list[local]; r != NO_ROW; r = node->rows[r].next)
        rows++;
    struct task *task = mem_array(1, sizeof *task + rows * sizeof *task->places);
    if (!task)
        return NULL;
    *task = (struct task){.local = local, .branch = b};
    task->place_count = node_gather(w, node, local, task->places);
    atomic_fetch_add(&b->users, 1);
    return task;
}

/* Enters the tasks behind the worker's own. */
static void enter(struct tasks *t, struct task *own, struct task *list)
{
    pthread_mutex_lock(&t->lock);
    struct task *at = own;
    while (list) {
        struct task *task = list;
        list = task->next;
        if (atomic_load(&t->stop) || !open_lane(t, task, at->lane)) {
            if (!atomic_load(&t->stop))
                give_up(t, ERR_NOMEM);
            branch_leave(task->branch);
            free(task);
            continue;
        }
        task->next = at->next;
        at->next = task;
        if (t->last == at)
            t->last = task;
        at = task;
    }
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

void tasks_split(struct worker *w)
{
    struct node *node = w->outermost;
    while (node && node->next + 1 >= node->end)
        node = node->inner;
    if (!node)
        return;
    struct branch *b = branch_new(w, node);
    struct task *list = NULL, **end = &list;
    bool good = b != NULL;
    for (uint32_t k = node->next + 1; good && k < node->end; k++) {
        *end = branch_task(w, node, b, k);
        good = *end != NULL;
        if (good)
            end = &(*end)->next;
    }
    if (!good)
        w->status = ERR_NOMEM;
    node->end = node->next + 1;
    enter(w->tasks, w->task, list);
    branch_leave(b);
}

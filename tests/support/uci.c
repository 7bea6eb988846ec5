#include "support/uci.h"

#include "base/vec.h"
#include "support/shared.h"

#include <stdlib.h>
#include <string.h>

struct line {
    struct str invoice;
    uint32_t item;
    int64_t time_ms;
    uint64_t user;
};

typedef VEC(struct line) lines;

/* The next field of a CSV line; quotes are dropped, doubled ones stay doubled. */
static struct str next_field(struct str *line)
{
    struct str field = {line->ptr, 0};
    bool quoted = line->len && line->ptr[0] == '"';
    size_t i = quoted;
    while (i < line->len &&
           (quoted ? line->ptr[i] != '"' || (i + 1 < line->len && line->ptr[i + 1] == '"' && ++i)
                   : line->ptr[i] != ','))
        i++;
    field = (struct str){line->ptr + quoted, i - quoted};
    i += quoted;
    i += i < line->len;
    *line = (struct str){line->ptr + i, line->len - i};
    return field;
}

static bool five_digits(struct str s)
{
    for (size_t i = 0; i < 5; i++)
        if (i >= s.len || s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    return true;
}

/* Appends the line when it counts; false: out of memory. */
static bool take_line(struct uci *u, lines *list, struct str text)
{
    struct str field[7];
    int64_t quantity, time_ms;
    double price;
    for (int i = 0; i < 7; i++)
        field[i] = next_field(&text);
    if (!str_to_i64(field[3], &quantity) || !str_to_time_ms(field[4], &time_ms) ||
        !str_to_f64(field[5], &price))
        return true;
    if (quantity <= 0 || price <= 0 || field[0].ptr[0] == 'C' || !five_digits(field[1]))
        return true;
    struct line line = {.invoice = field[0], .time_ms = time_ms};
    str_to_u64(field[6], &line.user); /* empty: nobody */
    return dict_add(&u->codes, field[1], &line.item, NULL) == 0 && VEC_PUSH(list, line);
}

static int by_invoice(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    int order = str_cmp(x->invoice, y->invoice);
    if (order)
        return order;
    return (x->item > y->item) - (x->item < y->item);
}

struct basket {
    struct str invoice;
    int64_t time_ms;
    uint64_t user;
    size_t begin, end;
};

static int by_time(const void *a, const void *b)
{
    const struct basket *x = a, *y = b;
    if (x->time_ms != y->time_ms)
        return x->time_ms < y->time_ms ? -1 : 1;
    return str_cmp(x->invoice, y->invoice);
}

static bool make_baskets(struct uci *u, lines *list)
{
    VEC(struct basket) all = {0};
    qsort(list->at, list->count, sizeof *list->at, by_invoice);
    for (size_t i = 0; i < list->count; i++) {
        const struct line *line = &list->at[i];
        struct basket *last = all.count ? &all.at[all.count - 1] : NULL;
        if (last && str_eq(last->invoice, line->invoice)) {
            last->end = i + 1;
            last->time_ms = line->time_ms < last->time_ms ? line->time_ms : last->time_ms;
        } else if (!VEC_PUSH(&all, ((struct basket){line->invoice, line->time_ms, line->user, i,
                                                    i + 1}))) {
            return false;
        }
    }
    qsort(all.at, all.count, sizeof *all.at, by_time);
    u->time_ms = malloc(all.count * sizeof *u->time_ms);
    u->user = malloc(all.count * sizeof *u->user);
    if (!u->time_ms || !u->user ||
        csr_alloc(&u->baskets, (uint32_t)all.count, u->codes.count, list->count, 0, NULL))
        return false;
    uint64_t at = 0;
    for (size_t b = 0; b < all.count; b++) {
        for (size_t i = all.at[b].begin; i < all.at[b].end; i++)
            if (i == all.at[b].begin || list->at[i].item != list->at[i - 1].item)
                u->baskets.column[at++] = list->at[i].item;
        u->baskets.start[b + 1] = at;
        u->time_ms[b] = all.at[b].time_ms;
        u->user[b] = all.at[b].user;
    }
    VEC_FREE(&all);
    return true;
}

bool uci_load(struct uci *out)
{
    lines list = {0};
    struct buf text;
    buf_init(&text, 0);
    *out = (struct uci){0};
    bool good = shared_unpack("online-retail/online_retail.csv.gz", &text) &&
                dict_init(&out->codes, NULL) == 0;
    struct str rest = {text.ptr, text.len};
    while (good && rest.len) {
        struct str line = str_trim(str_cut(&rest, '\n'));
        good = line.len == 0 || take_line(out, &list, line);
    }
    good = good && make_baskets(out, &list);
    VEC_FREE(&list);
    buf_deinit(&text);
    return good;
}

void uci_free(struct uci *u)
{
    dict_deinit(&u->codes);
    csr_deinit(&u->baskets);
    free(u->time_ms);
    free(u->user);
}

void uci_dataset(const struct uci *u, uint32_t count, struct dataset *out)
{
    uint32_t keys[4096];
    if (dataset_init(out, NULL, NULL))
        abort();
    for (uint32_t b = 0; b < count; b++) {
        uint32_t size = 0;
        for (uint64_t e = u->baskets.start[b]; e < u->baskets.start[b + 1] && size < 4096; e++)
            keys[size++] = u->baskets.column[e] + 1;
        if (dataset_add(out, u->time_ms[b], u->user[b], keys, size, NULL))
            abort();
    }
    if (dataset_finish(out, NULL))
        abort();
}

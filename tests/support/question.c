#include "support/question.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

struct scratch *new_scratch(void)
{
    struct error err = ERROR_INIT;
    struct scratch *s = scratch_new(&err);
    assert_non_null(s);
    return s;
}

static uint32_t split(const char *words, struct str out[32])
{
    struct str rest = str_of(words), word;
    uint32_t count = 0;
    while (rest.len) {
        word = str_cut(&rest, ' ');
        out[count++] = word;
    }
    return count;
}

void ask(struct question *to, enum surface surface, const char *items, const char *exclude)
{
    *to = (struct question){0};
    to->q = (struct query){.surface = surface,
                           .filter = NO_FILTER,
                           .limit = 10,
                           .explain = true,
                           .items = to->items,
                           .exclude = to->exclude};
    to->q.item_count = split(items, to->items);
    to->q.exclude_count = split(exclude, to->exclude);
}

struct answer answer_of(const struct tinyshop *t, const struct query *q, struct scratch *s)
{
    struct error err = ERROR_INIT;
    struct answer out;
    assert_int_equal(recommend(t->m, &t->c, q, s, &out, &err), 0);
    return out;
}

/* The answer's names in order: "b c". */
const char *names_of(const struct tinyshop *t, const struct answer *a)
{
    static char text[4096];
    size_t used = 0;
    text[0] = 0;
    for (uint32_t x = 0; x < a->count; x++) {
        struct str name = dict_name(&t->m->items, a->items[x].item);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s", x ? " " : "",
                                 STR_ARG(name));
    }
    return text;
}

/* Bundle a b c, then d with e, popular f alone. */
static const char *const bundle_orders[] = {"abc", "abc", "ab", "abc", "de", "de",  "f",
                                            "f",   "fa",  "f",  "de",  "f",  "abc", "gh"};

void bundle_shop(struct tinyshop *t)
{
    tinyshop_orders(t, bundle_orders, sizeof bundle_orders / sizeof *bundle_orders);
    tinyshop_train(t, NULL);
}

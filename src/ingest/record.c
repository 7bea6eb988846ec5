/* Names of event kinds: ours first, then those that shops' exports and other services use. */
#include "ingest/record.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

static const struct {
    struct str name;
    enum event_kind kind;
} event_names[] = {
    {{"view", 4}, EVENT_VIEW}, /* the first of a kind is its name */
    {{"cart", 4}, EVENT_CART},
    {{"uncart", 6}, EVENT_UNCART},
    {{"wish", 4}, EVENT_WISH},
    {{"purchase", 8}, EVENT_PURCHASE},
    {{"click", 5}, EVENT_VIEW},
    {{"detail-page-view", 16}, EVENT_VIEW},
    {{"view_item", 9}, EVENT_VIEW},
    {{"addtocart", 9}, EVENT_CART},
    {{"add-to-cart", 11}, EVENT_CART},
    {{"add_to_cart", 11}, EVENT_CART},
    {{"remove-from-cart", 16}, EVENT_UNCART},
    {{"remove_from_cart", 16}, EVENT_UNCART},
    {{"add_to_wishlist", 15}, EVENT_WISH},
    {{"wishlist", 8}, EVENT_WISH},
    {{"purchase-complete", 17}, EVENT_PURCHASE},
    {{"transaction", 11}, EVENT_PURCHASE},
    {{"buy", 3}, EVENT_PURCHASE},
};

int event_kind_parse(struct str name)
{
    for (unsigned i = 0; i < sizeof event_names / sizeof event_names[0]; i++)
        if (str_eq_nocase(event_names[i].name, name))
            return (int)event_names[i].kind;
    return -1;
}

const char *event_kind_name(enum event_kind kind)
{
    assert(kind < EVENT_KIND_COUNT);
    assert(event_names[kind].kind == kind);
    return event_names[kind].name.ptr;
}

void record_problem_text(const struct record_problem *p, char *out, size_t size)
{
    snprintf(out, size, "line %" PRIu64 ": %s%s%s", p->line, p->field, *p->field ? ": " : "",
             p->reason);
}

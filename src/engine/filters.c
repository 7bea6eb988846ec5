/* May this item be suggested now? Reads the live catalogue, so that a price, a stock or a hidden
 * item acts on the very next answer. */
#include "recommend_internal.h"

static bool in_categories(const struct filter *f, const struct catalog_item *item)
{
    for (uint32_t x = 0; x < f->category_count; x++)
        if (catalog_in_category(item, f->categories[x]))
            return true;
    return f->category_count == 0;
}

static bool in_price_range(const struct filter *f, const struct catalog_item *item)
{
    if (f->price_min == PRICE_NONE && f->price_max == PRICE_NONE)
        return true;
    if (item->price_minor == PRICE_NONE)
        return false;
    return (f->price_min == PRICE_NONE || item->price_minor >= f->price_min) &&
           (f->price_max == PRICE_NONE || item->price_minor <= f->price_max);
}

static bool has_one_value(const struct attribute_filter *f, const struct catalog_item *item)
{
    for (uint32_t x = 0; x < f->value_count; x++)
        if (catalog_has_attribute(item, f->key, f->values[x]))
            return true;
    return false;
}

static bool has_attributes(const struct filter *f, const struct catalog_item *item)
{
    for (uint32_t x = 0; x < f->attribute_count; x++)
        if (!has_one_value(&f->attributes[x], item))
            return false;
    return true;
}

enum drop filter_item(const struct filter *f, const struct catalog_item *item)
{
    if (!in_categories(f, item))
        return DROP_CATEGORY;
    if (!in_price_range(f, item))
        return DROP_PRICE;
    if (f->in_stock && !catalog_in_stock(item))
        return DROP_IN_STOCK;
    return has_attributes(f, item) ? DROP_COUNT : DROP_ATTRIBUTES;
}

enum drop filter_drop(const struct request *r, uint32_t item)
{
    if (r->s->excluded[item] == r->s->stamp)
        return DROP_EXCLUDED;
    return filter_drop_slot(r, item_slot(r, item));
}

enum drop filter_drop_slot(const struct request *r, uint32_t slot)
{
    const struct catalog_item *known = catalog_at(r->c, slot);
    if (!known || !known->available)
        return DROP_UNAVAILABLE;
    return filter_item(&r->q->filter, known);
}

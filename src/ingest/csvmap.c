/* Two tables: what each name means, and which columns each kind of table uses. */
#include "ingest/csvmap.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "ingest/clean.h"

enum { NAME_BYTES = 40 };

/* The names used in --map, in messages and in JSON. */
static const char *const canonical[COLUMN_COUNT + 1] = {
    [COLUMN_ORDER] = "order_id",      [COLUMN_USER] = "user_id",
    [COLUMN_TIME] = "timestamp",      [COLUMN_ITEM] = "item_id",
    [COLUMN_QUANTITY] = "quantity",   [COLUMN_PRICE] = "price",
    [COLUMN_TITLE] = "title",         [COLUMN_CATEGORY] = "category",
    [COLUMN_STOCK] = "stock",         [COLUMN_ATTRIBUTES] = "attributes",
    [COLUMN_AVAILABLE] = "available", [COLUMN_EVENT] = "event",
    [COLUMN_EVENT_ID] = "event_id",   [COLUMN_SESSION] = "session_id",
    [COLUMN_IGNORE] = "ignore",
};

/* Folded: lower case, no blanks, '_' or '-'. */
static const struct {
    const char *name;
    enum csv_column column;
} aliases[] = {
    {"orderid", COLUMN_ORDER},
    {"order", COLUMN_ORDER},
    {"orderno", COLUMN_ORDER},
    {"ordernumber", COLUMN_ORDER},
    {"invoice", COLUMN_ORDER},
    {"invoiceno", COLUMN_ORDER},
    {"invoicenumber", COLUMN_ORDER},
    {"transaction", COLUMN_ORDER},
    {"transactionid", COLUMN_ORDER},
    {"basket", COLUMN_ORDER},
    {"basketid", COLUMN_ORDER},
    {"userid", COLUMN_USER},
    {"user", COLUMN_USER},
    {"customerid", COLUMN_USER},
    {"customer", COLUMN_USER},
    {"timestamp", COLUMN_TIME},
    {"time", COLUMN_TIME},
    {"date", COLUMN_TIME},
    {"datetime", COLUMN_TIME},
    {"invoicedate", COLUMN_TIME},
    {"orderdate", COLUMN_TIME},
    {"createdat", COLUMN_TIME},
    {"itemid", COLUMN_ITEM},
    {"item", COLUMN_ITEM},
    {"stockcode", COLUMN_ITEM},
    {"sku", COLUMN_ITEM},
    {"product", COLUMN_ITEM},
    {"productid", COLUMN_ITEM},
    {"quantity", COLUMN_QUANTITY},
    {"qty", COLUMN_QUANTITY},
    {"price", COLUMN_PRICE},
    {"unitprice", COLUMN_PRICE},
    {"title", COLUMN_TITLE},
    {"description", COLUMN_TITLE},
    {"name", COLUMN_TITLE},
    {"itemname", COLUMN_TITLE},
    {"productname", COLUMN_TITLE},
    {"category", COLUMN_CATEGORY},
    {"categories", COLUMN_CATEGORY},
    {"stock", COLUMN_STOCK},
    {"attributes", COLUMN_ATTRIBUTES},
    {"available", COLUMN_AVAILABLE},
    {"event", COLUMN_EVENT},
    {"eventtype", COLUMN_EVENT},
    {"eventid", COLUMN_EVENT_ID},
    {"session", COLUMN_SESSION},
    {"sessionid", COLUMN_SESSION},
    {"country", COLUMN_IGNORE},    /* UCI */
    {"eventvalue", COLUMN_IGNORE}, /* Personalize, these three */
    {"impression", COLUMN_IGNORE},
    {"recommendationid", COLUMN_IGNORE},
    {"", COLUMN_IGNORE}, /* a data frame's row numbers */
};

static const struct {
    const char *name;
    unsigned columns;
} tables[] = {
    [TABLE_ORDERS] = {"orders", 1u << COLUMN_ORDER | 1u << COLUMN_USER | 1u << COLUMN_TIME |
                                    1u << COLUMN_ITEM | 1u << COLUMN_QUANTITY | 1u << COLUMN_PRICE |
                                    1u << COLUMN_TITLE},
    [TABLE_ITEMS] = {"items", 1u << COLUMN_ITEM | 1u << COLUMN_TITLE | 1u << COLUMN_CATEGORY |
                                  1u << COLUMN_PRICE | 1u << COLUMN_STOCK |
                                  1u << COLUMN_ATTRIBUTES | 1u << COLUMN_AVAILABLE},
    [TABLE_EVENTS] = {"events", 1u << COLUMN_EVENT | 1u << COLUMN_EVENT_ID | 1u << COLUMN_SESSION |
                                    1u << COLUMN_USER | 1u << COLUMN_TIME | 1u << COLUMN_ITEM},
};

/* -1: not a name we know. */
static int find_alias(struct str name)
{
    char folded[NAME_BYTES];
    size_t len = 0;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (c == ' ' || c == '_' || c == '-')
            continue;
        if (len == sizeof folded)
            return -1;
        folded[len++] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        if (str_eq(str_of(aliases[i].name), (struct str){folded, len}))
            return (int)aliases[i].column;
    return -1;
}

/* Splits "from=to" at its last '='; -1: malformed. */
static int parse_map(const char *map, struct str *from)
{
    const char *equals = strrchr(map, '=');
    if (!equals || equals == map)
        return -1;
    *from = str_trim((struct str){map, (size_t)(equals - map)});
    struct str to = str_trim(str_of(equals + 1));
    for (int i = 0; i <= COLUMN_COUNT; i++)
        if (str_eq_nocase(to, str_of(canonical[i])))
            return i;
    return -1;
}

int csvmap_check(const char *const *maps, struct error *err)
{
    struct str from;
    for (; maps && *maps; maps++)
        if (parse_map(*maps, &from) < 0)
            return error_set(err, ERR_INVALID,
                             "map '%.60s': expected Column=name, where name is order_id, user_id, "
                             "timestamp, item_id, quantity, price, title, category, stock, "
                             "attributes, available, event, event_id, session_id or ignore",
                             *maps);
    return 0;
}

/* Meaning of one header cell; -1: unknown. */
static int meaning(struct str name, const char *const *maps)
{
    struct str from = STR_NONE;
    name = str_trim(name);
    for (; maps && *maps; maps++) {
        int column = parse_map(*maps, &from);
        if (str_eq_nocase(from, name))
            return column;
    }
    return find_alias(name);
}

/* Every map must name a column that is there. */
static int check_used(const struct str *names, unsigned count, const char *const *maps,
                      struct error *err)
{
    for (; maps && *maps; maps++) {
        struct str from;
        bool used = false;
        if (parse_map(*maps, &from) < 0)
            return csvmap_check(maps, err);
        for (unsigned i = 0; i < count; i++)
            used |= str_eq_nocase(from, str_trim(names[i]));
        if (!used)
            return error_set(err, ERR_INVALID, "map '%.60s': the header has no such column", *maps);
    }
    return 0;
}

/* One of the columns in `set` is there. */
static bool has_any(const struct csvmap *m, unsigned set)
{
    for (unsigned i = 0; i < COLUMN_COUNT; i++)
        if (set & 1u << i && m->at[i] >= 0)
            return true;
    return false;
}

static int find_table(struct csvmap *m, struct error *err)
{
    const unsigned catalogue = tables[TABLE_ITEMS].columns & ~(1u << COLUMN_ITEM);
    const unsigned visits = 1u << COLUMN_USER | 1u << COLUMN_TIME | 1u << COLUMN_QUANTITY;
    if (m->at[COLUMN_ITEM] < 0)
        return error_set(err, ERR_INVALID,
                         "csv: no column is the item's id; name it with --map Column=item_id");
    if (m->at[COLUMN_EVENT] >= 0)
        m->table = TABLE_EVENTS;
    else if (m->at[COLUMN_ORDER] >= 0 || (m->at[COLUMN_USER] >= 0 && m->at[COLUMN_TIME] >= 0))
        m->table = TABLE_ORDERS;
    else if (has_any(m, catalogue) && !has_any(m, visits))
        m->table = TABLE_ITEMS;
    else
        return error_set(err, ERR_INVALID,
                         "csv: no column is the order's id (nor are there both user_id and "
                         "timestamp); name it with --map Column=order_id");
    return 0;
}

/* No column that this kind of table has no use for. */
static int check_columns(const struct csvmap *m, const struct str *names, struct error *err)
{
    unsigned allowed = tables[m->table].columns;
    if (m->table == TABLE_EVENTS && m->at[COLUMN_ORDER] >= 0)
        allowed |= tables[TABLE_ORDERS].columns;
    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        struct excerpt room;
        if (m->at[i] < 0 || allowed & 1u << i)
            continue;
        const char *name = excerpt(str_trim(names[m->at[i]]), &room);
        return error_set(err, ERR_INVALID,
                         "csv: column '%s' (%s) has no place in a table of %s; leave it out with "
                         "--map '%s=ignore'",
                         name, canonical[i], tables[m->table].name, name);
    }
    return 0;
}

/* Finds the meaning of names[i] and enters it. */
static int enter(struct csvmap *m, const struct str *names, unsigned i, const char *const *maps,
                 struct error *err)
{
    struct excerpt room, other;
    const char *name = excerpt(str_trim(names[i]), &room);
    int column = meaning(names[i], maps);
    if (column == COLUMN_IGNORE)
        return 0;
    if (column < 0)
        return error_set(err, ERR_INVALID,
                         "csv: column '%s' is not known; say what it is with --map '%s=item_id' "
                         "(or another name), or leave it out with --map '%s=ignore'",
                         name, name, name);
    if (m->at[column] >= 0)
        return error_set(err, ERR_INVALID,
                         "csv: columns '%s' and '%s' both mean %s; leave one out with --map "
                         "'%s=ignore'",
                         excerpt(str_trim(names[m->at[column]]), &other), name, canonical[column],
                         name);
    m->at[column] = (int)i;
    return 0;
}

int csvmap_build(struct csvmap *m, const struct str *names, unsigned count, const char *const *maps,
                 struct error *err)
{
    *m = (struct csvmap){.width = count};
    for (unsigned i = 0; i < COLUMN_COUNT; i++)
        m->at[i] = -1;
    int rc = check_used(names, count, maps, err);
    for (unsigned i = 0; rc == 0 && i < count; i++)
        rc = enter(m, names, i, maps, err);
    if (rc == 0)
        rc = find_table(m, err);
    return rc == 0 ? check_columns(m, names, err) : rc;
}

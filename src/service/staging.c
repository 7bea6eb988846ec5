/* Versions of items are appended to one array. `latest` says per slot which version is the newest
 * (index + 1; 0: none, the catalogue's row holds) and every version remembers the one before it, so
 * that undoing is walking back. An op's second change of an item overwrites its first. New items
 * get the slots behind the catalogue's last, in order; because only undoing removes them, from the
 * end, the next free slot is always the catalogue's count plus the number of new ids.
 *
 * Strings that did not change keep pointing where they were (the catalogue does not change before
 * staging_apply), new ones are copied to an arena.
 *
 * A version that only moves order_ms (a newer order, same title and price) is not written to the
 * database: that would be a row for every order line. After a restart an order that arrives late
 * may then win over a newer one with the same price; nothing else depends on it. */
#include "service/staging.h"

#include "base/vec.h"
#include "store/items.h"
#include "store/users.h"

#include <assert.h>
#include <string.h>

#define NO_VERSION    UINT32_MAX
#define USERS_CACHED  65536u
#define APPLY_AT_ONCE 256u /* rows put under one hold of the catalogue's lock */

struct version {
    uint32_t slot, previous;
    bool row_changed;     /* by this op: to be written */
    bool catalog_changed; /* by this op or one before: more than order_ms */
    struct catalog_item item;
};

struct staging {
    struct catalog *catalog;
    pthread_rwlock_t *lock;
    struct arena arena;
    VEC(struct version) versions;
    uint32_t *latest;
    size_t latest_cap;
    struct strmap fresh; /* ids that got a slot in this transaction */
    size_t mark;
    struct strmap users;
    bool users_added; /* in this transaction */
};

struct staging *staging_new(struct catalog *catalog, pthread_rwlock_t *lock, struct error *err)
{
    struct staging *s;
    if (!MEM_ZNEW(s, 1)) {
        error_set(err, ERR_NOMEM, "staging: out of memory");
        return NULL;
    }
    s->catalog = catalog;
    s->lock = lock;
    arena_init(&s->arena);
    strmap_init(&s->fresh);
    strmap_init(&s->users);
    return s;
}

void staging_free(struct staging *s)
{
    if (!s)
        return;
    arena_deinit(&s->arena);
    VEC_FREE(&s->versions);
    free(s->latest);
    strmap_deinit(&s->fresh);
    strmap_deinit(&s->users);
    free(s);
}

static int no_memory(struct error *err)
{
    return error_set(err, ERR_NOMEM, "catalogue: out of memory");
}

static uint32_t first_new_slot(const struct staging *s)
{
    return s->catalog->count ? s->catalog->count : 1; /* slot 0 is never used */
}

static uint32_t find_slot(const struct staging *s, struct str item_id)
{
    uint32_t slot = catalog_find(s->catalog, item_id);
    return slot != CATALOG_NONE ? slot : strmap_get(&s->fresh, item_id);
}

static struct version *latest_version(const struct staging *s, uint32_t slot)
{
    uint32_t index = slot < s->latest_cap ? s->latest[slot] : 0;
    return index ? &s->versions.at[index - 1] : NULL;
}

static const struct catalog_item *item_at(const struct staging *s, uint32_t slot)
{
    const struct version *version = latest_version(s, slot);
    if (version)
        return version->item.known ? &version->item : NULL;
    return catalog_at(s->catalog, slot);
}

const struct catalog_item *staging_find(const struct staging *s, struct str item_id, uint32_t *slot)
{
    *slot = find_slot(s, item_id);
    return *slot == CATALOG_NONE ? NULL : item_at(s, *slot);
}

static bool cover_slot(struct staging *s, uint32_t slot)
{
    if (slot < s->latest_cap)
        return true;
    size_t cap = mem_grow(s->latest_cap, (size_t)slot + 1);
    uint32_t *latest = mem_resize(s->latest, cap, sizeof *latest);
    if (!latest)
        return false;
    memset(latest + s->latest_cap, 0, (cap - s->latest_cap) * sizeof *latest);
    s->latest = latest;
    s->latest_cap = cap;
    return true;
}

static struct catalog_item blank_item(struct str item_id)
{
    return (struct catalog_item){.item_id = item_id,
                                 .price_minor = PRICE_NONE,
                                 .stock = STOCK_NONE,
                                 .order_ms = INT64_MIN,
                                 .available = true};
}

/* The version of `slot` that belongs to the running op, made from what holds now. NULL: out of
 * memory. */
static struct version *own_version(struct staging *s, uint32_t slot)
{
    struct version *now = latest_version(s, slot);
    if (now && (size_t)(now - s->versions.at) >= s->mark)
        return now;
    struct version own = {.slot = slot, .previous = NO_VERSION};
    if (now) {
        own.previous = (uint32_t)(now - s->versions.at);
        own.catalog_changed = now->catalog_changed;
        own.item = now->item;
    } else {
        const struct catalog_item *row = catalog_at(s->catalog, slot);
        own.item = row ? *row : blank_item(catalog_id(s->catalog, slot));
    }
    if (!cover_slot(s, slot) || !VEC_PUSH(&s->versions, own))
        return NULL;
    s->latest[slot] = (uint32_t)s->versions.count;
    return &s->versions.at[s->versions.count - 1];
}

int staging_slot(struct staging *s, struct str item_id, uint32_t *slot, struct error *err)
{
    *slot = find_slot(s, item_id);
    if (*slot != CATALOG_NONE)
        return 0;
    if (s->fresh.count >= CATALOG_NONE - 1 - first_new_slot(s))
        return error_set(err, ERR_TOO_LARGE, "more than 4,294,967,293 items");
    uint32_t fresh = first_new_slot(s) + (uint32_t)s->fresh.count;
    struct str copy = arena_str(&s->arena, item_id);
    if (!copy.ptr || !strmap_set(&s->fresh, copy, fresh))
        return no_memory(err);
    struct version *version = own_version(s, fresh);
    if (!version) {
        strmap_remove(&s->fresh, copy);
        return no_memory(err);
    }
    version->row_changed = version->catalog_changed = true;
    version->item = blank_item(copy);
    version->item.known = true;
    *slot = fresh;
    return 0;
}

/* A string that did not change stays where it is, another one is copied. */
static bool keep(struct staging *s, struct str now, struct str *text)
{
    if (text->ptr == now.ptr && text->len == now.len)
        return true;
    *text = arena_str(&s->arena, *text);
    return text->ptr != NULL;
}

int staging_put(struct staging *s, uint32_t slot, const struct catalog_item *item,
                struct error *err)
{
    struct catalog_item copy = *item;
    struct version *version = own_version(s, slot);
    if (!version || !keep(s, version->item.title, &copy.title) ||
        !keep(s, version->item.category, &copy.category) ||
        !keep(s, version->item.attributes, &copy.attributes))
        return no_memory(err);
    copy.item_id = version->item.item_id;
    version->item = copy;
    version->row_changed = version->catalog_changed = true;
    return 0;
}

int staging_touch(struct staging *s, uint32_t slot, int64_t order_ms, struct error *err)
{
    struct version *version = own_version(s, slot);
    if (!version)
        return no_memory(err);
    version->item.order_ms = order_ms;
    return 0;
}

int staging_user(struct staging *s, struct db *db, struct str user_id, bool add, uint64_t *key,
                 struct error *err)
{
    uint32_t cached = strmap_get(&s->users, user_id);
    if (cached != MAP_NONE) {
        *key = cached;
        return 0;
    }
    int rc = users_key(db, user_id, add, key, err);
    if (rc != 0 || *key == 0)
        return rc;
    s->users_added = s->users_added || add; /* perhaps only found: no harm in forgetting it */
    if (s->users.count >= USERS_CACHED)
        staging_forget_users(s);
    if (*key < MAP_NONE && !strmap_set(&s->users, user_id, (uint32_t)*key))
        return error_set(err, ERR_NOMEM, "users: out of memory");
    return 0;
}

void staging_forget_users(struct staging *s)
{
    strmap_deinit(&s->users);
    strmap_init(&s->users);
}

void staging_mark(struct staging *s)
{
    s->mark = s->versions.count;
}

static struct item_row row_of(uint32_t slot, const struct catalog_item *item)
{
    return (struct item_row){.key = slot,
                             .item_id = item->item_id,
                             .title = item->title,
                             .category = item->category,
                             .attributes = item->attributes,
                             .price_minor = item->price_minor,
                             .stock = item->stock,
                             .updated_ms = item->updated_ms,
                             .order_ms = item->order_ms,
                             .described = item->described,
                             .available = item->available,
                             .deleted = !item->known};
}

int staging_flush(struct staging *s, struct db *db, struct error *err)
{
    for (size_t i = s->mark; i < s->versions.count; i++) {
        struct version *version = &s->versions.at[i];
        if (!version->row_changed)
            continue;
        struct item_row row = row_of(version->slot, &version->item);
        int rc = items_put(db, &row, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static void drop_last(struct staging *s)
{
    const struct version *last = &s->versions.at[--s->versions.count];
    s->latest[last->slot] = last->previous == NO_VERSION ? 0 : last->previous + 1;
    if (last->previous == NO_VERSION && last->slot >= first_new_slot(s))
        strmap_remove(&s->fresh, last->item.item_id);
}

/* A user found in the transaction may be one it added: the next question asks the database. */
static void doubt_users(struct staging *s)
{
    if (s->users_added)
        staging_forget_users(s);
}

void staging_undo(struct staging *s)
{
    while (s->versions.count > s->mark)
        drop_last(s);
    doubt_users(s);
}

static void clear(struct staging *s)
{
    for (size_t i = 0; i < s->versions.count; i++)
        s->latest[s->versions.at[i].slot] = 0;
    s->versions.count = s->mark = 0;
    s->users_added = false;
    if (s->fresh.keys_len) {
        strmap_deinit(&s->fresh);
        strmap_init(&s->fresh);
    }
    arena_clear(&s->arena);
}

void staging_discard(struct staging *s)
{
    doubt_users(s);
    clear(s);
}

static int apply_version(struct catalog *c, const struct version *version, struct error *err)
{
    if (!version->catalog_changed) {
        if (catalog_at(c, version->slot))
            c->items[version->slot].order_ms = version->item.order_ms;
        return 0;
    }
    int rc = catalog_put(c, version->slot, &version->item, err);
    if (rc == 0 && !version->item.known)
        catalog_remove(c, version->slot);
    return rc;
}

int staging_apply(struct staging *s, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; i < s->versions.count && rc == 0;) {
        pthread_rwlock_wrlock(s->lock);
        for (size_t end = i + APPLY_AT_ONCE; i < s->versions.count && i < end && rc == 0; i++)
            if (s->latest[s->versions.at[i].slot] == i + 1)
                rc = apply_version(s->catalog, &s->versions.at[i], err);
        pthread_rwlock_unlock(s->lock);
    }
    clear(s);
    return rc;
}

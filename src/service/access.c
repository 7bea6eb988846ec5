/* The key rows in an array under a read-write lock: a shop has a handful, a walk over 16-byte ids
 * costs less than a hash. What is compared in constant time is the hash of the whole key; an
 * unknown id is hashed too, so that the time tells nothing about ids either.
 *
 * A hash of 32 random bytes needs no slow password function: it cannot be guessed. */
#include "service/access.h"

#include "base/clock.h"
#include "base/vec.h"
#include "service/writer.h"
#include "store/keys.h"

#include <pthread.h>
#include <sodium.h>
#include <string.h>

#define ID_BYTES     8
#define SECRET_BYTES 32
#define LABEL_BYTES  64
#define PREFIX       "bk_"

_Static_assert((int)ACCESS_READ == SCOPE_READ && (int)ACCESS_INGEST == SCOPE_INGEST &&
                   (int)ACCESS_ADMIN == SCOPE_ADMIN && (int)ACCESS_METRICS == SCOPE_METRICS,
               "scopes are stored as they are");
_Static_assert(KEY_HASH_BYTES == crypto_generichash_BYTES, "BLAKE2b-256");

struct access_key {
    char id[17], label[LABEL_BYTES + 1];
    unsigned char hash[KEY_HASH_BYTES];
    unsigned scopes;
    int64_t created_ms, revoked_ms;
};

struct access {
    pthread_rwlock_t lock;
    pthread_mutex_t adding; /* one at a time, so that the room reserved for it stays its own */
    VEC(struct access_key) keys;
};

static const struct {
    const char *name;
    enum access_scope scope;
} scope_names[] = {{"read", ACCESS_READ},
                   {"ingest", ACCESS_INGEST},
                   {"admin", ACCESS_ADMIN},
                   {"metrics", ACCESS_METRICS}};
#define SCOPE_NAMES (sizeof scope_names / sizeof *scope_names)

struct access *access_new(struct error *err)
{
    struct access *access;
    if (sodium_init() < 0) {
        error_set(err, ERR_INTERNAL, "libsodium does not start");
        return NULL;
    }
    if (!MEM_ZNEW(access, 1)) {
        error_set(err, ERR_NOMEM, "keys: out of memory");
        return NULL;
    }
    pthread_rwlock_init(&access->lock, NULL);
    pthread_mutex_init(&access->adding, NULL);
    return access;
}

void access_free(struct access *access)
{
    if (!access)
        return;
    VEC_FREE(&access->keys);
    pthread_mutex_destroy(&access->adding);
    pthread_rwlock_destroy(&access->lock);
    free(access);
}

static struct access_key key_of(const struct key_row *row)
{
    struct access_key key = {
        .scopes = row->scopes, .created_ms = row->created_ms, .revoked_ms = row->revoked_ms};
    memcpy(key.id, row->id, sizeof key.id);
    memcpy(key.hash, row->hash, sizeof key.hash);
    size_t label = row->label.len < LABEL_BYTES ? row->label.len : LABEL_BYTES;
    if (label)
        memcpy(key.label, row->label.ptr, label);
    return key;
}

static int collect(void *context, const struct key_row *row, struct error *err)
{
    struct access *fresh = context;
    if (!VEC_PUSH(&fresh->keys, key_of(row)))
        return error_set(err, ERR_NOMEM, "keys: out of memory");
    return 0;
}

int access_load(struct access *access, struct db *db, struct error *err)
{
    struct access fresh = {.keys = {0}};
    int rc = keys_scan(db, collect, &fresh, err);
    if (rc != 0) {
        VEC_FREE(&fresh.keys);
        return rc;
    }
    pthread_rwlock_wrlock(&access->lock);
    VEC_FREE(&access->keys);
    access->keys.at = fresh.keys.at;
    access->keys.count = fresh.keys.count;
    access->keys.cap = fresh.keys.cap;
    pthread_rwlock_unlock(&access->lock);
    return 0;
}

bool access_has_keys(struct shop *shop)
{
    pthread_rwlock_rdlock(&shop->access->lock);
    bool any = shop->access->keys.count > 0;
    pthread_rwlock_unlock(&shop->access->lock);
    return any;
}

static void hash_key(struct str key, unsigned char hash[KEY_HASH_BYTES])
{
    crypto_generichash(hash, KEY_HASH_BYTES, (const unsigned char *)key.ptr, key.len, NULL, 0);
}

static const struct access_key *find(const struct access *access, struct str id)
{
    for (size_t i = 0; i < access->keys.count; i++)
        if (str_eq(str_of(access->keys.at[i].id), id))
            return &access->keys.at[i];
    return NULL;
}

/* The id in "bk_<id>_<secret>"; none when the key does not look like one. */
static struct str id_in(struct str key)
{
    const size_t start = sizeof PREFIX - 1, end = start + 2 * ID_BYTES;
    if (key.len >= ACCESS_KEY_BYTES || key.len <= end || !str_starts(key, STR(PREFIX)) ||
        key.ptr[end] != '_')
        return STR_NONE;
    return (struct str){key.ptr + start, 2 * ID_BYTES};
}

static enum access_verdict judge(const struct access *access, struct str key,
                                 enum access_scope need, char id[17])
{
    static const unsigned char nothing[KEY_HASH_BYTES];
    const struct access_key *known = find(access, id_in(key));
    unsigned char hash[KEY_HASH_BYTES];
    hash_key(key.len < ACCESS_KEY_BYTES ? key : STR_NONE, hash);
    int differs = sodium_memcmp(hash, known ? known->hash : nothing, sizeof hash);
    if (!known || differs || known->revoked_ms)
        return ACCESS_UNKNOWN;
    memcpy(id, known->id, sizeof known->id);
    bool allowed = need == ACCESS_OPEN || (known->scopes & (unsigned)(need | ACCESS_ADMIN));
    return allowed ? ACCESS_GRANTED : ACCESS_WRONG_SCOPE;
}

enum access_verdict access_check(struct shop *shop, struct str key, enum access_scope need,
                                 char id[17])
{
    struct access *access = shop->access;
    id[0] = '\0';
    pthread_rwlock_rdlock(&access->lock);
    enum access_verdict verdict;
    if (!access->keys.count || (need == ACCESS_OPEN && !key.len))
        verdict = ACCESS_GRANTED;
    else if (!key.len)
        verdict = ACCESS_MISSING;
    else
        verdict = judge(access, key, need, id);
    pthread_rwlock_unlock(&access->lock);
    return verdict;
}

bool access_scopes_parse(struct str list, unsigned *scopes)
{
    unsigned found = 0;
    while (list.ptr) {
        struct str name = str_trim(str_cut(&list, ','));
        size_t i = 0;
        while (i < SCOPE_NAMES && !str_eq(str_of(scope_names[i].name), name))
            i++;
        if (i == SCOPE_NAMES)
            return false;
        found |= (unsigned)scope_names[i].scope;
    }
    if (found)
        *scopes = found;
    return found != 0;
}

struct key_op {
    struct op op;
    struct key_row row; /* add; revoke: the time */
    struct str id;      /* revoke */
};

/* Room is made here, on the thread that also reloads the keys: after the commit nothing may fail.
 */
static int add_run(struct shop *shop, struct op *op, struct error *err)
{
    struct key_op *self = (struct key_op *)op;
    struct access *access = shop->access;
    pthread_rwlock_wrlock(&access->lock);
    bool room = VEC_RESERVE(&access->keys, access->keys.count + 1);
    pthread_rwlock_unlock(&access->lock);
    if (!room)
        return error_set(err, ERR_NOMEM, "keys: out of memory");
    return keys_add(writer_db(shop->writer), &self->row, err);
}

static void add_apply(struct shop *shop, struct op *op)
{
    struct key_op *self = (struct key_op *)op;
    struct access *access = shop->access;
    pthread_rwlock_wrlock(&access->lock);
    access->keys.at[access->keys.count++] = key_of(&self->row);
    pthread_rwlock_unlock(&access->lock);
}

/* "bk_<id>_<secret>" of fresh random bytes. */
static void make_key(char id[17], char text[ACCESS_KEY_BYTES])
{
    unsigned char random[ID_BYTES + SECRET_BYTES];
    randombytes_buf(random, sizeof random);
    sodium_bin2hex(id, 2 * ID_BYTES + 1, random, ID_BYTES);
    memcpy(text, PREFIX, sizeof PREFIX);
    memcpy(text + sizeof PREFIX - 1, id, 2 * ID_BYTES);
    size_t at = sizeof PREFIX - 1 + 2 * ID_BYTES;
    text[at++] = '_';
    sodium_bin2base64(text + at, ACCESS_KEY_BYTES - at, random + ID_BYTES, SECRET_BYTES,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(random, sizeof random);
}

int access_add(struct shop *shop, unsigned scopes, struct str label, char text[ACCESS_KEY_BYTES],
               struct error *err)
{
    if (!scopes)
        return error_set(err, ERR_INVALID, "scopes: expected some of read, ingest, admin, metrics");
    if (label.len > LABEL_BYTES || !utf8_valid(label))
        return error_set(err, ERR_INVALID, "label: expected at most 64 bytes of UTF-8");
    struct key_op self = {.op = {.run = add_run, .apply = add_apply, .cost = 1},
                          .row = {.scopes = scopes, .label = label, .created_ms = clock_wall_ms()}};
    make_key(self.row.id, text);
    hash_key(str_of(text), self.row.hash);
    pthread_mutex_lock(&shop->access->adding);
    int rc = shop_write_wait(shop, &self.op, err);
    pthread_mutex_unlock(&shop->access->adding);
    if (rc != 0)
        sodium_memzero(text, ACCESS_KEY_BYTES);
    return rc;
}

static int revoke_run(struct shop *shop, struct op *op, struct error *err)
{
    struct key_op *self = (struct key_op *)op;
    self->row.revoked_ms = clock_wall_ms();
    return keys_revoke(writer_db(shop->writer), self->id, self->row.revoked_ms, err);
}

static void revoke_apply(struct shop *shop, struct op *op)
{
    struct key_op *self = (struct key_op *)op;
    struct access *access = shop->access;
    pthread_rwlock_wrlock(&access->lock);
    for (size_t i = 0; i < access->keys.count; i++)
        if (str_eq(str_of(access->keys.at[i].id), self->id))
            access->keys.at[i].revoked_ms = self->row.revoked_ms;
    pthread_rwlock_unlock(&access->lock);
}

int access_revoke(struct shop *shop, struct str id, struct error *err)
{
    struct key_op self = {.op = {.run = revoke_run, .apply = revoke_apply, .cost = 1}, .id = id};
    return shop_write_wait(shop, &self.op, err);
}

static void scopes_text(unsigned scopes, const char *quote, struct buf *out)
{
    bool more = false;
    for (size_t i = 0; i < SCOPE_NAMES; i++) {
        if (!(scopes & (unsigned)scope_names[i].scope))
            continue;
        buf_printf(out, "%s%s%s%s", more ? "," : "", quote, scope_names[i].name, quote);
        more = true;
    }
}

static void key_json(const struct access_key *key, struct buf *out)
{
    char created[25], revoked[25];
    time_ms_format(key->created_ms, created);
    buf_printf(out, "{\"id\":\"%s\",\"scopes\":[", key->id);
    scopes_text(key->scopes, "\"", out);
    buf_printf(out, "],\"created\":\"%s\",\"revoked\":", created);
    if (key->revoked_ms) {
        time_ms_format(key->revoked_ms, revoked);
        buf_printf(out, "\"%s\"", revoked);
    } else {
        buf_text(out, "null");
    }
    buf_text(out, ",\"label\":");
    buf_json_str(out, str_of(key->label));
    buf_char(out, '}');
}

static void key_line(const struct access_key *key, struct buf *out)
{
    char created[25], revoked[25] = "-";
    time_ms_format(key->created_ms, created);
    if (key->revoked_ms)
        time_ms_format(key->revoked_ms, revoked);
    buf_printf(out, "%s  ", key->id);
    scopes_text(key->scopes, "", out);
    buf_printf(out, "  %s  %s  %s\n", created, revoked, key->label);
}

int access_list(struct shop *shop, struct buf *out, bool json, struct error *err)
{
    struct access *access = shop->access;
    pthread_rwlock_rdlock(&access->lock);
    buf_text(out, json ? "{\"keys\":[" : "");
    for (size_t i = 0; i < access->keys.count; i++) {
        if (json && i)
            buf_char(out, ',');
        (json ? key_json : key_line)(&access->keys.at[i], out);
    }
    buf_text(out, json ? "]}" : "");
    pthread_rwlock_unlock(&access->lock);
    return out->failed ? error_set(err, ERR_NOMEM, "keys: out of memory") : 0;
}

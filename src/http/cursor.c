/* Numbers are written as they lie in memory: a cursor outlives neither the machine nor, for rules,
 * the model. */
#include "http/cursor.h"

#include <sodium.h>
#include <string.h>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#define WORD_BYTES sizeof(struct cursor_word)
#define TEXT_BYTES (WORD_BYTES / 3 * 4 + 1)
_Static_assert(WORD_BYTES == 24, "no padding, and whole groups of base64");

uint64_t cursor_question(const struct params *params)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < params->count; i++) {
        const struct param *p = &params->at[i];
        if (str_eq(p->name, STR("cursor")) || str_eq(p->name, STR("limit")))
            continue;
        uint64_t name = XXH3_64bits(p->name.ptr, p->name.len);
        sum += XXH3_64bits_withSeed(p->value.ptr, p->value.len, name);
    }
    return sum;
}

void cursor_write(const struct cursor_word *word, struct buf *out)
{
    char text[TEXT_BYTES];
    sodium_bin2base64(text, sizeof text, (const unsigned char *)word, sizeof *word,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    buf_json_str(out, str_of(text));
}

int cursor_read(struct str text, struct cursor_word *word, struct error *err)
{
    struct cursor_word read;
    size_t length = 0;
    if (text.len != TEXT_BYTES - 1 ||
        sodium_base642bin((unsigned char *)&read, sizeof read, text.ptr, text.len, NULL, &length,
                          NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        length != sizeof read)
        return error_set(err, ERR_INVALID, "not one that an answer gave as next");
    if (read.question != word->question)
        return error_set(err, ERR_INVALID, "belongs to another question; begin again without it");
    if (read.version != word->version)
        return error_set(err, ERR_NOT_FOUND,
                         "belongs to model %llu, which was replaced; begin again without it",
                         (unsigned long long)read.version);
    word->position = read.position;
    return 0;
}

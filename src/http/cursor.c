/* A cursor is base64url of {owner, query hash, position}: it names what it pages through, so that
 * one of another model or another question is refused instead of giving a wrong page. */
#include "http_internal.h"

#include <sodium.h>
#include <string.h>

#define CURSOR_TEXT 33 /* 24 bytes in base64 and the NUL */

void cursor_write(struct buf *out, uint64_t owner, uint64_t query_hash, uint64_t position)
{
    uint64_t fields[3] = {owner, query_hash, position};
    char text[CURSOR_TEXT];
    sodium_bin2base64(text, sizeof text, (const unsigned char *)fields, sizeof fields,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    buf_text(out, text);
}

bool cursor_parse(struct str text, uint64_t owner, uint64_t query_hash, uint64_t *position)
{
    uint64_t fields[3];
    size_t length = 0;
    if (sodium_base642bin((unsigned char *)fields, sizeof fields, text.ptr, text.len, NULL, &length,
                          NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        length != sizeof fields || fields[0] != owner || fields[1] != query_hash)
        return false;
    *position = fields[2];
    return true;
}

/* Where the next page of a list begins, as an opaque word: which version of the list it is from,
 * which question, and a position. Base64url of three little numbers; not a secret. */
#ifndef HTTP_CURSOR_H
#define HTTP_CURSOR_H

#include "base/buf.h"
#include "base/error.h"
#include "http/target.h"

struct cursor_word {
    uint64_t version;  /* the model's id; 0 where lists do not age */
    uint64_t question; /* cursor_question of the parameters */
    uint64_t position;
};

/* A hash of all parameters but "cursor" and "limit", whatever their order. */
uint64_t cursor_question(const struct params *params);

void cursor_write(const struct cursor_word *word, struct buf *out); /* a quoted JSON string */
/* ERR_INVALID: not one of ours, or of another question; ERR_NOT_FOUND: of another version.
 * word->version and ->question are given, ->position is set. */
int cursor_read(struct str text, struct cursor_word *word, struct error *err) WARN_UNUSED;

#endif

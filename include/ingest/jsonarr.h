/* One JSON array of any size -> its elements, one at a time, never the whole. A single object in
 * the place of the array is one element. Finds the ends of elements by counting brackets outside
 * strings; whether an element is JSON is for its reader to say, so a bad one does not stop the
 * others. An element longer than `max` is skipped and reported once. */
#ifndef INGEST_JSONARR_H
#define INGEST_JSONARR_H

#include "base/buf.h"
#include "ingest/split.h"

enum jsonarr_state {
    JSONARR_START,    /* before the array */
    JSONARR_FIRST,    /* after '[': an element or ']' */
    JSONARR_ELEMENT,  /* after ',': an element */
    JSONARR_VALUE,    /* inside an element */
    JSONARR_COMPLETE, /* after an element: ',' or ']' */
    JSONARR_END       /* after the array: blanks */
};

struct jsonarr {
    struct buf part; /* the beginning of an element whose end has not come */
    size_t max;      /* bytes of an element */
    enum jsonarr_state state;
    uint64_t depth; /* open brackets of the element */
    bool in_string, escaped, skipping;
    bool single;     /* an object, not an array */
    uint64_t number; /* of the element, from 1 */
    uint64_t offset; /* bytes before the present piece, for messages */
    split_fn element;
    void *context;
};

void jsonarr_init(struct jsonarr *a, size_t max, split_fn element, void *context);
void jsonarr_deinit(struct jsonarr *a); /* may run twice */

/* ERR_INVALID: not an array of values separated by commas. */
int jsonarr_push(struct jsonarr *a, struct str bytes, struct error *err) WARN_UNUSED;
/* ERR_INVALID: the array is not closed. */
int jsonarr_finish(struct jsonarr *a, struct error *err) WARN_UNUSED;

#endif

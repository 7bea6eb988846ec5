/* Browsers. Origins on the list (settings cors_origins) may read with a key: their preflights and
 * answers carry the fields the Fetch standard asks for. Without keys, writes that a page of another
 * origin makes a browser send are refused: nothing else would keep it from a server on loopback. */
#ifndef HTTP_CORS_H
#define HTTP_CORS_H

#include "http/request.h"

/* The list is a comma list of "https://shop.example"; what is wrong with it, NULL: nothing. */
const char *cors_problem(struct str list);
bool cors_allowed(struct str list, struct str origin);
/* True when the origin's host and port are the Host field's. */
bool cors_same_origin(struct str origin, struct str host);

/* Adds the fields to an answer of `r`; for preflights too. */
void cors_fields(struct request *r);

#endif

/* What the fuzz drivers check of one input, shared with the unit test that runs the saved inputs.
 * The first byte of the data chooses the size of the pieces; anything wrong aborts. */
#ifndef SUPPORT_FUZZCHECK_H
#define SUPPORT_FUZZCHECK_H

#include "ingest/reader.h"

/* Reading in pieces gives the transcript that reading at once gives; the reader itself asserts that
 * every line is accounted for. */
void fuzzcheck_reader(enum reader_format format, const uint8_t *data, size_t size);

/* Pieces give the bytes, or the failure, that the whole gives. */
void fuzzcheck_decompress(const uint8_t *data, size_t size);

#endif

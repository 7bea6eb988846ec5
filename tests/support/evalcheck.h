/* What an evaluation and a training read of files, held against what must be of anything read;
 * shared by the unit test of saved inputs and the fuzz drivers. Anything wrong aborts. The first
 * byte of the data chooses the variant. */
#ifndef SUPPORT_EVALCHECK_H
#define SUPPORT_EVALCHECK_H

#include <stddef.h>
#include <stdint.h>

/* `--format sequences`, lines as shoppers or as sessions; events of NDJSON, JSON or CSV as
 * sessions. Good orders come out, the same a second time, that can be split and checked, or an
 * error that says something. */
void evalcheck_sequences(const uint8_t *data, size_t size);
void evalcheck_sessions(const uint8_t *data, size_t size);

/* tuned.json: a menu that is valid, or an error that names the file. */
void evalcheck_tuned(const uint8_t *data, size_t size);

#endif

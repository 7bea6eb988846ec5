/* External merge sort: records of (key, bytes) of any total size in bounded memory.
 *
 * Records are collected in a memory buffer; a full buffer is sorted and written as one run to an
 * unlinked temporary file in `directory`; reading merges the runs (Knuth, vol. 3, 5.4). Order: key
 * bytes ascending, then the order of adding, so equal keys keep the input order. When everything
 * fits the buffer no file is made. One file holds all runs, however many; on disk that is what was
 * added and what is just being merged. Owner thread only. */
#ifndef BASE_EXTSORT_H
#define BASE_EXTSORT_H

#include "base/error.h"
#include "base/str.h"

struct extsort;

/* memory: bytes of the buffer, which also holds the order (24 bytes a record) and later the merge;
 * at least 64 KiB are taken. 64 KiB come on top once there is a file, and the buffer doubles at
 * most when single records are above half of it. directory: existing, writable; copied. */
struct extsort *extsort_new(const char *directory, size_t memory, struct error *err) WARN_UNUSED;
void extsort_free(struct extsort *s);

/* ERR_TOO_LARGE when one record does not fit the buffer; ERR_IO/ERR_FULL on disk trouble. */
int extsort_add(struct extsort *s, struct str key, struct str value, struct error *err) WARN_UNUSED;

/* Ends the adding. */
int extsort_sort(struct extsort *s, struct error *err) WARN_UNUSED;

/* The next record in order: 1, or 0 at the end, or a negative error. Slices live until the next
 * call. */
int extsort_next(struct extsort *s, struct str *key, struct str *value,
                 struct error *err) WARN_UNUSED;

uint64_t extsort_spilled_bytes(const struct extsort *s);

#endif

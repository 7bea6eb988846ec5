/* Compressed sparse rows: baskets x items (values NULL: all ones) or item -> best items (weights).
 * Columns of a basket row are ascending and distinct; rows of a weight matrix are best first when
 * made by a learner (each header says). Immutable after building; any thread reads. */
#ifndef DATA_CSR_H
#define DATA_CSR_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct csr {
    uint32_t rows, cols;
    uint64_t *start;  /* [rows + 1]; row r is start[r] .. start[r+1]-1 */
    uint32_t *column; /* [start[rows]] */
    float *value;     /* [start[rows]] or NULL */
};

/* Room for `entries` entries; start[] zeroed. */
int csr_alloc(struct csr *m, uint32_t rows, uint32_t cols, uint64_t entries, int with_values,
              struct error *err) WARN_UNUSED;
void csr_deinit(struct csr *m);
uint64_t csr_entries(const struct csr *m);
size_t csr_bytes(const struct csr *m);

/* Closes the gaps of rows that were written apart, row r from room[r] on, length[r] entries (room
 * ascends, rows do not overlap): moves them together, sets start[], gives back memory. */
void csr_pack(struct csr *m, const uint64_t *room, const uint32_t *length);

/* out[c] lists the rows of m that have column c, ascending; values carried along. */
int csr_transpose(const struct csr *m, struct csr *out, struct error *err) WARN_UNUSED;

/* Shape, ascending start, columns in range, finite values: what a loaded model must satisfy. */
int csr_check(const struct csr *m, struct error *err) WARN_UNUSED;
#endif

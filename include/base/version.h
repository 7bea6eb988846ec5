/* Which basketd this is. Static strings. Any thread. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

const char *basketd_version(void); /* "0.1.0" */
const char *basketd_commit(void);  /* abbreviated git commit, "unknown" outside a checkout */

#endif

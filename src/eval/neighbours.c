#include "neighbours_internal.h"

int split_neighbours(const struct split *split, struct sessionknn *out, struct error *err)
{
    struct histories rows = {0};
    int rc = split->visits ? histories_of_visits(&split->train, &rows, err)
                           : histories_of_users(&split->train, &rows, err);
    if (rc == 0)
        rc = sessionknn_build(&rows, NULL, out, err);
    histories_deinit(&rows);
    if (rc == 0 && out->session_count == 0)
        sessionknn_deinit(out);
    return rc;
}

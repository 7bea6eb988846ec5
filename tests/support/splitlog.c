#include "support/splitlog.h"

int splitlog_take(void *context, struct str text, uint64_t number, struct error *err)
{
    struct buf *out = context;
    buf_u64(out, number);
    buf_char(out, text.ptr ? ':' : '!');
    buf_str(out, text);
    buf_char(out, '|');
    return out->failed ? error_set(err, ERR_NOMEM, "log: out of memory") : 0;
}

/* See the header. A struct error is plain memory: no allocation, so that running out of memory can
 * be reported. Text that does not fit is cut between two characters: it ends up in JSON, which must
 * stay UTF-8. */
#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A text that fills its room may end inside a character: drops the bytes of that one. */
static void cut_between_characters(struct error *err)
{
    size_t length = strlen(err->text), lead = length;
    if (length + 1 < sizeof err->text)
        return;
    while (lead > 0 && ((unsigned char)err->text[lead - 1] & 0xc0) == 0x80)
        lead--;
    if (lead == 0 || (unsigned char)err->text[lead - 1] < 0xc0)
        return;
    unsigned char first = (unsigned char)err->text[--lead];
    size_t whole = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (length - lead < whole)
        err->text[lead] = '\0';
}

int error_set(struct error *err, enum err code, const char *format, ...)
{
    assert(code < 0);
    if (err && err->code == OK) {
        va_list args;
        va_start(args, format);
        err->code = code;
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        cut_between_characters(err);
    }
    return code;
}

int error_set_errno(struct error *err, enum err code, int number, const char *format, ...)
{
    assert(code < 0);
    if (code == ERR_IO && (number == ENOSPC || number == EDQUOT))
        code = ERR_FULL;
    if (number == ENOMEM)
        code = ERR_NOMEM;
    if (err && err->code == OK) {
        char reason[96];
        va_list args;
        va_start(args, format);
        err->code = code;
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        size_t used = strlen(err->text);
        snprintf(err->text + used, sizeof err->text - used, ": %s",
                 strerror_r(number, reason, sizeof reason));
        cut_between_characters(err);
    }
    return code;
}

void error_wrap(struct error *err, const char *format, ...)
{
    if (!err || err->code == OK)
        return;
    char old[sizeof err->text];
    memcpy(old, err->text, sizeof old);
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof err->text - used, ": %s", old);
    cut_between_characters(err);
}

void error_clear(struct error *err)
{
    if (err)
        memset(err, 0, sizeof *err);
}

const char *err_name(enum err code)
{
    switch (code) {
    case OK:
        return "OK";
#define X(name, text)                                                                              \
    case ERR_##name:                                                                               \
        return #name;
        ERR_MAP(X)
#undef X
    }
    return "UNKNOWN";
}

const char *err_meaning(enum err code)
{
    switch (code) {
    case OK:
        return "no error";
#define X(name, text)                                                                              \
    case ERR_##name:                                                                               \
        return text;
        ERR_MAP(X)
#undef X
    }
    return "unknown";
}

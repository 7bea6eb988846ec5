/* The build writes version.h; only this file sees it, so a new commit recompiles one file. */
#include "base/version.h"

#include "version.h"

const char *basketd_version(void)
{
    return BASKETD_VERSION;
}

const char *basketd_commit(void)
{
    return BASKETD_COMMIT;
}

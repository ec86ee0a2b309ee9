/* rundbriefd --restore FILE: a backup takes the place of the store, while the daemon is stopped. Whatever it does as root it
 * does as the owner of the state folder, but for opening FILE.
 *
 * STEPS   FILE is copied to STATE/restoring, read through, and brought to the newest version: a damaged one, a foreign
 *         one or one of a newer version is refused before anything is touched. In the copy, in one transaction: ids begin
 *         in a new epoch (store/epoch.h), what is not finished is paused, system mail that waited is dropped. Requests and
 *         commands of the last 90 days go from spool/applied to spool/requests/restored, which the daemon's next start
 *         applies before it claims anybody. The store that was there is kept (store/kept.h), and the copy takes its
 *         name: one rename. Then bundles that the backup does not know go to spool/rejected with the reason.
 *         Cut off anywhere before the rename, the store is what it was: requests that were moved are applied to it once
 *         more, which changes nothing. Cut off behind it, the daemon's next start puts the bundles aside
 *         (announce/admit.h). Either way the restore may be run again. STATE/restoring is removed by the next one, or by
 *         the daemon's next start. */
#pragma once
#include <stdbool.h>

struct conf;

struct restore_wish {
    const char *file;
    bool yes, json; /* yes: do not ask */
};
/* An exit code of sysexits; what is wrong is said on standard error. */
int restore_run(const struct conf *conf, const struct restore_wish *wish);

/* The time zones' names of Windows ("W. Europe Standard Time"), as Outlook and Exchange write them, and the zoneinfo
 * names they stand for (Unicode CLDR, windowsZones). Exact spelling. */
#pragma once
#include "base/view.h"

/* NULL where unknown; static. */
const char *windows_zones_find(struct view name);
typedef void windows_zones_on_row(void *user, const char *windows, const char *zone);
void windows_zones_each(windows_zones_on_row *on_row, void *user);

/* A VTIMEZONE (RFC 5545 §3.6.5) for one event, made from the zone itself (mail/zone.h).
 *
 * Where the zone's yearly rules hold from the event on, it has the two of them with an RRULE, the form that all
 * calendars read; else every stretch from the event's start up to until_sec, or CALENDAR_ZONE_SPANS_MAX of them, stands
 * by itself. libical's own truncation is not used: it begins the zone behind the event, in the wrong hour. */
#pragma once
#include "mail/zone.h"

enum { CALENDAR_ZONE_SPANS_MAX = 40 };

struct icalcomponent_impl;
/* NULL when memory runs out. */
struct icalcomponent_impl *calendar_zone_make(const struct zone *z, int64_t start_sec, int64_t until_sec);

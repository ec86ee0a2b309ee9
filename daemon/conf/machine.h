/* What a configuration must know of the machine while it is loaded. */
#pragma once

struct complaints;
struct whole;

enum { MACHINE_ZONE_MAX = 64 };
/* The system's time zone ("Europe/Berlin"): TZ, else /etc/localtime, else /etc/timezone. "" where it is UTC, which on a
 * server says nothing about its people, or cannot be found out. */
void machine_zone(char ret[MACHINE_ZONE_MAX + 1]);
/* Complains of what this machine lacks for a configuration, which may have other faults. */
void machine_check(const struct whole *whole, struct complaints *c);

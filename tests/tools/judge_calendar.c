// pkg-config: libical
/* judge_calendar FILE...: libical's own verdict on calendar files, and RFC 5545's on their lines. Silent and 0 where
 * all is well; else a line for each fault, and 1. */
#include <libical/ical.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *name;
static int faults;

static void fault(const char *what) {
    printf("%s: %s\n", name, what);
    faults++;
}

/* §3.1: CR LF, at most 75 octets, whole characters. */
static void judge_lines(const char *text) {
    while (*text) {
        const char *end = strstr(text, "\r\n");
        if (!end) {
            fault("the last line does not end with CR LF");
            return;
        }
        if (end - text > 75)
            fault("a line is longer than 75 octets");
        for (const char *p = text; p < end; p++)
            if (*p == '\r' || *p == '\n')
                fault("a bare CR or LF");
        if (((unsigned char)*text & 0xc0) == 0x80 || (*text == ' ' && ((unsigned char)text[1] & 0xc0) == 0x80))
            fault("a line begins within a character");
        text = end + 2;
    }
}

static int has_zone(icalcomponent *calendar, const char *tzid) {
    icalcompiter i = icalcomponent_begin_component(calendar, ICAL_VTIMEZONE_COMPONENT);
    for (icalcomponent *c; (c = icalcompiter_deref(&i)); icalcompiter_next(&i)) {
        icalproperty *p = icalcomponent_get_first_property(c, ICAL_TZID_PROPERTY);
        if (p && strcmp(icalproperty_get_tzid(p), tzid) == 0)
            return 1;
    }
    return 0;
}

/* §3.2.19: a VTIMEZONE for each TZID. */
static void judge_zones(icalcomponent *calendar, icalcomponent *event) {
    icalproperty *p = icalcomponent_get_first_property(event, ICAL_ANY_PROPERTY);
    for (; p; p = icalcomponent_get_next_property(event, ICAL_ANY_PROPERTY)) {
        icalparameter *tzid = icalproperty_get_first_parameter(p, ICAL_TZID_PARAMETER);
        if (tzid && !has_zone(calendar, icalparameter_get_tzid(tzid)))
            fault("a TZID without its VTIMEZONE");
    }
}

static void judge(const char *text) {
    judge_lines(text);
    icalcomponent *c = icalparser_parse_string(text);
    if (!c || icalcomponent_isa(c) != ICAL_VCALENDAR_COMPONENT) {
        fault("not one VCALENDAR");
        if (c)
            icalcomponent_free(c);
        return;
    }
    if (icalcomponent_count_errors(c))
        fault("libical counts errors");
    icalcompiter i = icalcomponent_begin_component(c, ICAL_VEVENT_COMPONENT);
    if (!icalcompiter_deref(&i))
        fault("no VEVENT");
    for (icalcomponent *event; (event = icalcompiter_deref(&i)); icalcompiter_next(&i))
        judge_zones(c, event);
    if (!icalrestriction_check(c)) { /* changes what it checks: the last */
        fault("libical's restrictions (RFC 5545, 5546) are not met:");
        char *verdict = icalcomponent_as_ical_string_r(c);
        fputs(verdict, stdout);
        free(verdict);
    }
    icalcomponent_free(c);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        name = argv[i];
        FILE *f = fopen(name, "rb");
        char *text = calloc(1, (1 << 20) + 1);
        if (!f || !text)
            return perror(name), 2;
        size_t len = fread(text, 1, 1 << 20, f);
        if (strlen(text) != len)
            fault("a NUL byte");
        judge(text);
        free(text);
        fclose(f);
    }
    return faults != 0;
}

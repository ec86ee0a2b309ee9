/* What a request to the web door asks for, by its path. A pure function over hostile input. */
#pragma once
#include <stdint.h>

#include "base/view.h"

enum path_place {
    PATH_NOT_FOUND,
    PATH_LEAVE,       /* /u/TOKEN[/ANNOUNCEMENT[/LANGUAGE[/left-SECONDS]]] */
    PATH_ARCHIVE,     /* /a/ANNOUNCEMENT[/LANGUAGE] */
    PATH_CALENDAR,    /* /a/ANNOUNCEMENT/LANGUAGE.ics */
    PATH_PREFERENCES, /* /p/TOKEN */
    PATH_CONFIRM,     /* /c/TOKEN[/LANGUAGE] */
    PATH_SIGN_UP,     /* /s/LIST */
    PATH_LINK,        /* /l */
    PATH_RELEASE,     /* /r/TOKEN[/LANGUAGE] */
    PATH_HEALTH,      /* /healthz */
    PATH_STYLE,       /* /style.css */
    PATH_COLOUR,      /* /colour-RRGGBB.css */
};

/* Views into the path. Only the token decides what happens; what stands behind it helps and grants nothing, so a
 * damaged rest (mail programs cut links and add to them) is read as absent. */
struct path {
    enum path_place place;
    struct view token;    /* of a sign-up the list's name, of a colour its six digits */
    int64_t announcement; /* 0: none */
    struct view language; /* "" : none; else it may name a language (words_is_code) */
    int64_t left_sec;     /* when they left by mail, since the epoch: the page is that of undo; 0: none */
    unsigned depth;       /* how many folders below the root the page stands */
};
void path_read(const char *path, struct path *ret);

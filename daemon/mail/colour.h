/* Colours as CSS writes them, "#rrggbb", and what can be read on them: contrast as WCAG 2.2 counts it. Admins choose a
 * colour for its looks; these make text of it that people can read. What is not "#rrggbb" counts as black. */
#pragma once
#include <stdbool.h>

enum { COLOUR_SIZE = 8 }; /* with its NUL */

#define COLOUR_DEFAULT "#1f4e79"
/* The grounds that the shipped templates write on, in light and in dark mode: the one of their two that is harder. */
#define COLOUR_GROUND "#f3f5f8"
#define COLOUR_GROUND_DARK "#2b3138"

bool colour_is_valid(const char *colour);
/* From 1 (the same) to 21 (black and white). */
double colour_contrast(const char *a, const char *b);
/* The colour itself, or mixed with black or white as little as gives text of it a contrast of 4.5 on the background. */
void colour_readable(const char *colour, const char *background, char ret[COLOUR_SIZE]);
/* Black or white, whichever can be read on the background; white where both can. */
const char *colour_ink(const char *background);

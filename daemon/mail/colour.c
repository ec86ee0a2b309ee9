#include "mail/colour.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

enum { STEPS = 64 };
static const double enough = 4.6; /* WCAG 2.2, 1.4.3 AA asks for 4.5; ours is an approximation */

struct rgb {
    uint8_t of[3];
};

static int digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool parse(const char *colour, struct rgb *ret) {
    if (strlen(colour) != COLOUR_SIZE - 1 || colour[0] != '#')
        return false;
    for (int i = 0; i < 3; i++) {
        int high = digit(colour[1 + 2 * i]), low = digit(colour[2 + 2 * i]);
        if (high < 0 || low < 0)
            return false;
        ret->of[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

static struct rgb rgb_of(const char *colour) {
    struct rgb rgb = {0};
    return parse(colour, &rgb) ? rgb : (struct rgb){0};
}

/* sRGB to linear light; the polynomial stays within 0.003 of the standard's curve. */
static double linear(uint8_t byte) {
    double c = byte / 255.0;
    return c * (c * (c * 0.305306011 + 0.682171111) + 0.012522878);
}

static double luminance(struct rgb c) {
    return 0.2126 * linear(c.of[0]) + 0.7152 * linear(c.of[1]) + 0.0722 * linear(c.of[2]);
}

static double contrast(struct rgb a, struct rgb b) {
    double x = luminance(a) + 0.05, y = luminance(b) + 0.05;
    return x > y ? x / y : y / x;
}

bool colour_is_valid(const char *colour) {
    struct rgb rgb;
    return parse(colour, &rgb);
}

double colour_contrast(const char *a, const char *b) {
    return contrast(rgb_of(a), rgb_of(b));
}

static struct rgb mix(struct rgb a, struct rgb b, unsigned step) {
    struct rgb mixed;
    for (int i = 0; i < 3; i++)
        mixed.of[i] = (uint8_t)((a.of[i] * (STEPS - step) + b.of[i] * step) / STEPS);
    return mixed;
}

void colour_readable(const char *colour, const char *background, char ret[COLOUR_SIZE]) {
    static const struct rgb black = {{0, 0, 0}}, white = {{255, 255, 255}};
    struct rgb from = rgb_of(colour), on = rgb_of(background), c = from;
    struct rgb to = contrast(on, black) > contrast(on, white) ? black : white;
    for (unsigned step = 1; contrast(c, on) < enough && step <= STEPS; step++)
        c = mix(from, to, step);
    (void)snprintf(ret, COLOUR_SIZE, "#%02x%02x%02x", c.of[0], c.of[1], c.of[2]); /* fits */
}

const char *colour_ink(const char *background) {
    return colour_contrast("#ffffff", background) >= enough ? "#ffffff" : "#000000";
}

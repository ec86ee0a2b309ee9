/* Jobs that write system mail about what dispatch reports: results to coordinators, alerts to the admin. */
#pragma once
#include <stdint.h>

struct conf;
struct dispatch;
struct keyring;
struct store;

struct informing {
    struct store *store;
    struct conf *conf;
    const struct keyring *keys;
    struct dispatch *dispatch;
};

void informing_finished(const struct informing *i, int64_t announcement);
void informing_alert(const struct informing *i, const char *key, const char *a1, const char *a2);

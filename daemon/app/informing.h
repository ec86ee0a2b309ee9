/* A job that writes system mail about what dispatch reports: alerts to the admin. */
#pragma once

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

void informing_alert(const struct informing *i, const char *key, const char *a1, const char *a2);

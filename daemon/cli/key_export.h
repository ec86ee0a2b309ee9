/* key export and key import: the keys to and from one encrypted file (trust/key_export.h). The passphrase comes from the
 * terminal, without showing it, from a private file, or as systemd's credential "key-passphrase". */
#pragma once
#include "base/buf.h"

struct cli;

struct key_export_places {
    const char *secret, *public;
};
/* passphrase_file may be NULL. Exit codes of sysexits. */
int key_export_run(struct cli *cli, const struct key_export_places *p, const char *file, const char *passphrase_file);
int key_import_run(struct cli *cli, const struct key_export_places *p, const char *file, const char *passphrase_file);

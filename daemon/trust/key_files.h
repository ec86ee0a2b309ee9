/* The key files on disk, for trust/keys.c alone: which are there, and reading and writing single ones.
 * FILES and STATES stand in trust/keys.h. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/why.h"

enum { KEY_FILE_BYTES = 32 };

/* What the two folders hold. */
struct key_survey {
    bool master;
    uint8_t active; /* 0: none */
    bool secret[256], public[256];
    unsigned highest; /* id, of any of both */
};
/* A missing folder holds nothing; secret_dir may be NULL. */
int key_files_survey(const char *secret_dir, const char *public_dir, struct key_survey *ret, struct why *why);

/* 0 where <dir>/<name> holds a key; -ENOENT, -EBADMSG and others with a reason. Secrets must be for their owner only.
 */
int key_files_read(const char *dir, const char *name, bool secret, uint8_t ret[KEY_FILE_BYTES], struct why *why);
int key_files_write(const char *dir, const char *name, bool secret, const uint8_t bytes[KEY_FILE_BYTES],
                    struct why *why);
int key_files_read_active(const char *secret_dir, uint8_t *ret, struct why *why);
int key_files_write_active(const char *secret_dir, uint8_t id, struct why *why);

/* For a verb that writes: makes the folders, keeps other verbs out until the descriptor *ret_lock is closed, and sweeps
 * away what an interrupted write left. */
int key_files_lock(const char *secret_dir, const char *public_dir, int *ret_lock, struct why *why);

enum { KEY_NAME_MAX = 32 };
void key_files_secret_name(uint8_t id, char ret[KEY_NAME_MAX]);
void key_files_public_name(uint8_t id, char ret[KEY_NAME_MAX]);

/* Where the files of templates/ are found: a language's own before the common one, and in each the admin's before the
 * shipped one. */
#pragma once
#include "base/buf.h"

enum { TEMPLATE_FILE_MAX_BYTES = 256 * 1024 };

/* Reads NAME for a language: local/<language>/NAME, shipped/<language>/NAME, local/common/NAME, shipped/common/NAME:
 * the first that exists. local_dir may be "". language and name must be plain names (letters, digits, - _ .). -ENOENT,
 * -EINVAL, -EMSGSIZE. */
int template_file_read(const char *local_dir, const char *shipped_dir, const char *language, const char *name,
                       struct buf *to);

/* A mailbox on another server, read and cleared over IMAP (RFC 3501) with libcurl. Waits for the server: for programs
 * that do nothing else. TLS is verified; without it (imap_tls false, for a server on this machine) everything is in the
 * clear.
 *
 * LIMITS  IMAP_UIDS_MAX numbers of a mailbox are taken at once; IMAP_TIMEOUT_SEC for each command. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/view.h"
#include "base/why.h"

struct imap;

struct imap_account {
    const char *url; /* imap://HOST[:PORT]/MAILBOX or imaps://…, in UTF-8 (RFC 5092); imap:// begins TLS by STARTTLS */
    const char *username, *password, *ca_file; /* ca_file "": the system's */
    bool tls;
};

enum { IMAP_UIDS_MAX = 10000, IMAP_TIMEOUT_SEC = 60 };

/* Connects with the first command. -ENOMEM, -EINVAL for another url. */
int imap_new(const struct imap_account *account, struct why *why, struct imap **ret);
struct imap *imap_free(struct imap *m);
/* The UIDs of mails that are neither deleted nor seen, rising; at most IMAP_UIDS_MAX. ret is the caller's, of that
 * size. A negative errno (-EPERM where the login is refused, -ECONNREFUSED and its like) with the reason in why. */
int imap_unseen(struct imap *m, uint32_t *ret, size_t *ret_count, struct why *why);
/* The mail as it lies there, at most mail's cap: no more is asked for. Marks nothing. -ENOENT where it is gone. */
int imap_fetch(struct imap *m, uint32_t uid, struct buf *mail, struct why *why);
/* Marks it seen, and leaves it. */
int imap_see(struct imap *m, uint32_t uid, struct why *why);
/* Takes it away: into another folder of the server (its name in UTF-8), or with folder "" for good. Where the server has
 * neither MOVE (RFC 6851) nor UIDPLUS (RFC 4315) it stays, marked as deleted and seen, until somebody expunges the mailbox:
 * plain EXPUNGE would take what others have marked. -EBADMSG where the server refuses, such as for want of the folder. */
int imap_remove(struct imap *m, uint32_t uid, const char *folder, struct why *why);

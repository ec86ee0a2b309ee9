#include "door/mailbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "door/mail.h"
#include "inbound/reader.h"
#include "net/imap.h"

#include "base/banned.h"

static int take(struct imap *mailbox, struct mail_door *door, uint32_t uid, const char *folder, struct why *why,
                struct mailbox_counts *counts) {
    AUTOBUF struct buf mail = BUF_INIT(READER_MAIL_MAX_BYTES);
    struct mail_taken taken;
    int r = imap_fetch(mailbox, uid, &mail, why);
    if (r == -ENOENT)
        return 0; /* somebody took it away meanwhile */
    if (r == 0)
        r = mail_door_take(door, buf_view(&mail), NULL, 0, why, &taken);
    if (r < 0)
        return r;
    bool ours = strcmp(taken.as, "ignored") != 0;
    r = ours ? imap_remove(mailbox, uid, folder, why) : imap_see(mailbox, uid, why);
    if (r == 0 && ours)
        counts->taken++;
    else if (r == 0)
        counts->left++;
    return r;
}

int mailbox_empty(struct imap *mailbox, struct mail_door *door, const char *folder, struct why *why,
                  struct mailbox_counts *ret) {
    *ret = (struct mailbox_counts){.taken = 0};
    AUTOFREE uint32_t *uids = calloc(IMAP_UIDS_MAX, sizeof *uids);
    if (!uids)
        return why_set(why, -ENOMEM, "out of memory");
    for (;;) {
        size_t count = 0;
        int r = imap_unseen(mailbox, uids, &count, why);
        for (size_t i = 0; r == 0 && i < count; i++)
            r = take(mailbox, door, uids[i], folder, why, ret);
        if (r < 0 || count < IMAP_UIDS_MAX)
            return r;
    }
}

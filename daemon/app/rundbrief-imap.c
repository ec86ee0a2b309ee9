/* rundbrief-imap: empties the return path's mailbox at a provider into the mail door, once. rundbrief-imap.timer starts
 * it every few minutes. Needs the configuration, the public keys, rundbrief-mime, and the mailbox's password: no store,
 * and no other secret.
 *
 *   rundbrief-imap --config FILE
 *
 * Exit status: 0 when nothing unseen is left; 75 where the server or this machine lacks something, and the next run
 * tries again; 78 where the configuration names no mailbox or the server refuses the login. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/log.h"

#include "conf/conf.h"
#include "door/committer.h"
#include "door/mail.h"
#include "door/mailbox.h"
#include "inbound/reader.h"
#include "net/imap.h"

#include "base/banned.h"

static void usage(FILE *to) {
    (void)fprintf(to, "usage: rundbrief-imap --config FILE\n"); /* nowhere to say more */
}

static void on_conf_error(void *user, const struct why *why) {
    (void)user;
    log_why(LOG_ERR, "not-started", why);
}

static int open_mailbox(const struct conf *conf, struct why *why, struct imap **ret) {
    struct buf password;
    int r = files_read_password(conf->imap_password_file, &password, why);
    const struct imap_account account = {
        .url = conf->imap_url,
        .username = conf->imap_username,
        .password = r == 0 ? buf_str(&password) : "",
        .ca_file = conf->imap_ca_file,
        .tls = conf->imap_tls,
    };
    if (r == 0)
        r = imap_new(&account, why, ret);
    files_forget_password(&password);
    return r;
}

static int run(const struct conf *conf) {
    struct why why;
    struct imap *mailbox = NULL;
    struct committer *committer = NULL;
    struct reader *reader = NULL;
    struct mail_door *door = NULL;
    char folder[PATH_MAX];
    struct mailbox_counts counts = {.taken = 0};
    if (!conf->imap_url[0] || !conf->imap_username[0] || !conf->imap_password_file[0]) {
        (void)why_set(&why, -EINVAL, "no mailbox is configured");
        why_todo(&why, "Set imap-url, imap-username and imap-password-file in [bounce]");
        log_why(LOG_ERR, "not-started", &why);
        return EX_CONFIG;
    }
    int r =
        snprintf(folder, sizeof folder, "%s/requests/mail", conf->spool_dir) < (int)sizeof folder ? 0 : -ENAMETOOLONG;
    if (r == 0)
        r = reader_new(&reader);
    if (r == 0)
        r = committer_new(folder, &committer);
    r = r < 0 ? why_set(&why, r, "cannot start: %s", strerror(-r))
              : mail_door_new(conf, reader, committer, &why, &door);
    if (r == 0)
        r = open_mailbox(conf, &why, &mailbox);
    if (r == 0)
        r = mailbox_empty(mailbox, door, conf->imap_folder, &why, &counts);
    if (counts.taken || counts.left)
        log_info("mailbox-read", LOG_NUM("taken", counts.taken), LOG_NUM("left", counts.left));
    if (r < 0)
        log_why(LOG_ERR, "mailbox-not-read", &why);
    (void)imap_free(mailbox);
    (void)mail_door_free(door);
    (void)committer_free(committer);
    (void)reader_free(reader);
    return r == 0 ? EX_OK : r == -EPERM || r == -EINVAL ? EX_CONFIG : EX_TEMPFAIL;
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    const char *config = NULL;
    files_guard_standard();
    (void)signal(SIGPIPE, SIG_IGN); /* cannot fail for a signal that exists */
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c != 'c') {
            usage(c == 'h' ? stdout : stderr);
            return c == 'h' ? EX_OK : EX_USAGE;
        }
        config = optarg;
    }
    if (!config || optind != argc) {
        usage(stderr);
        return EX_USAGE;
    }
    struct conf *conf;
    if (conf_load_for_door(config, on_conf_error, NULL, &conf) < 0)
        return EX_CONFIG;
    int code = run(conf);
    (void)conf_unref(conf);
    return code;
}

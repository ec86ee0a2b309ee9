/* rundbrief-mail: the mail door. Takes mails that come to our return path, and hands requests to the daemon over
 * spool/requests/mail. Needs the configuration, the public keys and rundbrief-mime: no store, no secret.
 *
 *   rundbrief-mail --config FILE [--recipient ADDRESS]   one mail on standard input, from a mail system's pipe
 *   rundbrief-mail --config FILE --lmtp                  LMTP on standard input and output, one connection
 *
 * Exit status: 0 when the mail is taken, durably; 75 for whatever else, so that the mail system keeps it and tries again:
 * a mail that comes back is never sent back. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/log.h"

#include "conf/conf.h"
#include "door/lmtp.h"
#include "door/mail.h"
#include "inbound/reader.h"

#include "base/banned.h"

static void usage(FILE *to) {
    (void)fprintf(to, "usage: rundbrief-mail --config FILE [--recipient ADDRESS | --lmtp]\n"); /* nowhere to say more */
}

static void on_conf_error(void *user, const struct why *why) {
    (void)user;
    log_why(LOG_ERR, "not-started", why);
}

static int take_one(struct mail_door *door, const char *recipient) {
    AUTOBUF struct buf mail = BUF_INIT(READER_MAIL_MAX_BYTES);
    struct why why;
    const char *verb = "";
    uint64_t bytes;
    int r = reader_gather(STDIN_FILENO, &mail, &bytes);
    if (r < 0)
        (void)why_set(&why, r, "the mail cannot be read: %s", strerror(-r));
    else
        r = mail_door_take(door, buf_view(&mail), view_of(recipient ? recipient : ""), &why, &verb);
    if (r < 0) {
        log_why(LOG_ERR, "mail-not-taken", &why);
        return EX_TEMPFAIL;
    }
    log_info("mail-taken", LOG_TEXT("as", verb));
    return EX_OK;
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"recipient", required_argument, NULL, 'r'},
                                            {"lmtp", no_argument, NULL, 'l'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *config = NULL, *recipient = NULL;
    bool lmtp = false;
    files_guard_standard();
    (void)signal(SIGPIPE, SIG_IGN); /* cannot fail for a signal that exists */
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'c')
            config = optarg;
        else if (c == 'r')
            recipient = optarg;
        else if (c == 'l')
            lmtp = true;
        else {
            usage(c == 'h' ? stdout : stderr);
            return c == 'h' ? EX_OK : EX_TEMPFAIL;
        }
    }
    if (!config || optind != argc || (lmtp && recipient)) {
        usage(stderr);
        return EX_TEMPFAIL;
    }
    struct conf *conf;
    struct mail_door *door;
    struct why why;
    if (conf_load(config, on_conf_error, NULL, &conf) < 0)
        return EX_TEMPFAIL;
    int code = EX_TEMPFAIL;
    if (mail_door_new(conf, &why, &door) < 0) {
        log_why(LOG_ERR, "not-started", &why);
    } else {
        code =
            lmtp ? lmtp_serve(door, STDIN_FILENO, STDOUT_FILENO) < 0 ? EX_TEMPFAIL : EX_OK : take_one(door, recipient);
        (void)mail_door_free(door);
    }
    (void)conf_unref(conf);
    return code;
}

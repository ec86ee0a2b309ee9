#include "cli/key_export.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "cli/interrupt.h"
#include "cli/verb.h"
#include "trust/key_export.h"

#include "base/banned.h"

/* One line more than the longest passphrase: so that a longer one is seen. */
enum { ROOM = KEY_PASSPHRASE_MAX_BYTES + 2 };

static int fail(struct cli *cli, const struct why *why, int error) {
    switch (error) {
    case -EACCES:
    case -EPERM: return cli_fail(cli, EX_NOPERM, why);
    case -EEXIST:
    case -EROFS: return cli_fail(cli, EX_CANTCREAT, why);
    case -ENOENT: return cli_fail(cli, EX_NOINPUT, why);
    case -EINVAL: return cli_fail(cli, EX_USAGE, why);
    case -EBADMSG:
    case -EPROTONOSUPPORT: return cli_fail(cli, EX_DATAERR, why);
    case -ENOSPC:
    case -EIO: return cli_fail(cli, EX_IOERR, why);
    }
    return cli_fail(cli, EX_OSERR, why);
}

/* --- The passphrase ------------------------------------------------------------------------------------------ */

static void cut_line(struct buf *text) {
    struct view v = buf_view(text);
    size_t end = view_find(v, '\n');
    while (end > 0 && end < v.len && v.ptr[end - 1] == '\r')
        end--;
    if (end < text->len)
        text->len = end;
}

static int read_file(const char *path, struct buf *to, struct why *why) {
    int r = files_read_secret(path, to, why);
    if (r == 0)
        cut_line(to);
    return r;
}

/* 1: a whole line is there; 0: a signal came before. */
static int read_line(const struct interrupt *held, int tty, struct buf *to) {
    char c = 0;
    while (c != '\n') {
        if (interrupt_wait(held, tty, -1))
            return 0;
        ssize_t n = read(tty, &c, 1);
        if (n == 0)
            return 1; /* the terminal is gone, or somebody ended the line with Ctrl-D */
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0 && c != '\n')
            buf_putc(to, c);
    }
    return 1;
}

static int ask_once(const struct interrupt *held, int tty, const char *question, struct buf *to) {
    struct termios before, quiet;
    if (tcgetattr(tty, &before) < 0)
        return -errno;
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    if (tcsetattr(tty, TCSAFLUSH, &quiet) < 0)
        return -errno;
    int r = files_write_all(tty, question, strlen(question));
    if (r == 0)
        r = read_line(held, tty, to);
    (void)tcsetattr(tty, TCSAFLUSH, &before); /* nothing better could be done */
    (void)files_write_all(tty, "\n", 1);      /* the line end was not shown either */
    return r;
}

/* A line of the terminal that it does not show. Who stopped the command and comes back is asked again. */
static int ask(int tty, const char *question, struct buf *to) {
    for (;;) {
        struct interrupt held;
        interrupt_hold(&held, true);
        int r = ask_once(&held, tty, question, to);
        interrupt_let_go(&held);
        if (r != 0)
            return r < 0 ? r : buf_error(to);
        sodium_memzero(to->data, to->len);
        buf_clear(to);
    }
}

static int ask_terminal(bool twice, struct buf *to, struct why *why) {
    AUTOBUF struct buf again = BUF_INIT(ROOM);
    AUTOCLOSE int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (tty < 0 || !buf_reserve(&again, ROOM)) {
        (void)why_set(why, -EINVAL, "there is no terminal to ask for the passphrase");
        why_todo(why, "Give --passphrase-file FILE, which only its owner may read");
        return -EINVAL;
    }
    int r = ask(tty, "Passphrase: ", to);
    if (r == 0 && twice)
        r = ask(tty, "Once more: ", &again);
    if (r < 0)
        (void)why_set(why, r, "cannot read the passphrase: %s", strerror(-r));
    else if (twice && !view_eq(buf_view(to), buf_view(&again)))
        r = why_set(why, -EINVAL, "these were two passphrases");
    sodium_memzero(again.data, again.cap);
    return r;
}

static int get_passphrase(const char *file, bool twice, struct buf *to, struct why *why) {
    AUTOBUF struct buf credential = BUF_INIT(PATH_MAX);
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    if (!buf_reserve(to, ROOM)) /* at once, so that growing leaves no copies */
        return why_set(why, -ENOMEM, "out of memory");
    if (file)
        return read_file(file, to, why);
    if (credentials && *credentials) {
        buf_printf(&credential, "%s/key-passphrase", credentials);
        if (!buf_error(&credential) && access(buf_str(&credential), F_OK) == 0)
            return read_file(buf_str(&credential), to, why);
    }
    return ask_terminal(twice, to, why);
}

/* --- The verbs ----------------------------------------------------------------------------------------------- */

/* Whole and durable, or not at all; nothing is replaced. */
static int write_new(const char *file, struct view content, struct why *why) {
    int r = files_write_new(AT_FDCWD, file, content, 0600);
    if (r == -EEXIST) {
        (void)why_set(why, r, "this file is there already");
        why_todo(why, "Choose another name: an export replaces nothing");
    }
    bool made = r == 0;
    if (r == 0)
        r = files_fsync_tree(AT_FDCWD, file);
    if (r < 0 && r != -EEXIST)
        (void)why_set(why, r, "cannot write the exported keys: %s", strerror(-r));
    if (r < 0)
        why_where(why, "%s", file);
    if (r < 0 && made)
        (void)unlink(file); /* half of it would be worth nothing */
    return r;
}

int key_export_run(struct cli *cli, const struct key_export_places *p, const char *file, const char *passphrase_file) {
    AUTOBUF struct buf passphrase = BUF_INIT(ROOM), content = BUF_INIT(KEY_EXPORT_MAX_BYTES);
    struct why why = {0};
    if (access(file, F_OK) == 0) /* before anybody thinks of a passphrase */
        return fail(cli, &why, write_new(file, VIEW(""), &why));
    int r = get_passphrase(passphrase_file, true, &passphrase, &why);
    if (r == 0)
        r = key_export(p->secret, p->public, buf_view(&passphrase), &content, &why);
    if (r == 0)
        r = write_new(file, buf_view(&content), &why);
    if (passphrase.data)
        sodium_memzero(passphrase.data, passphrase.cap);
    if (r < 0)
        return fail(cli, &why, r);
    if (cli->json)
        (void)fprintf(cli->out, "{\"exported\": true}\n");
    else
        (void)fprintf(cli->out,
                      "The keys are in %s, encrypted. Keep the file off this machine and the passphrase\n"
                      "somewhere else; on another machine: rundbrief key import FILE\n",
                      file);
    return EX_OK;
}

int key_import_run(struct cli *cli, const struct key_export_places *p, const char *file, const char *passphrase_file) {
    AUTOBUF struct buf passphrase = BUF_INIT(ROOM), content = BUF_INIT(KEY_EXPORT_MAX_BYTES);
    struct why why = {0};
    bool is_new = false;
    uint8_t active = 0;
    int r = files_read_regular(AT_FDCWD, file, &content);
    if (r < 0) {
        (void)why_set(&why, r == -EMSGSIZE ? -EBADMSG : r, "cannot read the exported keys: %s", strerror(-r));
        why_where(&why, "%s", file);
        return fail(cli, &why, r == -EMSGSIZE ? -EBADMSG : r);
    }
    r = get_passphrase(passphrase_file, false, &passphrase, &why);
    if (r == 0)
        r = key_import(p->secret, p->public, buf_view(&content), buf_view(&passphrase), &is_new, &active, &why);
    if (passphrase.data)
        sodium_memzero(passphrase.data, passphrase.cap);
    if (r < 0 && !why.where[0])
        why_where(&why, "%s", file);
    if (r < 0)
        return fail(cli, &why, r);
    if (cli->json)
        (void)fprintf(cli->out, "{\"new\": %s, \"active\": %d}\n", is_new ? "true" : "false", active);
    else
        (void)fprintf(cli->out,
                      is_new ? "The keys are there; key %d signs.\n" : "These keys were there already; key %d signs.\n",
                      active);
    return EX_OK;
}

#include "net/imap.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "net/imap_name.h"

#include "base/banned.h"

/* A search in a mailbox of a million mails. */
enum { ANSWER_MAX_BYTES = 8 << 20, MAILBOX_MAX_BYTES = 8192 };

struct imap {
    CURL *curl;
    char *url;     /* of the mailbox, without a slash at its end */
    char *mailbox; /* quoted, for commands */
    bool examining, asked, can_move, can_expunge_one;
    char error[CURL_ERROR_SIZE];
    struct buf *to; /* of the command that is under way */
};

static size_t on_write(const char *data, size_t size, size_t count, void *user) {
    const struct imap *m = user;
    size_t room = m->to && m->to->limit_bytes > m->to->len ? m->to->limit_bytes - m->to->len : 0;
    if (room)
        buf_add(m->to, data, size * count < room ? size * count : room);
    return size * count;
}

static int set_up(struct imap *m, const struct imap_account *a) {
    CURL *c = m->curl;
    CURLcode r = CURLE_OK;
#define SET(option, value) r = r ? r : curl_easy_setopt(c, option, value)
    SET(CURLOPT_PROTOCOLS_STR, "imap,imaps");
    SET(CURLOPT_USERNAME, a->username);
    SET(CURLOPT_PASSWORD, a->password);
    SET(CURLOPT_USE_SSL, a->tls ? (long)CURLUSESSL_ALL : (long)CURLUSESSL_NONE);
    if (a->ca_file[0])
        SET(CURLOPT_CAINFO, a->ca_file);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_CONNECTTIMEOUT, 30L);
    SET(CURLOPT_TIMEOUT, (long)IMAP_TIMEOUT_SEC);
    SET(CURLOPT_ERRORBUFFER, m->error);
    SET(CURLOPT_WRITEFUNCTION, on_write);
    SET(CURLOPT_WRITEDATA, m);
    SET(CURLOPT_NOPROXY, "*");
#undef SET
    return r == CURLE_OK ? 0 : -ENOMEM;
}

static size_t path_of(struct view url) {
    size_t host = view_search(url, VIEW("://")) + 3;
    return host + view_find(view_slice(url, host, url.len), '/');
}

/* INBOX where none is named (RFC 5092 §3 has no default: libcurl would open none). *ret_url names it as libcurl's SELECT
 * has to send it, *ret_mailbox as it stands in commands. */
static int name_mailbox(struct view url, struct buf *ret_url, struct buf *ret_mailbox) {
    size_t path = path_of(url);
    AUTOFREE char *written = path + 1 < url.len ? view_dup(view_slice(url, path + 1, url.len)) : strdup("INBOX");
    int len = 0, r = -ENOMEM;
    char *name = written ? curl_easy_unescape(NULL, written, 0, &len) : NULL;
    if (name)
        r = imap_name_print(view_make(name, (size_t)len), ret_mailbox);
    curl_free(name);
    if (r < 0)
        return r;
    /* libcurl puts the quotes, and the backslashes in them, itself. */
    AUTOBUF struct buf bare = BUF_INIT(MAILBOX_MAX_BYTES);
    for (size_t i = 1; i + 1 < ret_mailbox->len; i++) {
        i += ret_mailbox->data[i] == '\\';
        buf_putc(&bare, ret_mailbox->data[i]);
    }
    char *escaped = curl_easy_escape(NULL, buf_str(&bare), (int)bare.len);
    buf_add_view(ret_url, view_slice(url, 0, path));
    buf_putc(ret_url, '/');
    buf_puts(ret_url, escaped ? escaped : "");
    r = !escaped ? -ENOMEM : buf_error(&bare) < 0 ? buf_error(&bare) : buf_error(ret_url);
    curl_free(escaped);
    return r;
}

int imap_new(const struct imap_account *account, struct why *why, struct imap **ret) {
    struct view url = view_of(account->url);
    if (!view_starts(url, "imap://") && !view_starts(url, "imaps://"))
        return why_set(why, -EINVAL, "%s is not an imap:// or imaps:// URL", account->url);
    struct imap *m = calloc(1, sizeof *m);
    if (!m)
        return why_set(why, -ENOMEM, "out of memory");
    while (view_ends(url, "/"))
        url = view_slice(url, 0, url.len - 1);
    AUTOBUF struct buf whole = BUF_INIT(MAILBOX_MAX_BYTES), mailbox = BUF_INIT(MAILBOX_MAX_BYTES);
    int r = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? name_mailbox(url, &whole, &mailbox) : -ENOMEM;
    if (r == -EINVAL)
        (void)why_set(why, r, "%s names no mailbox", account->url);
    else if (r == 0 && (!(m->url = buf_steal(&whole)) || !(m->mailbox = buf_steal(&mailbox)) ||
                        !(m->curl = curl_easy_init()) || set_up(m, account) < 0))
        r = -ENOMEM;
    if (r < 0) {
        (void)imap_free(m);
        return r == -EINVAL ? r : why_set(why, r, "out of memory");
    }
    *ret = m;
    return 0;
}

struct imap *imap_free(struct imap *m) {
    if (!m)
        return NULL;
    curl_easy_cleanup(m->curl);
    free(m->url);
    free(m->mailbox);
    free(m);
    return NULL;
}

static int errno_of(CURLcode code) {
    switch ((int)code) {
    case CURLE_OK: return 0;
    case CURLE_OUT_OF_MEMORY: return -ENOMEM;
    case CURLE_LOGIN_DENIED: return -EPERM;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT: return -ECONNREFUSED;
    case CURLE_OPERATION_TIMEDOUT: return -ETIMEDOUT;
    case CURLE_REMOTE_FILE_NOT_FOUND: return -ENOENT;
    case CURLE_QUOTE_ERROR: return -EBADMSG; /* the server refused the command */
    }
    return -EIO;
}

/* command NULL: what the URL fetches. */
static int run(struct imap *m, const char *url, const char *command, struct buf *to, struct why *why) {
    m->error[0] = '\0';
    m->to = to;
    CURLcode r = curl_easy_setopt(m->curl, CURLOPT_URL, url);
    if (r == CURLE_OK)
        r = curl_easy_setopt(m->curl, CURLOPT_CUSTOMREQUEST, command);
    if (r == CURLE_OK)
        r = curl_easy_perform(m->curl);
    m->to = NULL;
    long connects = 0;
    if (curl_easy_getinfo(m->curl, CURLINFO_NUM_CONNECTS, &connects) == CURLE_OK && connects > 0)
        m->examining = false; /* a new connection: libcurl has said SELECT */
    int error = to && buf_error(to) ? buf_error(to) : errno_of(r);
    if (error == 0)
        return 0;
    (void)why_set(why, error, "the mailbox: %s", m->error[0] ? m->error : curl_easy_strerror(r));
    if (error == -EPERM)
        why_todo(why, "Look at imap-username, imap-password-file and the mailbox in imap-url of [bounce]");
    return error;
}

static int by_number(const void *a, const void *b) {
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
    return one < other ? -1 : one > other;
}

/* libcurl asks for BODY[], which marks a mail as seen, and one that is seen and was not taken would be lost: mails are
 * fetched while the mailbox is open for reading only (EXAMINE). libcurl thinks that its own SELECT is still in force. */
static int set_examining(struct imap *m, bool examining, struct why *why) {
    AUTOBUF struct buf command = BUF_INIT(16384);
    if (m->examining == examining)
        return 0;
    buf_printf(&command, "%s %s", examining ? "EXAMINE" : "SELECT", m->mailbox);
    int r = buf_error(&command) ? why_set(why, -EINVAL, "the mailbox's URL is too long")
                                : run(m, m->url, buf_str(&command), NULL, why);
    if (r == 0)
        m->examining = examining;
    return r;
}

static int store(struct imap *m, uint32_t uid, const char *how, const char *flag, struct why *why) {
    char command[64];
    (void)snprintf(command, sizeof command, "UID STORE %u %s.SILENT (%s)", (unsigned)uid, how, flag); /* fits */
    int r = set_examining(m, false, why);
    return r < 0 ? r : run(m, m->url, command, NULL, why);
}

int imap_unseen(struct imap *m, uint32_t *ret, size_t *ret_count, struct why *why) {
    AUTOBUF struct buf answer = BUF_INIT(ANSWER_MAX_BYTES);
    int r = run(m, m->url, "UID SEARCH UNSEEN UNDELETED", &answer, why);
    struct view rest = buf_view(&answer), line, word;
    size_t count = 0;
    while (r == 0 && view_split(&rest, '\n', &line)) {
        line = view_trim(line);
        if (!view_starts(line, "* SEARCH"))
            continue;
        line = view_slice(line, sizeof "* SEARCH" - 1, line.len);
        for (uint64_t uid; count < IMAP_UIDS_MAX && view_split(&line, ' ', &word);)
            if (number_parse_u64(word, UINT32_MAX, &uid) == 0 && uid > 0)
                ret[count++] = (uint32_t)uid;
    }
    qsort(ret, count, sizeof *ret, by_number);
    *ret_count = count;
    return r;
}

int imap_fetch(struct imap *m, uint32_t uid, struct buf *mail, struct why *why) {
    AUTOBUF struct buf url = BUF_INIT(8192);
    /* What is not kept is not sent: a large mail must not use up the time and be in the way for ever. */
    buf_printf(&url, "%s/;UID=%u/;PARTIAL=0.%zu", m->url, (unsigned)uid, mail->limit_bytes);
    int r = buf_error(&url) ? why_set(why, -EINVAL, "the mailbox's URL is too long") : set_examining(m, true, why);
    if (r == 0)
        r = run(m, buf_str(&url), NULL, mail, why);
    if (r == 0 && !m->examining) /* the connection was lost meanwhile */
        r = store(m, uid, "-FLAGS", "\\Seen", why);
    return r;
}

int imap_see(struct imap *m, uint32_t uid, struct why *why) {
    return store(m, uid, "+FLAGS", "\\Seen", why);
}

/* What the server can do, asked once: MOVE (RFC 6851), and UIDPLUS (RFC 4315) with its UID EXPUNGE. */
static int ask_capabilities(struct imap *m, struct why *why) {
    AUTOBUF struct buf answer = BUF_INIT(ANSWER_MAX_BYTES);
    int r = m->asked ? 0 : run(m, m->url, "CAPABILITY", &answer, why);
    struct view rest = buf_view(&answer), line, word;
    while (r == 0 && view_split(&rest, '\n', &line)) {
        line = view_trim(line);
        while (view_split(&line, ' ', &word)) {
            m->can_move |= view_eq_nocase(word, "move");
            m->can_expunge_one |= view_eq_nocase(word, "uidplus");
        }
    }
    m->asked |= r == 0;
    return r;
}

static int put_into(struct imap *m, uint32_t uid, const char *folder, struct why *why) {
    AUTOBUF struct buf command = BUF_INIT(MAILBOX_MAX_BYTES);
    buf_printf(&command, "UID %s %u ", m->can_move ? "MOVE" : "COPY", (unsigned)uid);
    int r = imap_name_print(view_of(folder), &command);
    if (r == 0)
        r = run(m, m->url, buf_str(&command), NULL, why);
    if (r != -EBADMSG && r != -EINVAL)
        return r;
    AUTOBUF struct buf said = BUF_INIT(2 * CURL_ERROR_SIZE);
    buf_printf(&said, "nothing can be put into the folder %s: %s", folder, r == -EINVAL ? "that is no name" : m->error);
    (void)why_set(why, r, "%s", buf_str(&said));
    why_todo(why, "Make the folder in that mailbox, or correct imap-folder in [bounce]; on some servers it is called "
                  "INBOX.NAME or INBOX/NAME");
    return r;
}

int imap_remove(struct imap *m, uint32_t uid, const char *folder, struct why *why) {
    char expunge[64];
    int r = ask_capabilities(m, why);
    if (r == 0)
        r = set_examining(m, false, why);
    if (r == 0 && folder[0])
        r = put_into(m, uid, folder, why);
    if (r < 0 || (folder[0] && m->can_move))
        return r;
    /* EXPUNGE alone would take away what somebody else has marked, too. */
    r = store(m, uid, "+FLAGS", m->can_expunge_one ? "\\Deleted" : "\\Deleted \\Seen", why);
    if (r < 0 || !m->can_expunge_one)
        return r;
    (void)snprintf(expunge, sizeof expunge, "UID EXPUNGE %u", (unsigned)uid); /* fits */
    return run(m, m->url, expunge, NULL, why);
}

/* The configuration: one INI file, read whole, checked whole, then immutable.
 *
 * Everything about an option (section, key, type, default, bounds, unit, help, reload behaviour) stands in one row of
 * the table in options.c; the loader, --dump-config and the sample file are made from it. A string that is not given
 * is "", never NULL. All strings belong to the configuration and live as long as it. Whoever keeps one past the
 * current event takes a reference: conf_ref()/conf_unref(); reload makes a new configuration. Counts are atomic: the
 * store's thread may hold one.
 *
 * LIMITS  a file of 1 MiB, lines of 64 KiB, CONF_*_MAX below, CONF_ERRORS_MAX errors reported singly. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/why.h"

enum {
    CONF_FILE_MAX = 1 << 20,
    CONF_SENDERS_MAX = 100,
    CONF_RELAYS_MAX = 50,
    CONF_DESTINATIONS_MAX = 5000,
    CONF_LISTS_MAX = 1000,
    CONF_LIST_NAME_MAX = 48,
    CONF_LANGUAGES_MAX = 16,         /* of one list */
    CONF_RETURN_PATH_LOCAL_MAX = 15, /* with "+" and CODE_TEXT_MAX of trust/code.h the 64 of RFC 5321 §4.5.3.1.1 */
    CONF_ERRORS_MAX = 1000,
};

struct rate {
    uint32_t count; /* 0: no limit */
    int64_t per_usec;
};

enum conf_tls { CONF_TLS_REQUIRED, CONF_TLS_OPPORTUNISTIC, CONF_TLS_NONE };
enum conf_pipelining { CONF_PIPELINING_OFFERED, CONF_PIPELINING_NONE };
enum conf_in_doubt { CONF_IN_DOUBT_RESEND, CONF_IN_DOUBT_HOLD };
enum conf_yes_no { CONF_NO, CONF_YES };
enum conf_tone { CONF_TONE_FORMAL, CONF_TONE_INFORMAL };
enum conf_release { CONF_RELEASE_HOLD, CONF_RELEASE_DIRECT };

struct conf_strings {
    const char **items;
    size_t count;
};

struct conf_sender {
    const char *id; /* NAME of [sender NAME] */
    const char *name, *address, *reply_to, *organisation, *postal_address, *imprint_url, *privacy_url, *logo, *colour,
        *public_url, *group;    /* "" where not given; public_url without trailing slash */
    struct conf_strings relays; /* as a list's */
};

struct conf_relay {
    const char *id;
    const char *url, *host; /* host without port and brackets, A-labels */
    uint16_t port;
    bool implicit_tls; /* smtps:// */
    enum conf_tls tls;
    const char *ca_file, *username, *password_file, *ehlo; /* "": system's CAs, no AUTH, the machine's name */
    unsigned connections, in_flight, priority;
    enum conf_pipelining pipelining;
    struct rate rate;
    uint64_t daily_limit; /* 0: none */
};

struct conf_destination {
    const char *domain; /* A-labels, lower case */
    struct rate rate;
    unsigned connections; /* 0: as many as the relay has */
};

struct conf_list_title {
    const char *language, *title;
};

struct conf_list {
    const char *name; /* NAME of [list NAME]: [a-z0-9-]{1,48} */
    uint32_t id;      /* `id =`, or the first four bytes (big-endian) of the unkeyed BLAKE2b-256 of the name */
    const struct conf_sender *sender;
    const char *title; /* the default title */
    struct conf_list_title *titles;
    size_t title_count;
    struct conf_strings languages; /* the first is the list's language; never empty */
    enum conf_tone tone;
    const char *from_name, *reply_to; /* "": the sender's */
    const char *timezone;             /* [daemon] timezone where the list has none */
    struct conf_strings relays;       /* names, the sender's where it has none; empty: every relay, by priority */
    struct conf_strings coordinators;
    enum conf_release release;
    enum conf_yes_no archive;              /* whether its announcements are shown to everybody (announce/archive.h) */
    const char *source, *basis, *evidence; /* "" where the list follows no file; then the others, too, say nothing */
    enum conf_yes_no open;                 /* whether people may sign up by themselves */
    const char *group, *reason; /* reason: why people get this, for the footer; "" for the language's default text */
};

struct conf {
    const char *path;
    /* [daemon] */
    const char *state_dir, *spool_dir, *templates, *templates_local, *socket, *language, *group;
    const char *timezone; /* where it is not given: the system's by conf_load(), "" where that is UTC or unknown */
    struct conf_strings alert;
    enum conf_in_doubt in_doubt;
    uint64_t attachment_limit_bytes, message_limit_bytes;
    /* [retry] */
    int64_t retry_first_usec, retry_then_usec, retry_give_up_usec, silence_usec, relay_rest_usec;
    /* [timeouts] (RFC 5321 §4.5.3.2) */
    int64_t timeout_connect_usec, timeout_greeting_usec, timeout_command_usec, timeout_data_usec, timeout_block_usec,
        timeout_end_usec, timeout_stop_usec;
    /* [web] */
    const char *web_listen;          /* "127.0.0.1:8025", or "systemd" for a socket handed over */
    struct conf_strings web_proxies; /* IP addresses whose X-Forwarded-For is believed */
    unsigned confirm_days;           /* how long a sign-up may be confirmed */
    struct rate sign_ups_source, sign_ups_list;
    /* [retention] */
    int64_t keep_deliveries_usec, keep_gone_usec, keep_notices_usec, keep_rejected_usec;
    /* [bounce] */
    unsigned soft_limit; /* failures that are not final, above which an address is suppressed */
    const char *imap_url, *imap_username, *imap_password_file, *imap_ca_file, *imap_folder; /* "": none */
    enum conf_yes_no imap_tls;
    const char *return_path; /* PREFIX@DOMAIN, ASCII; "": the sender's address is the plain return path */

    struct conf_sender *senders;
    size_t sender_count;
    struct conf_relay *relays; /* by rising priority number, then file order */
    size_t relay_count;
    struct conf_destination *destinations; /* by domain */
    size_t destination_count;
    struct conf_list *lists; /* in file order */
    size_t list_count;
};

/* One thing that is wrong; why->where is "FILE:LINE: [section] key". */
typedef void conf_on_error(void *user, const struct why *why);

/* Reads and checks the file. Reports every error through on_error, not only the first; -EINVAL after any of them,
 * -errno where the file, or something that it names, could not be looked at (reported too). */
int conf_load(const char *path, conf_on_error *on_error, void *user, struct conf **ret);
/* The same from memory: the path is only for messages, and the machine is not asked for its time zone. */
int conf_parse(struct view text, const char *path, conf_on_error *on_error, void *user, struct conf **ret);
/* Reads what conf_dump_lists() wrote into a bundle: no relay is needed, and the list's relays are not looked up. */
int conf_parse_frozen(struct view text, const char *path, conf_on_error *on_error, void *user, struct conf **ret);
/* conf_load(), and what can only be known on this machine: secrets' rights, folders, templates of every language, the
 * time zone where the system's is UTC, the CA files. All errors of both kinds, in the order of lines. */
int conf_load_for_machine(const char *path, conf_on_error *on_error, void *user, struct conf **ret);
/* conf_load() for a door, which may stand on a host without the daemon: senders and relays may be missing. */
int conf_load_for_door(const char *path, conf_on_error *on_error, void *user, struct conf **ret);

/* After a reload: reports each option that differs and needs a restart to count; the number of them. */
size_t conf_needs_restart(const struct conf *running, const struct conf *loaded, conf_on_error *on_option, void *user);

struct conf *conf_ref(const struct conf *conf);
struct conf *conf_unref(struct conf *conf); /* NULL is fine; returns NULL */

const struct conf_list *conf_find_list(const struct conf *conf, struct view name);
const struct conf_list *conf_find_list_id(const struct conf *conf, uint32_t id);
const struct conf_sender *conf_find_sender(const struct conf *conf, struct view id);
const struct conf_destination *conf_find_destination(const struct conf *conf, struct view domain);
/* The list's title in a language, falling back to the default title. */
const char *conf_list_title(const struct conf_list *list, const char *language);
/* "a,b", as the store keeps names of relays. */
void conf_strings_join(const struct conf_strings *strings, struct buf *to);
bool conf_list_has_language(const struct conf_list *list, const char *language);

/* Where the daemon answers the doors (api/asked.h): door.sock, beside [daemon] socket. */
void conf_door_socket(const struct conf *conf, struct buf *to);

/* Every option with the value in force, in the file's own syntax; parsing it gives the same configuration. */
void conf_dump(const struct conf *conf, struct buf *to);
/* Only the [daemon] settings that shape a mail, the sections of these lists (one or more, all of one sender) and their
 * sender's: what a bundle freezes. Read it with conf_parse_frozen(). */
void conf_dump_lists(const struct conf *conf, const struct conf_list *const *lists, size_t count, struct buf *to);
/* config/rundbrief.ini: every option with its help, defaults commented out, what must be filled in marked. */
void conf_print_sample(struct buf *to);

#include "conf/options.h"

#include "base/cleanup.h"
#include "base/number.h"
#include "conf/conf.h"
#include "conf/shape.h"
#include "prefix.h"

enum { TEXT = 400, URL = 1000, PATH = 1000, ADDRESS = 254, MANY = 50 };

const struct section_row section_rows[SECTION_COUNT] = {
    [SECTION_DAEMON] = {.word = "daemon", .max = 1, .help = "The daemon itself: its folders, and what holds for all."},
    [SECTION_SENDER] = {.word = "sender",
                        .name = "NAME",
                        .check_name = shape_name,
                        .max = CONF_SENDERS_MAX,
                        .example = "office",
                        .help =
                            "Who writes: the organisation that readers see as the sender, with what the law wants to "
                            "be read in every mail. There may be several, each as [sender NAME]."},
    [SECTION_RELAY] = {.word = "relay",
                       .name = "NAME",
                       .check_name = shape_name,
                       .max = CONF_RELAYS_MAX,
                       .example = "main",
                       .help =
                           "Where mail is handed over: your organisation's or provider's mail server. There may be "
                           "several, each as [relay NAME]; lists use all of them, the lowest priority first, unless "
                           "they or their sender name theirs."},
    [SECTION_LIST] = {.word = "list",
                      .name = "NAME",
                      .check_name = shape_list_name,
                      .max = CONF_LISTS_MAX,
                      .example = "partnerschaften",
                      .help = "A list that people subscribe to. NAME is lower-case letters, digits and hyphens; it is "
                              "part of every mail's List-Id, so it cannot be changed later. There may be many."},
    [SECTION_DESTINATION] = {.word = "destination",
                             .name = "DOMAIN",
                             .check_name = shape_domain,
                             .max = CONF_DESTINATIONS_MAX,
                             .example = "large-provider.example",
                             .commented = true,
                             .help = "Limits for one receiving domain, where its postmasters ask for them."},
    [SECTION_WEB] = {.word = "web",
                     .max = 1,
                     .help = "The web door: opt-out, preferences. It stands behind nginx or Caddy."},
    [SECTION_BOUNCE] = {.word = "bounce",
                        .max = 1,
                        .help =
                            "Mail that comes back. Without a return path here, reports go to the sender's address and "
                            "nobody reads them but people."},
    [SECTION_RETRY] = {.word = "retry", .max = 1, .help = "When a mail that could not be delivered is tried again."},
    [SECTION_TIMEOUTS] = {.word = "timeouts",
                          .max = 1,
                          .help = "How long to wait for a mail server. The defaults are those of RFC 5321 §4.5.3.2; "
                                  "shorter ones send mails twice."},
    [SECTION_RETENTION] = {.word = "retention",
                           .max = 1,
                           .help = "How long records are kept. What is older is removed once a day, and at each start; "
                                   "docs/PRIVACY.md says what else is kept, and why."},
};

static const char *const in_doubt_words[] = {[CONF_IN_DOUBT_RESEND] = "resend", [CONF_IN_DOUBT_HOLD] = "hold", NULL};
static const char *const tls_words[] = {
    [CONF_TLS_REQUIRED] = "required", [CONF_TLS_OPPORTUNISTIC] = "opportunistic", [CONF_TLS_NONE] = "none", NULL};
static const char *const imap_tls_words[] = {[CONF_NO] = "none", [CONF_YES] = "required", NULL};
static const char *const pipelining_words[] = {
    [CONF_PIPELINING_OFFERED] = "offered", [CONF_PIPELINING_NONE] = "none", NULL};
static const char *const yes_no_words[] = {[CONF_NO] = "no", [CONF_YES] = "yes", NULL};
static const char *const tone_words[] = {[CONF_TONE_FORMAL] = "formal", [CONF_TONE_INFORMAL] = "informal", NULL};
static const char *const release_words[] = {[CONF_RELEASE_HOLD] = "hold", [CONF_RELEASE_DIRECT] = "direct", NULL};

#define DAEMON(field) .section = SECTION_DAEMON, .offset = offsetof(struct conf, field)
#define WEB(field) .section = SECTION_WEB, .offset = offsetof(struct conf, field)
#define BOUNCE(field) .section = SECTION_BOUNCE, .offset = offsetof(struct conf, field)
#define RETRY(field) .section = SECTION_RETRY, .offset = offsetof(struct conf, field), .type = OPTION_DURATION
#define TIMEOUT(field)                                                                                                 \
    .section = SECTION_TIMEOUTS, .offset = offsetof(struct conf, field), .type = OPTION_DURATION, .min = USEC_PER_SEC, \
    .max = USEC_PER_HOUR
#define RETENTION(field)                                                                                               \
    .section = SECTION_RETENTION, .offset = offsetof(struct conf, field), .type = OPTION_DURATION,                     \
    .min = 30 * USEC_PER_DAY, .max = 36500 * USEC_PER_DAY
#define SENDER(field) .section = SECTION_SENDER, .offset = offsetof(struct conf_sender, field), .type = OPTION_TEXT
#define RELAY(field) .section = SECTION_RELAY, .offset = offsetof(struct conf_relay, field)
#define DESTINATION(field) .section = SECTION_DESTINATION, .offset = offsetof(struct conf_destination, field)
#define LIST(field) .section = SECTION_LIST, .offset = offsetof(struct conf_list, field)
#define LATER(of, name)                                                                                                \
    { .section = (of), .key = (name), .type = OPTION_LATER }

const struct option option_rows[] = {
    {DAEMON(state_dir), .key = "state-dir", .type = OPTION_TEXT, .check = shape_path, .max = PATH,
     .fallback = "/var/lib/rundbrief", .restart = true, .help = "The database and the keys. Only the daemon reads it."},
    {DAEMON(spool_dir), .key = "spool-dir", .type = OPTION_TEXT, .check = shape_path, .max = PATH,
     .fallback = "/var/spool/rundbrief", .restart = true,
     .help = "What is handed over: announcements that come in, requests of the doors, what the doors may show."},
    {DAEMON(templates), .key = "templates", .type = OPTION_TEXT, .check = shape_path, .max = PATH,
     .fallback = RUNDBRIEF_DATA_DIR "/templates",
     .help = "The shipped texts and templates, one folder for each language."},
    {DAEMON(templates_local), .key = "local-templates", .type = OPTION_TEXT, .check = shape_path, .max = PATH,
     .fallback = "/etc/rundbrief/templates",
     .help = "Your own files, which stand before the shipped ones, one by one."},
    {DAEMON(socket), .key = "socket", .type = OPTION_TEXT, .check = shape_path, .max = 107,
     .fallback = "/run/rundbrief/api.sock", .restart = true, .help = "Where the rundbrief command reaches the daemon."},
    {DAEMON(group), .key = "group", .type = OPTION_TEXT, .check = shape_group, .max = 32, .fallback = "rundbrief",
     .help = "Members of this Unix group may do everything, as root may."},
    {DAEMON(language), .key = "language", .type = OPTION_TEXT, .check = shape_language, .max = 16, .fallback = "en",
     .frozen = true, .help = "The language of alerts, and of lists that name none."},
    {DAEMON(timezone), .key = "timezone", .type = OPTION_TEXT, .check = shape_zone, .max = 64, .fallback = "",
     .frozen = true, .example = "Europe/Berlin",
     .help = "The zone in which announcements give their times. Default: the system's. It must be given where the "
             "system's is UTC."},
    {DAEMON(alert), .key = "alert", .type = OPTION_TEXTS, .check = shape_address, .max = MANY, .fallback = "",
     .example = "admin@partnerschaften.example",
     .help = "Who hears that a relay is down, a disk is full or sending was paused. Comma-separated addresses."},
    {DAEMON(in_doubt), .key = "in-doubt", .type = OPTION_WORD, .words = in_doubt_words, .fallback = "resend",
     .help = "What becomes of the few mails whose delivery nobody can know after a crash or a lost connection: resend "
             "them (with the same Message-ID, so that most mailboxes show one), or hold them until somebody decides."},
    {DAEMON(attachment_limit_bytes), .key = "attachment-limit", .type = OPTION_SIZE, .min = 1 << 10, .max = 48 << 20,
     .fallback = "10 MB", .help = "All attachments and images of an announcement together."},
    {DAEMON(message_limit_bytes), .key = "message-limit", .type = OPTION_SIZE, .min = 64 << 10, .max = 100 << 20,
     .fallback = "25 MB",
     .help = "A whole mail as it is sent. Many mail servers take no more than 25 MB; in a mail an attachment grows by "
             "more than a third."},

    {SENDER(name), .key = "name", .max = TEXT, .required = true,
     .example = "Koordinierungsstelle Städtepartnerschaften", .help = "The name in From."},
    {SENDER(address), .key = "address", .check = shape_address, .max = ADDRESS, .required = true,
     .example = "rundbrief@partnerschaften.example",
     .help = "The address in From. SPF, DKIM and DMARC of its domain must allow the relay."},
    {SENDER(public_url), .key = "public-url", .check = shape_public_url, .max = URL, .required = true,
     .example = "https://rundbrief.partnerschaften.example",
     .help =
         "Where the world reaches the web door: every mail's opt-out link begins with it. It must be https (http is "
         "allowed on loopback, for tests) and must go on working for years."},
    {SENDER(reply_to), .key = "reply-to", .check = shape_address, .max = ADDRESS,
     .example = "kontakt@partnerschaften.example",
     .help = "Where answers go. Default: the contact of the announcement, else the address in From."},
    {SENDER(organisation), .key = "organisation", .max = TEXT, .example = "Region Beispiel",
     .help = "In the footer of every mail."},
    {SENDER(postal_address), .key = "postal-address", .max = TEXT, .example = "Beispielstraße 1, 00000 Beispielstadt",
     .help = "In the footer of every mail, in one line."},
    {SENDER(imprint_url), .key = "imprint-url", .check = shape_web_url, .max = URL,
     .example = "https://partnerschaften.example/impressum",
     .help = "In Germany the law wants this link in every mail."},
    {SENDER(privacy_url), .key = "privacy-url", .check = shape_web_url, .max = URL,
     .example = "https://partnerschaften.example/datenschutz", .help = "The privacy notice, linked in every mail."},
    {SENDER(logo), .key = "logo", .check = shape_logo, .max = URL, .example = "/etc/rundbrief/logo.png",
     .help = "A picture at the head of the HTML mail: a file (PNG, JPEG or GIF of at most 200 KB), which is sent along "
             "in each mail, or an https address, which mail programs ask their readers before they load."},
    {SENDER(colour), .key = "colour", .check = shape_colour, .max = 7, .example = "#1d5c8f",
     .help = "The colour of the HTML mail's head and button."},
    {.section = SECTION_SENDER,
     .offset = offsetof(struct conf_sender, relays),
     .key = "relay",
     .type = OPTION_TEXTS,
     .check = shape_name,
     .max = CONF_RELAYS_MAX,
     .fallback = "",
     .example = "main",
     .help = "The NAMEs of the relays that its lists use, unless they name theirs. Default: all."},
    {SENDER(group), .key = "group", .check = shape_group, .max = 32, .example = "international",
     .help = "Members of this Unix group may do all with the lists of this sender."},

    {RELAY(url), .key = "url", .type = OPTION_TEXT, .check = shape_relay_url, .max = URL, .required = true,
     .example = "smtp://mail.partnerschaften.example",
     .help = "smtp://HOST[:PORT], port 587 if none is given, or smtps://HOST[:PORT] for TLS from the first byte, port "
             "465. A server that takes mail from your network without a login may want smtp://HOST:25."},
    {RELAY(tls), .key = "tls", .type = OPTION_WORD, .words = tls_words, .fallback = "required",
     .help = "With required, nothing is sent without TLS and a valid certificate."},
    {RELAY(ca_file), .key = "ca-file", .type = OPTION_TEXT, .check = shape_path, .max = PATH,
     .example = "/etc/rundbrief/ca.pem", .help = "Certificates to trust instead of the system's, in PEM."},
    {RELAY(username), .key = "username", .type = OPTION_TEXT, .max = TEXT, .example = "rundbrief",
     .help = "For servers that want a login; only with TLS, and together with password-file."},
    {RELAY(password_file), .key = "password-file", .type = OPTION_TEXT, .check = shape_path, .max = PATH,
     .example = "/etc/rundbrief/relay-password",
     .help = "A file whose first line is the password, readable for the daemon only (mode 0600)."},
    {RELAY(ehlo), .key = "ehlo", .type = OPTION_TEXT, .check = shape_host, .max = 253,
     .example = "rundbrief.partnerschaften.example", .help = "The name to greet with. Default: this machine's."},
    {RELAY(connections), .key = "connections", .type = OPTION_COUNT, .min = 1, .max = 100, .fallback = "2",
     .help = "How many connections to keep open while there is something to send."},
    {RELAY(in_flight), .key = "in-flight", .type = OPTION_COUNT, .min = 1, .max = 100, .fallback = "4",
     .help =
         "How many mails may be under way on one connection before the first is answered. After a crash at most 2 × "
         "connections × in-flight mails are in doubt, of all relays together, and 128."},
    {RELAY(pipelining), .key = "pipelining", .type = OPTION_WORD, .words = pipelining_words, .fallback = "offered",
     .help = "With none, one command at a time, even where the server offers more. For servers that lose commands, as "
             "chasquid 1.11 does."},
    {RELAY(rate), .key = "rate", .type = OPTION_RATE, .min = 1, .max = 1000000, .zero = "none", .fallback = "none",
     .example = "100/s",
     .help =
         "At most so many mails in a time: 100/s, 600/m, 3000/h, 20000/d. Never more in any second, minute, hour or "
         "day, whenever it begins and even if the daemon is restarted within. To make sure, the daemon stays about 6 % "
         "below (more where answers take long) and begins slowly. Each attempt counts. Days are better counted by "
         "daily-limit, which knows what "
         "was sent before a restart."},
    {RELAY(daily_limit), .key = "daily-limit", .type = OPTION_COUNT64, .min = 1, .max = 1000000000, .zero = "none",
     .fallback = "none", .example = "10000",
     .help = "At most so many mails in any 24 hours, where the provider says so. Counted in whole hours, over restarts "
             "and changes of the clock: what was sent counts until 24 to 25 hours later. Each attempt counts."},
    {RELAY(priority), .key = "priority", .type = OPTION_COUNT, .min = 0, .max = 1000, .fallback = "10",
     .help = "The lowest goes first; relays with the same number share."},

    {LIST(title), .key = "title", .type = OPTION_TEXT, .max = TEXT, .fill_in = true,
     .example = "Rundbrief der Städtepartnerschaften", .help = "The name that readers see. Default: the NAME."},
    {LIST(titles), .key = "title.*", .type = OPTION_TITLES, .max = TEXT, .example = "title.fr = Lettre des jumelages",
     .help = "The name in another language of the list."},
    {LIST(sender), .key = "sender", .type = OPTION_SENDER, .example = "office",
     .help = "The NAME of a [sender NAME]. Not needed where there is only one."},
    {LIST(languages), .key = "languages", .type = OPTION_TEXTS, .check = shape_language, .max = CONF_LANGUAGES_MAX,
     .example = "de, en, fr, it, pl, uk",
     .help = "The languages that its mails may be in; the first is the list's own. Default: the daemon's language."},
    {LIST(tone), .key = "tone", .type = OPTION_WORD, .words = tone_words, .fallback = "formal",
     .help = "How people are addressed."},
    {LIST(coordinators), .key = "coordinators", .type = OPTION_TEXTS, .check = shape_address, .max = MANY,
     .fallback = "", .example = "koordination@partnerschaften.example",
     .help = "Who gets proofs, rejections, and the report when an announcement is finished."},
    {LIST(release), .key = "release", .type = OPTION_WORD, .words = release_words, .fallback = "hold",
     .help =
         "With hold, an announcement that was dropped as a file waits until somebody releases it; direct sends it."},
    {LIST(archive), .key = "archive", .type = OPTION_WORD, .words = yes_no_words, .fallback = "no",
     .help = "With yes, each announcement to the list gets a public page, to which its mails link. Those that are for "
             "some of the members only get none."},
    {LIST(group), .key = "group", .type = OPTION_TEXT, .check = shape_group, .max = 32, .example = "partnerschaften",
     .help = "Members of this Unix group may do all with this list."},
    {LIST(from_name), .key = "from-name", .type = OPTION_TEXT, .max = TEXT, .example = "Städtepartnerschaften",
     .help = "The name in From, instead of the sender's."},
    {LIST(reply_to), .key = "reply-to", .type = OPTION_TEXT, .check = shape_address, .max = ADDRESS,
     .example = "kontakt@partnerschaften.example", .help = "Where answers go, instead of what the sender says."},
    {LIST(timezone), .key = "timezone", .type = OPTION_TEXT, .check = shape_zone, .max = 64, .example = "Europe/Warsaw",
     .help = "The zone of its announcements' times. Default: the daemon's."},
    {LIST(relays), .key = "relay", .type = OPTION_TEXTS, .check = shape_name, .max = CONF_RELAYS_MAX, .fallback = "",
     .example = "main", .help = "The NAMEs of the relays to use. Default: the sender's."},
    {LIST(reason), .key = "reason", .type = OPTION_TEXT, .max = TEXT,
     .example = "weil Ihre Kommune eine Partnerschaft unterhält",
     .help = "Why people get this, for the footer. Default: the sentence of each language."},
    {LIST(id), .key = "id", .type = OPTION_ID, .min = 1, .max = UINT32_MAX, .example = "1",
     .help = "The number of the list in links. Default: derived from its name. Needed only where two collide."},
    {LIST(source), .key = "source", .type = OPTION_TEXT, .check = shape_path, .max = PATH,
     .example = "/srv/office/partners.csv",
     .help = "The list follows this file, a table as for `rundbrief import`: new rows join, who is no longer in it is "
             "removed, changed fields follow, as soon as the file changes. Who left does not come back by it, and who "
             "joined one by one stays. A file that cannot be read changes nothing; one that would remove more than a "
             "fifth of the list waits for `rundbrief import --accept NAME`."},
    {LIST(basis), .key = "basis", .type = OPTION_TEXT, .check = shape_basis, .max = 20, .example = "membership",
     .help = "With source: why these people may be written to: consent, membership, public-task or other."},
    {LIST(evidence), .key = "evidence", .type = OPTION_TEXT, .max = TEXT, .example = "the association's register",
     .help = "With source: what shows that, in words. It stands in the consent record of everybody who joins."},
    {LIST(open), .key = "open", .type = OPTION_WORD, .words = yes_no_words, .fallback = "no",
     .help = "Whether people may sign up by themselves, at PUBLIC-URL/s/NAME."},

    {DESTINATION(rate), .key = "rate", .type = OPTION_RATE, .min = 1, .max = 1000000, .zero = "none",
     .fallback = "none", .example = "20/s",
     .help = "At most so many mails in a time, over all relays. Counted as a relay's."},
    {DESTINATION(connections), .key = "connections", .type = OPTION_COUNT, .min = 1, .max = 100, .zero = "all",
     .fallback = "all", .example = "1", .help = "On at most so many connections at once, one mail each."},

    {WEB(web_listen), .key = "listen", .type = OPTION_TEXT, .check = shape_listen, .max = 64, .fallback = "systemd",
     .restart = true, .help = "Where rundbrief-web listens: an address with a port, or systemd for a socket unit."},
    {WEB(web_proxies), .key = "proxies", .type = OPTION_TEXTS, .check = shape_proxy, .max = MANY,
     .fallback = "127.0.0.1, ::1, unix", .restart = true,
     .help = "Whose X-Forwarded-For is believed: addresses, networks, or unix for a proxy on a Unix socket."},
    {WEB(confirm_days), .key = "confirm-days", .type = OPTION_COUNT, .min = 1, .max = 14, .fallback = "7",
     .help = "A sign-up that was not confirmed after so many days is forgotten."},
    {WEB(sign_ups_source), .key = "sign-ups-source", .type = OPTION_RATE, .min = 1, .max = 1000000, .zero = "none",
     .fallback = "60/h", .help = "At most so many sign-ups from one network (IPv4 /24, IPv6 /48) lead to a mail."},
    {WEB(sign_ups_list), .key = "sign-ups-list", .type = OPTION_RATE, .min = 1, .max = 1000000, .zero = "none",
     .fallback = "1000/h", .help = "The same for one list, from wherever they come."},

    {BOUNCE(return_path), .key = "return-path", .type = OPTION_TEXT, .check = shape_return_path, .max = ADDRESS,
     .fallback = "", .example = "rueckweg@partnerschaften.example",
     .help = "A mailbox of your own for reports. Mails leave with PREFIX+code@DOMAIN, and its mail server must accept "
             "everything behind the +. At most 15 characters before the @."},
    {BOUNCE(soft_limit), .key = "soft-limit", .type = OPTION_COUNT, .min = 1, .max = 1000, .fallback = "5",
     .help =
         "An address with more failures than this that were not final, a full mailbox for example, is written to no "
         "more. At most one a day counts, and after 30 days without any all are forgotten."},
    {BOUNCE(imap_url), .key = "imap-url", .type = OPTION_TEXT, .check = shape_imap_url, .max = URL, .fallback = "",
     .example = "imaps://imap.partnerschaften.example/INBOX",
     .help = "Where the mailbox of the return path is at a provider, its mails are fetched from there by "
             "rundbrief-imap.timer. It should serve for nothing else."},
    {BOUNCE(imap_username), .key = "imap-username", .type = OPTION_TEXT, .max = TEXT, .fallback = "",
     .example = "rueckweg@partnerschaften.example", .help = "The user name there."},
    {BOUNCE(imap_password_file), .key = "imap-password-file", .type = OPTION_TEXT, .check = shape_path, .max = PATH,
     .fallback = "", .example = "/etc/rundbrief/imap-password",
     .help =
         "The password alone in a file. rundbrief-imap.service has it as a credential of systemd, under the name of "
         "the file."},
    {BOUNCE(imap_ca_file), .key = "imap-ca-file", .type = OPTION_TEXT, .check = shape_path, .max = PATH, .fallback = "",
     .example = "/etc/ssl/certs/partnerschaften.pem",
     .help = "Who signs its certificate, instead of the system's CAs."},
    {BOUNCE(imap_tls), .key = "imap-tls", .type = OPTION_WORD, .words = imap_tls_words, .fallback = "required",
     .help = "none only for a server on this machine."},
    {BOUNCE(imap_folder), .key = "imap-folder", .type = OPTION_TEXT, .max = TEXT, .fallback = "", .example = "Erledigt",
     .help = "Reports that were taken go into this folder of the mailbox. Default: they are deleted."},

    {RETRY(retry_first_usec), .key = "first", .min = USEC_PER_SEC, .max = USEC_PER_DAY, .fallback = "30m",
     .help = "After the first failure."},
    {RETRY(retry_then_usec), .key = "then", .min = USEC_PER_SEC, .max = USEC_PER_DAY, .fallback = "2h",
     .help = "After each later one."},
    {RETRY(retry_give_up_usec), .key = "give-up", .min = USEC_PER_SEC, .max = 30 * USEC_PER_DAY, .fallback = "4d",
     .help = "After so long nothing is tried any more. Announcements may end earlier."},
    {RETRY(silence_usec), .key = "silence", .min = USEC_PER_SEC, .max = USEC_PER_DAY, .fallback = "10m",
     .help = "A destination that wants fewer mails gets none for so long, then one at a time, then more and more."},
    {RETRY(relay_rest_usec), .key = "relay", .min = USEC_PER_SEC, .max = USEC_PER_DAY, .fallback = "15m",
     .help = "A relay that cannot be reached is tried again after a second, one that refuses us after 30 seconds, then "
             "after twice as long each time, but at the latest after this time."},

    {TIMEOUT(timeout_connect_usec), .key = "connect", .fallback = "1m",
     .help = "The server's name is found, and the connection made."},
    {TIMEOUT(timeout_greeting_usec), .key = "greeting", .fallback = "5m",
     .help = "The server's first line; of smtps:// with TLS before it."},
    {TIMEOUT(timeout_command_usec), .key = "command", .fallback = "5m",
     .help = "The answer to MAIL, RCPT, and all that comes before them: EHLO, each step of TLS and of the login."},
    {TIMEOUT(timeout_data_usec), .key = "data", .fallback = "2m", .help = "The answer to DATA."},
    {TIMEOUT(timeout_block_usec), .key = "block", .fallback = "3m", .help = "The server takes more of a mail."},
    {TIMEOUT(timeout_end_usec), .key = "end", .fallback = "10m", .help = "The answer to a whole mail."},
    {TIMEOUT(timeout_stop_usec), .key = "stop", .fallback = "1m",
     .help = "A daemon that is told to stop waits so long for answers. systemd's TimeoutStopSec must be longer."},

    {RETENTION(keep_deliveries_usec), .key = "deliveries", .fallback = "730d",
     .help = "Who got an announcement, when, and what the server said; and its texts and files. Counted from its end; "
             "how many got it stays."},
    {RETENTION(keep_gone_usec), .key = "after-leaving", .fallback = "1095d",
     .help =
         "Who left, or was removed, and what shows why they had been written to. Then they are erased; a keyed hash "
         "of the address keeps imports from bringing them back."},
    {RETENTION(keep_notices_usec), .key = "notices", .fallback = "90d",
     .help = "Mail of the daemon's own: proofs, tests, results, alerts."},
    {RETENTION(keep_rejected_usec), .key = "rejected", .fallback = "90d", .help = "Files in the spool's rejected/."},
};
const size_t option_count = COUNT_OF(option_rows);

const struct option *options_of(enum section section, size_t *ret_count) {
    size_t first = 0;
    while (first < option_count && option_rows[first].section != section)
        first++;
    size_t end = first;
    while (end < option_count && option_rows[end].section == section)
        end++;
    *ret_count = end - first;
    return first < option_count ? option_rows + first : NULL;
}

const struct option *option_find(enum section section, struct view key) {
    size_t count;
    const struct option *rows = options_of(section, &count);
    for (size_t i = 0; i < count; i++) {
        struct view name = view_of(rows[i].key);
        if (view_eq(name, key))
            return &rows[i];
        if (view_ends(name, ".*") && view_eq(view_slice(name, 0, name.len - 1), view_slice(key, 0, name.len - 1)))
            return &rows[i];
    }
    return NULL;
}

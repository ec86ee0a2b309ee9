/* token make|verify: looks into links, and makes them for tests. verify needs the public keys only; make needs the
 * secrets, so it is the admin's. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/number.h"
#include "cli/verb.h"
#include "conf/conf.h"
#include "net/json.h"
#include "trust/keys.h"
#include "trust/token.h"

#include "base/banned.h"

static const char make_usage[] =
    "rundbrief token make --list LIST --subscriber ID, --list LIST --test, or --release ANNOUNCEMENT [--expires 3d]";

static void conf_unrefp(struct conf **conf) {
    *conf = conf_unref(*conf);
}
#define AUTOCONF CLEANUP(conf_unrefp)

static void keyring_freep(struct keyring **keys) {
    *keys = keyring_free(*keys);
}
#define AUTOKEYS CLEANUP(keyring_freep)

static const char *purpose_name(enum token_purpose purpose) {
    switch (purpose) {
    case TOKEN_RECIPIENT: return "recipient";
    case TOKEN_CONFIRM: return "confirm";
    case TOKEN_RELEASE: return "release";
    case TOKEN_TEST: return "test";
    }
    return "";
}

/* The token in what was given: itself, or a link /u/TOKEN/… with anything before and behind. */
static struct view find_token(struct view given) {
    struct view rest = view_trim(given), part, longest = {0};
    while (view_split(&rest, '/', &part)) {
        struct view bare = view_slice(part, 0, view_find(part, '?'));
        if (bare.len > longest.len)
            longest = bare;
    }
    return longest;
}

static int print_json(struct cli *cli, const struct token *t, const struct conf_list *list, const char *expires,
                      bool expired) {
    json_t *d = json_pack("{s:s, s:i}", "purpose", purpose_name(t->purpose), "key", t->key_id);
    int r = d ? 0 : -1;
    if (t->purpose != TOKEN_RELEASE) {
        r |= json_object_set_new(d, "list", list ? json_string(list->name) : json_null());
        r |= json_object_set_new(d, "list_id", json_integer(t->list));
    } else
        r |= json_object_set_new(d, "announcement", json_integer((json_int_t)t->announcement));
    if (t->purpose == TOKEN_RECIPIENT)
        r |= json_object_set_new(d, "subscriber", json_integer((json_int_t)t->subscriber));
    if (expires[0]) {
        r |= json_object_set_new(d, "expires", json_string(expires));
        r |= json_object_set_new(d, "expired", json_boolean(expired));
    }
    AUTOBUF struct buf text = BUF_INIT(4096);
    r = r ? r : json_print(d, &text);
    json_decref(d);
    return r || fprintf(cli->out, "%s\n", buf_str(&text)) < 0 ? EX_IOERR : EX_OK;
}

static int print_token(struct cli *cli, const struct conf *conf, const struct token *t) {
    const struct conf_list *list = conf_find_list_id(conf, t->list);
    bool expires = t->purpose == TOKEN_CONFIRM || t->purpose == TOKEN_RELEASE;
    bool expired = expires && t->expires_usec <= clock_now_usec();
    AUTOBUF struct buf when = BUF_INIT(64);
    if (expires)
        clock_print_utc(&when, t->expires_usec);
    if (cli->json)
        return print_json(cli, t, list, buf_str(&when), expired);
    (void)fprintf(cli->out, "purpose       %s\n", purpose_name(t->purpose));
    if (t->purpose == TOKEN_RELEASE)
        (void)fprintf(cli->out, "announcement  %llu\n", (unsigned long long)t->announcement);
    else
        (void)fprintf(cli->out, "list          %s (%lu)\n", list ? list->name : "one that is gone",
                      (unsigned long)t->list);
    if (t->purpose == TOKEN_RECIPIENT)
        (void)fprintf(cli->out, "subscriber    %llu\n", (unsigned long long)t->subscriber);
    if (expires)
        (void)fprintf(cli->out, "expires       %s%s\n", buf_str(&when), expired ? " (expired)" : "");
    (void)fprintf(cli->out, "key           %d\n", t->key_id);
    return EX_OK;
}

static int run_verify(struct cli *cli, int argc, char **argv) {
    argc = cli_options(cli, argc, argv, NULL, 0);
    if (argc != 1)
        return argc < 0 ? EX_USAGE
                        : cli_refuse(cli, EX_USAGE, "give one token, or one link", "rundbrief token verify TOKEN");
    AUTOCONF struct conf *conf = cli_conf(cli);
    AUTOKEYS struct keyring *keys = NULL;
    AUTOBUF struct buf public = BUF_INIT(PATH_MAX);
    struct token token;
    struct why why;
    if (!conf)
        return EX_CONFIG;
    keyring_public_dir(conf->spool_dir, &public);
    int r = keyring_load_public(buf_str(&public), &why, &keys);
    if (r < 0)
        return cli_fail(cli, r == -EACCES ? EX_NOPERM : EX_NOINPUT, &why);
    if (token_verify(keys, find_token(view_of(argv[0])), &token) < 0)
        return cli_refuse(cli, EX_DATAERR, "no key of ours signed this: it is damaged, cut off, or from elsewhere",
                          "Copy the whole link, as it stands in the mail");
    return print_token(cli, conf, &token);
}

/* What the options ask for; an exit code. */
static int read_wish(struct cli *cli, const struct conf *conf, const struct cli_option *list,
                     const struct cli_option *subscriber, const struct cli_option *test,
                     const struct cli_option *release, const struct cli_option *expires, struct token *ret) {
    uint64_t n = 0;
    int64_t usec = 3 * USEC_PER_DAY;
    unsigned kinds = (subscriber->value != NULL) + (test->value != NULL) + (release->value != NULL);
    if (kinds != 1 || !list->value != (release->value != NULL) || (expires->value && !release->value))
        return cli_refuse(cli, EX_USAGE, "say for whom", make_usage);
    const char *id = release->value ? release->value : subscriber->value;
    if (id && (number_parse_u64(view_of(id), INT64_MAX, &n) < 0 || n == 0))
        return cli_refuse(cli, EX_USAGE, "an id is a whole number from 1 on", make_usage);
    if (expires->value && (number_parse_duration(view_of(expires->value), &usec) < 0 || usec > 366 * USEC_PER_DAY))
        return cli_refuse(cli, EX_USAGE, "an expiry is a time such as 30m, 2h or 3d, at most a year", make_usage);
    *ret = (struct token){.purpose = test->value ? TOKEN_TEST : release->value ? TOKEN_RELEASE : TOKEN_RECIPIENT};
    if (release->value) {
        ret->announcement = n;
        ret->expires_usec = clock_now_usec() + usec;
        return EX_OK;
    }
    const struct conf_list *found = conf_find_list(conf, view_of(list->value));
    if (!found)
        return cli_refuse(cli, EX_DATAERR, "there is no such list", "See: rundbrief list");
    ret->list = found->id;
    ret->subscriber = n;
    return EX_OK;
}

static int run_make(struct cli *cli, int argc, char **argv) {
    enum { LIST, SUBSCRIBER, TEST, RELEASE, EXPIRES, OPTIONS };
    struct cli_option o[OPTIONS] = {[LIST] = {.name = "--list", .takes_value = true},
                                    [SUBSCRIBER] = {.name = "--subscriber", .takes_value = true},
                                    [TEST] = {.name = "--test"},
                                    [RELEASE] = {.name = "--release", .takes_value = true},
                                    [EXPIRES] = {.name = "--expires", .takes_value = true}};
    argc = cli_options(cli, argc, argv, o, OPTIONS);
    if (argc != 0)
        return argc < 0 ? EX_USAGE : cli_refuse(cli, EX_USAGE, "say for whom", make_usage);
    AUTOCONF struct conf *conf = cli_conf(cli);
    AUTOKEYS struct keyring *keys = NULL;
    AUTOBUF struct buf secret = BUF_INIT(PATH_MAX), public = BUF_INIT(PATH_MAX), text = BUF_INIT(TOKEN_TEXT_MAX);
    struct token token;
    struct why why;
    if (!conf)
        return EX_CONFIG;
    int code = read_wish(cli, conf, &o[LIST], &o[SUBSCRIBER], &o[TEST], &o[RELEASE], &o[EXPIRES], &token);
    if (code != EX_OK)
        return code;
    keyring_secret_dir(conf->state_dir, &secret);
    keyring_public_dir(conf->spool_dir, &public);
    int r = keyring_load(buf_str(&secret), buf_str(&public), &why, &keys);
    if (r < 0)
        return cli_fail(cli, r == -EACCES || r == -EPERM ? EX_NOPERM : EX_NOINPUT, &why);
    if (token_sign(keys, &token, &text) < 0)
        return EX_SOFTWARE;
    if (!cli->json)
        return fprintf(cli->out, "%s\n", buf_str(&text)) < 0 ? EX_IOERR : EX_OK;
    return fprintf(cli->out, "{\"token\":\"%s\"}\n", buf_str(&text)) < 0 ? EX_IOERR
                                                                         : EX_OK; /* base64url: nothing to escape */
}

int verb_token(struct cli *cli, int argc, char **argv) {
    if (argc && strcmp(argv[0], "make") == 0)
        return run_make(cli, argc - 1, argv + 1);
    if (argc && strcmp(argv[0], "verify") == 0)
        return run_verify(cli, argc - 1, argv + 1);
    return cli_refuse(cli, EX_USAGE, "say what to do with tokens", "rundbrief token make …, or token verify TOKEN");
}

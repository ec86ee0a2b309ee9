/* key init|list|new|activate|export|import: the keys in the daemon's own files. Local, for the admin; the daemon need not run. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sysexits.h>

#include "base/number.h"
#include "cli/key_export.h"
#include "cli/verb.h"
#include "conf/conf.h"
#include "net/json.h"
#include "trust/keys.h"

#include "base/banned.h"

struct places {
    struct buf secret, public;
};

static int find_places(struct cli *cli, struct places *ret) {
    struct conf *conf = cli_conf(cli);
    if (!conf)
        return EX_CONFIG;
    keyring_secret_dir(conf->state_dir, &ret->secret);
    keyring_public_dir(conf->spool_dir, &ret->public);
    (void)conf_unref(conf);
    return EX_OK;
}

static int code_of(int error) {
    switch (error) {
    case -EACCES:
    case -EPERM: return EX_NOPERM;
    case -EEXIST:
    case -EROFS: return EX_CANTCREAT;
    case -ENOENT: return EX_NOINPUT;
    case -EBADMSG: return EX_DATAERR;
    case -ENOSPC:
    case -EIO: return EX_IOERR;
    }
    return EX_OSERR;
}

static int print_json(struct cli *cli, json_t *document) {
    AUTOBUF struct buf text = BUF_INIT(1 << 20);
    int r = document ? json_print(document, &text) : -ENOMEM;
    json_decref(document);
    return r < 0 || fprintf(cli->out, "%s\n", buf_str(&text)) < 0 ? EX_IOERR : EX_OK;
}

static int run_init(struct cli *cli, const struct places *p, bool new_master) {
    struct why why;
    int r = new_master ? keyring_new_master(buf_str(&p->secret), buf_str(&p->public), &why)
                       : keyring_init(buf_str(&p->secret), buf_str(&p->public), &why);
    if (r < 0)
        return cli_fail(cli, code_of(r), &why);
    if (cli->json)
        return print_json(cli, new_master ? json_pack("{s:s}", "secrets", buf_str(&p->secret))
                                          : json_pack("{s:i, s:s, s:s}", "id", 1, "secrets", buf_str(&p->secret),
                                                      "public", buf_str(&p->public)));
    if (new_master)
        (void)fputs(
            "There is a new master key. Links of mails that were sent go on working. Bounces of those mails are\n"
            "not understood, and who was erased before, or left before a restore, may be brought back by an import.\n",
            cli->out);
    else
        (void)fprintf(
            cli->out,
            "Key 1 signs the links from now on.\n"
            "The secrets are in %s. Keep a copy in a safe place off this machine\n"
            "(rundbrief key export FILE): without them the opt-out links of mails that were sent stop working.\n",
            buf_str(&p->secret));
    return EX_OK;
}

static const char *say_state(const struct key_info *key) {
    return key->active && !key->has_secret
               ? "should sign, but its secret is lost: bring it back from a copy, or run key "
                 "new and key activate; its links go on working"
           : key->active && !key->has_public
               ? "signs, but its public half is lost: run key activate with its number, which "
                 "makes it again"
           : key->active      ? "signs"
           : !key->has_public ? "not published yet: run key new again"
           : key->has_secret  ? "can be activated"
                              : "verifies links that were sent";
}

static void say_gap(struct cli *cli, unsigned first, unsigned last) {
    if (first < last)
        (void)fprintf(cli->out, "%3u to %u  are lost: links that they signed are refused\n", first, last);
    else
        (void)fprintf(cli->out, "%3u  is lost: links that it signed are refused\n", first);
}

static int run_list(struct cli *cli, const struct places *p) {
    struct key_info keys[KEYS_MAX];
    struct why why;
    size_t count;
    unsigned next = 1;
    int r = keyring_list(buf_str(&p->secret), buf_str(&p->public), keys, &count, &why);
    if (r < 0)
        return cli_fail(cli, code_of(r), &why);
    bool master = keyring_has_master(buf_str(&p->secret)), any_active = false;
    json_t *list = cli->json ? json_array() : NULL;
    for (size_t i = 0; i < count; next = keys[i++].id + 1U) {
        any_active |= keys[i].active;
        if (cli->json) {
            (void)json_array_append_new(list, json_pack("{s:i, s:b, s:b, s:b}", "id", keys[i].id, "active",
                                                        keys[i].active, "secret", keys[i].has_secret, "public",
                                                        keys[i].has_public)); /* what is missing shows as such */
            continue;
        }
        if (next < keys[i].id)
            say_gap(cli, next, keys[i].id - 1U);
        (void)fprintf(cli->out, "%3d  %s\n", keys[i].id, say_state(&keys[i]));
    }
    if (cli->json)
        return print_json(cli, json_pack("{s:o, s:b}", "keys", list, "master", master));
    if (count == 0)
        (void)fprintf(cli->out, "There are no keys yet. Run: rundbrief key init\n");
    else if (!master)
        (void)fputs(
            "The master key is lost: bring it back from a copy, or make a new one with rundbrief key init "
            "--new-master.\nLinks go on working; bounces of mails that were sent are not understood, and who was "
            "erased,\nor left before a restore, may be brought back by an import.\n",
            cli->out);
    else if (!any_active)
        (void)fputs("None of them signs: run rundbrief key activate ID.\n", cli->out);
    return EX_OK;
}

static int run_new(struct cli *cli, const struct places *p) {
    struct why why;
    uint8_t id;
    int r = keyring_new_key(buf_str(&p->secret), buf_str(&p->public), &id, &why);
    if (r < 0)
        return cli_fail(cli, code_of(r), &why);
    if (cli->json)
        return print_json(cli, json_pack("{s:i}", "id", id));
    (void)fprintf(
        cli->out,
        "Key %d is published. It signs nothing yet: where a door runs on another host, copy the public keys there;\n"
        "then run: rundbrief key activate %d\n",
        id, id);
    return EX_OK;
}

static int run_activate(struct cli *cli, const struct places *p, const char *text) {
    struct why why;
    uint64_t id;
    if (number_parse_u64(view_of(text), KEYS_MAX, &id) < 0 || id == 0)
        return cli_refuse(cli, EX_USAGE, "the id of a key is a number from 1 to 255", "See: rundbrief key list");
    int r = keyring_activate(buf_str(&p->secret), buf_str(&p->public), (uint8_t)id, &why);
    if (r < 0)
        return cli_fail(cli, code_of(r), &why);
    if (cli->json)
        return print_json(cli, json_pack("{s:i}", "id", (int)id));
    (void)fprintf(cli->out, "Key %d signs as soon as the daemon is told: systemctl reload rundbriefd\n", (int)id);
    return EX_OK;
}

static int run_file(struct cli *cli, const struct places *p, bool export, const char *file,
                    const char *passphrase_file) {
    const struct key_export_places places = {buf_str(&p->secret), buf_str(&p->public)};
    return (export ? key_export_run : key_import_run)(cli, &places, file, passphrase_file);
}

int verb_key(struct cli *cli, int argc, char **argv) {
    static const struct {
        const char *name;
        int arguments;
    } verbs_of_keys[] = {{"init", 0}, {"list", 0}, {"new", 0}, {"activate", 1}, {"export", 1}, {"import", 1}};
    enum { INIT, LIST, NEW, ACTIVATE, EXPORT, IMPORT };
    struct cli_option o[] = {{.name = "--passphrase-file", .takes_value = true}, {.name = "--new-master"}};
    struct places p = {BUF_INIT(PATH_MAX), BUF_INIT(PATH_MAX)};
    argc = cli_options(cli, argc, argv, o, COUNT_OF(o));
    if (argc < 0)
        return EX_USAGE;
    size_t what = 0;
    while (what < COUNT_OF(verbs_of_keys) && (argc == 0 || strcmp(argv[0], verbs_of_keys[what].name) != 0))
        what++;
    if (what == COUNT_OF(verbs_of_keys) || argc != 1 + verbs_of_keys[what].arguments ||
        (o[0].value && what != EXPORT && what != IMPORT) || (o[1].value && what != INIT))
        return cli_refuse(cli, EX_USAGE, "say what to do with keys", "`rundbrief key --help` shows what can be done");
    int code = find_places(cli, &p);
    if (code == EX_OK)
        code = what == ACTIVATE ? run_activate(cli, &p, argv[1])
               : what == INIT   ? run_init(cli, &p, o[1].value)
               : what == LIST   ? run_list(cli, &p)
               : what == NEW    ? run_new(cli, &p)
                                : run_file(cli, &p, what == EXPORT, argv[1], o[0].value);
    buf_done(&p.secret);
    buf_done(&p.public);
    return code;
}

/* key init|list|new|activate: the keys in the daemon's own files. Local, for the admin; the daemon need not run. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sysexits.h>

#include "base/number.h"
#include "cli/verb.h"
#include "conf/conf.h"
#include "net/json.h"
#include "trust/keys.h"

#include "base/banned.h"

static const char usage[] = "rundbrief key init, key list, key new, or key activate ID";

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

static int run_init(struct cli *cli, const struct places *p) {
    struct why why;
    int r = keyring_init(buf_str(&p->secret), buf_str(&p->public), &why);
    if (r < 0)
        return cli_fail(cli, code_of(r), &why);
    if (cli->json)
        return print_json(
            cli, json_pack("{s:i, s:s, s:s}", "id", 1, "secrets", buf_str(&p->secret), "public", buf_str(&p->public)));
    (void)fprintf(cli->out,
                  "Key 1 signs the links from now on.\n"
                  "The secrets are in %s. Keep a copy in a safe place off this machine:\n"
                  "without them the opt-out links of mails that were sent stop working.\n",
                  buf_str(&p->secret));
    return EX_OK;
}

static const char *say_state(const struct key_info *key) {
    return key->active && !(key->has_secret && key->has_public) ? "signs, but is not whole"
           : key->active                                        ? "signs"
           : !key->has_public                                   ? "not published yet: run key new again"
           : key->has_secret                                    ? "can be activated"
                                                                : "verifies links that were sent";
}

static int run_list(struct cli *cli, const struct places *p) {
    struct key_info keys[KEYS_MAX];
    struct why why;
    size_t count;
    int r = keyring_list(buf_str(&p->secret), buf_str(&p->public), keys, &count, &why);
    if (r < 0)
        return cli_fail(cli, code_of(r), &why);
    json_t *list = cli->json ? json_array() : NULL;
    for (size_t i = 0; i < count; i++)
        if (cli->json)
            (void)json_array_append_new(list, json_pack("{s:i, s:b, s:b, s:b}", "id", keys[i].id, "active",
                                                        keys[i].active, "secret", keys[i].has_secret, "public",
                                                        keys[i].has_public)); /* what is missing shows as such */
        else
            (void)fprintf(cli->out, "%3d  %s\n", keys[i].id, say_state(&keys[i]));
    if (cli->json)
        return print_json(cli, json_pack("{s:o}", "keys", list));
    if (count == 0)
        (void)fprintf(cli->out, "There are no keys yet. Run: rundbrief key init\n");
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
        "Key %d is published. It signs nothing yet: restart the doors so that they know it, wherever they run,\n"
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
    (void)fprintf(cli->out, "Key %d signs as soon as the daemon is restarted: systemctl restart rundbriefd\n", (int)id);
    return EX_OK;
}

int verb_key(struct cli *cli, int argc, char **argv) {
    struct places p = {BUF_INIT(PATH_MAX), BUF_INIT(PATH_MAX)};
    argc = cli_options(cli, argc, argv, NULL, 0);
    if (argc < 0)
        return EX_USAGE;
    const char *what = argc ? argv[0] : "";
    bool activate = strcmp(what, "activate") == 0;
    if (argc != 1 + activate ||
        !(activate || strcmp(what, "init") == 0 || strcmp(what, "list") == 0 || strcmp(what, "new") == 0))
        return cli_refuse(cli, EX_USAGE, "say what to do with keys", usage);
    int code = find_places(cli, &p);
    if (code == EX_OK)
        code = activate                    ? run_activate(cli, &p, argv[1])
               : strcmp(what, "init") == 0 ? run_init(cli, &p)
               : strcmp(what, "list") == 0 ? run_list(cli, &p)
                                           : run_new(cli, &p);
    buf_done(&p.secret);
    buf_done(&p.public);
    return code;
}

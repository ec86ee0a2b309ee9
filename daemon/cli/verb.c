#include "cli/verb.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "base/text.h"
#include "conf/conf.h"
#include "mail/words.h"

bool verb_form(const char **rest, struct view *ret) {
    if (!*rest)
        return false;
    const char *end = strstr(*rest, " | ");
    *ret = end ? view_make(*rest, (size_t)(end - *rest)) : view_of(*rest);
    *rest = end ? end + strlen(" | ") : NULL;
    return true;
}

int cli_fail(struct cli *cli, int code, const struct why *why) {
    AUTOBUF struct buf line = BUF_INIT(8192);
    why_print(why, &line);
    (void)fprintf(cli->err, "rundbrief: %s\n", buf_str(&line));
    return code;
}

int cli_refuse(struct cli *cli, int code, const char *what, const char *todo) {
    struct why why;
    (void)why_set(&why, 0, "%s", what);
    if (todo)
        why_todo(&why, "%s", todo);
    return cli_fail(cli, code, &why);
}

void cli_print(FILE *out, const char *text) {
    AUTOBUF struct buf safe = BUF_INIT(256 * 1024);
    text_add_safe(&safe, view_of(text));
    (void)fputs(buf_str(&safe), out); /* asked at the end, in main() */
}

/* Only a whole word of one of the languages is a yes. */
bool cli_ask(struct cli *cli, const char *question) {
    static const char *const words[] = {"y",   "yes", "j", "ja",  "o",   "oui", "s",  "si", "sì",
                                        "tak", "t",   "т", "так", "نعم", "ن",   "כן", "כ"};
    char line[64];
    (void)fprintf(cli->out, "%s [y/N] ", question);
    (void)fflush(cli->out);
    if (!fgets(line, sizeof line, stdin))
        return false;
    AUTOBUF struct buf folded = BUF_INIT(sizeof line * 4);
    if (text_fold(view_trim(view_of(line)), &folded) < 0)
        return false;
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (view_eq_str(buf_view(&folded), words[i]))
            return true;
    return false;
}

static struct cli_option *find_option(struct cli_option *options, size_t count, struct view name) {
    for (size_t i = 0; i < count; i++)
        if (view_eq_str(name, options[i].name))
            return &options[i];
    return NULL;
}

static int complain(struct cli *cli, struct cli_option *options, size_t count, struct view name) {
    const char *names[64];
    struct why why;
    for (size_t i = 0; i < count && i < 64; i++)
        names[i] = options[i].name;
    (void)why_set(&why, 0, "I do not know the option %.*s here", (int)name.len, name.ptr);
    const char *near = text_nearest(name, names, count < 64 ? count : 64);
    if (near)
        why_todo(&why, "Did you mean %s?", near);
    (void)cli_fail(cli, EX_USAGE, &why);
    return -1;
}

static int lacks(struct cli *cli, const struct cli_option *o, const char *what) {
    struct why why;
    (void)why_set(&why, 0, "%s %s", o->name, what);
    (void)cli_fail(cli, EX_USAGE, &why);
    return -1;
}

int cli_options(struct cli *cli, int argc, char **argv, struct cli_option *options, size_t count) {
    int kept = 0;
    bool ended = false;
    for (int i = 0; i < argc; i++) {
        struct view v = view_of(argv[i]);
        if (ended || !view_starts(v, "--")) {
            argv[kept++] = argv[i];
            continue;
        }
        if (v.len == 2) {
            ended = true;
            continue;
        }
        size_t equals = view_find(v, '=');
        struct view name = view_slice(v, 0, equals);
        struct cli_option *o = find_option(options, count, name);
        if (!o)
            return complain(cli, options, count, name);
        if (!o->takes_value && equals < v.len)
            return lacks(cli, o, "takes no value");
        else if (!o->takes_value)
            o->value = "";
        else if (equals < v.len)
            o->value = v.ptr + equals + 1;
        else if (i + 1 < argc)
            o->value = argv[++i];
        else
            return lacks(cli, o, "lacks its value");
        if (o->values) {
            buf_puts(o->values, o->value);
            buf_putc(o->values, '\n');
        }
    }
    return kept;
}

static void print_conf_error(void *user, const struct why *why) {
    (void)cli_fail(user, 0, why);
}

struct conf *cli_conf(struct cli *cli) {
    struct conf *conf = NULL;
    return conf_load(cli->config_path, print_conf_error, cli, &conf) < 0 ? NULL : conf;
}

static bool has_language(const char *folder, struct view code) {
    AUTOBUF struct buf path = BUF_INIT(4096);
    struct stat st;
    buf_printf(&path, "%s/%.*s/words.ini", folder, (int)code.len, code.ptr);
    return folder[0] && stat(buf_str(&path), &st) == 0;
}

const char *cli_language(const struct conf *conf, const char *fallback) {
    static const char *const variables[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    static char chosen[16];
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        const char *value = getenv(variables[i]);
        if (!value || !value[0])
            continue;
        struct view code = view_slice(view_of(value), 0, strcspn(value, "_.@"));
        if (words_is_code(code) && code.len < sizeof chosen &&
            (has_language(conf->templates_local, code) || has_language(conf->templates, code))) {
            memcpy(chosen, code.ptr, code.len);
            chosen[code.len] = '\0';
            return chosen;
        }
        break; /* the first that is set decides */
    }
    return fallback;
}

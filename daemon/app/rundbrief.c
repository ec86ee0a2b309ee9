/* rundbrief: the command line. Finds the verb, nothing else. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/files.h"
#include "base/text.h"
#include "cli/verb.h"

static const struct verb *find_verb(const char *name) {
    for (unsigned i = 0; i < verb_count; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static void print_verb(FILE *out, const struct verb *verb) {
    struct view form;
    for (const char *rest = verb->arguments; verb_form(&rest, &form);)
        (void)fprintf(out, "  %s%s%.*s\n", verb->name, form.len ? " " : "", (int)form.len, form.ptr);
    (void)fprintf(out, "      %s\n", verb->help);
}

static void print_help(FILE *out) {
    (void)fputs("rundbrief [--config FILE | --socket PATH] [--json] VERB …\n\n", out);
    for (unsigned i = 0; i < verb_count; i++)
        print_verb(out, &verbs[i]);
}

static int unknown_verb(struct cli *cli, const char *name) {
    const char *names[64];
    struct why why;
    for (unsigned i = 0; i < verb_count && i < 64; i++)
        names[i] = verbs[i].name;
    (void)why_set(&why, 0, "I do not know \"%s\"", name);
    const char *near = text_nearest(view_of(name), names, verb_count < 64 ? verb_count : 64);
    if (near)
        why_todo(&why, "Did you mean \"%s\"? `rundbrief --help` shows all", near);
    else
        why_todo(&why, "`rundbrief --help` shows all");
    return cli_fail(cli, EX_USAGE, &why);
}

/* The options before the verb. The verb's place in argv, argc where there is none, or -1 after saying what is wrong. */
static int read_options(struct cli *cli, int argc, char **argv, bool *ret_help) {
    const struct {
        const char *name;
        const char **value;
    } options[] = {{"--config", &cli->config_path}, {"--socket", &cli->socket_path}};
    int i = 1;
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        bool known = false;
        if (strcmp(argv[i], "--json") == 0)
            known = cli->json = true;
        else if (strcmp(argv[i], "--help") == 0)
            known = *ret_help = true;
        for (size_t k = 0; !known && k < sizeof options / sizeof options[0]; k++) {
            size_t len = strlen(options[k].name);
            if (strncmp(argv[i], options[k].name, len) != 0 || (argv[i][len] && argv[i][len] != '='))
                continue;
            known = argv[i][len] || i + 1 < argc;
            if (known)
                *options[k].value = argv[i][len] ? argv[i] + len + 1 : argv[++i];
        }
        if (!known) {
            struct why why;
            (void)why_set(&why, 0, "%s: I do not know this option, or it lacks its value", argv[i]);
            why_todo(&why, "`rundbrief --help` shows all");
            (void)cli_fail(cli, EX_USAGE, &why);
            return -1;
        }
    }
    return i;
}

/* --json and --help may stand behind the verb, where people write them. */
static int take_common(struct cli *cli, int count, char **rest, bool *ret_help) {
    int kept = 0;
    bool ended = false;
    for (int k = 0; k < count; k++) {
        ended |= strcmp(rest[k], "--") == 0;
        if (!ended && strcmp(rest[k], "--json") == 0)
            cli->json = true;
        else if (!ended && strcmp(rest[k], "--help") == 0)
            *ret_help = true;
        else
            rest[kept++] = rest[k];
    }
    return kept;
}

static int run(struct cli *cli, int argc, char **argv) {
    bool help = false;
    int i = read_options(cli, argc, argv, &help);
    if (i < 0)
        return EX_USAGE;
    if (help || (i < argc && strcmp(argv[i], "help") == 0)) {
        print_help(cli->out);
        return EX_OK;
    }
    if (i == argc) {
        print_help(cli->err);
        return EX_USAGE;
    }
    const struct verb *verb = find_verb(argv[i]);
    if (!verb)
        return unknown_verb(cli, argv[i]);
    int count = take_common(cli, argc - i - 1, argv + i + 1, &help);
    if (help) {
        print_verb(cli->out, verb);
        return EX_OK;
    }
    return verb->run(cli, count, argv + i + 1);
}

int main(int argc, char **argv) {
    files_guard_standard();
    struct cli cli = {
        .config_path = "/etc/rundbrief/rundbrief.ini", .out = stdout, .err = stderr, .terminal = isatty(STDOUT_FILENO)};
    const char *config = getenv("RUNDBRIEF_CONFIG");
    if (config && config[0])
        cli.config_path = config;
    int code = run(&cli, argc, argv);
    free(cli.socket_kept);
    bool written = !ferror(stdout);
    if ((fflush(stdout) == EOF || !written) && (code == EX_OK || code == EX_IOERR))
        code = cli_refuse(&cli, EX_IOERR, "the output could not be written", NULL);
    return code;
}

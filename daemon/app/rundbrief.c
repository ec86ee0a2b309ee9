/* rundbrief: the command line. Finds the verb, nothing else. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/verb.h"

static const struct verb *find_verb(const char *name) {
    for (unsigned i = 0; i < verb_count; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static void print_verb(FILE *out, const struct verb *verb) {
    (void)fprintf(out, "  %s%s%s\n      %s\n", verb->name, verb->arguments[0] ? " " : "", verb->arguments, verb->help);
}

static void print_help(FILE *out) {
    (void)fputs("rundbrief [--config FILE | --socket PATH] [--json] VERB …\n\n", out);
    for (unsigned i = 0; i < verb_count; i++)
        if (verbs[i].run != verb_not_served)
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

int main(int argc, char **argv) {
    struct cli cli = {
        .config_path = "/etc/rundbrief/rundbrief.ini", .out = stdout, .err = stderr, .terminal = isatty(STDOUT_FILENO)};
    const char *config = getenv("RUNDBRIEF_CONFIG");
    if (config && config[0])
        cli.config_path = config;
    int i = 1;
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--json") == 0)
            cli.json = true;
        else if (strcmp(argv[i], "--help") == 0) {
            print_help(stdout);
            return EX_OK;
        } else if (strcmp(argv[i], "--config") == 0 && has_value)
            cli.config_path = argv[++i];
        else if (strcmp(argv[i], "--socket") == 0 && has_value)
            cli.socket_path = argv[++i];
        else
            return cli_refuse(&cli, EX_USAGE, "I do not know this option, or it lacks its value",
                              "`rundbrief --help` shows all");
    }
    if (i == argc) {
        print_help(stderr);
        return EX_USAGE;
    }
    if (strcmp(argv[i], "help") == 0) {
        print_help(stdout);
        return EX_OK;
    }
    const struct verb *verb = find_verb(argv[i]);
    if (!verb)
        return unknown_verb(&cli, argv[i]);
    if (i + 1 < argc && strcmp(argv[i + 1], "--help") == 0 && verb->run != verb_not_served) {
        print_verb(stdout, verb);
        return EX_OK;
    }
    /* --json may stand behind the verb, where people write it. */
    int count = 0;
    char **rest = argv + i + 1;
    for (int k = 0; k < argc - i - 1; k++)
        if (strcmp(rest[k], "--json") == 0)
            cli.json = true;
        else
            rest[count++] = rest[k];
    int code = verb->run(&cli, count, rest);
    return fflush(stdout) == EOF && code == EX_OK ? EX_IOERR : code;
}

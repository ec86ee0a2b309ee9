/* The verbs of the command line: one row each in cli/verbs.c, from which help and dispatch are made. */
#pragma once
#include <stdbool.h>
#include <stdio.h>

#include "base/view.h"
#include "base/why.h"

struct conf;

struct cli {
    const char *config_path, *socket_path; /* socket_path NULL: as the configuration says */
    char *socket_kept;                     /* socket_path, where it came from there; owned by main() */
    bool json, terminal;                   /* terminal: out is one, and asking makes sense */
    FILE *out, *err;
};

/* arguments: what can stand behind the name, forms of it parted by " | "; where those begin with a word in small letters and
 * there are several, that word says what to do (cli/completion.c reads the rest). run: arguments are those behind the verb: argv[0] is the first of them. The answer is an exit code of sysexits.h. */
struct verb {
    const char *name, *arguments, *help;
    int (*run)(struct cli *cli, int argc, char **argv);
};

extern const struct verb verbs[];
extern const unsigned verb_count;
/* The next form of what is left of arguments; false at the end. There is one at least, which may be empty. */
bool verb_form(const char **rest, struct view *ret);

/* "rundbrief: WHERE: WHAT. TODO" on err; returns code. */
int cli_fail(struct cli *cli, int code, const struct why *why);
int cli_refuse(struct cli *cli, int code, const char *what, const char *todo);

/* Text that came from people or relays, without its control characters. */
void cli_print(FILE *out, const char *text);

/* Asks on the terminal; yes in any language that the command speaks. */
bool cli_ask(struct cli *cli, const char *question);

/* Options of a verb: "--name" flags and "--name VALUE". Fills values (flags get ""), moves what is no option to the
 * front of argv and returns how many of those there are; -1 where an option is unknown or lacks its value (said on
 * err). "--" ends the options. */
struct cli_option {
    const char *name; /* with -- */
    bool takes_value;
    const char *value;  /* NULL: not given */
    struct buf *values; /* of one that may be given several times: all of them, one a line; else NULL */
};
int cli_options(struct cli *cli, int argc, char **argv, struct cli_option *options, size_t count);

/* The configuration, read once more; errors go to err. NULL where it cannot be used. */
struct conf *cli_conf(struct cli *cli);
/* The language to speak: of LC_ALL, LC_MESSAGES or LANG where templates has it, else fallback. Never NULL. */
const char *cli_language(const struct conf *conf, const char *fallback);

int verb_new(struct cli *cli, int argc, char **argv);
int verb_check(struct cli *cli, int argc, char **argv);
int verb_preview(struct cli *cli, int argc, char **argv);
int verb_test(struct cli *cli, int argc, char **argv);
int verb_queue(struct cli *cli, int argc, char **argv);
int verb_release(struct cli *cli, int argc, char **argv);
int verb_pause(struct cli *cli, int argc, char **argv);
int verb_resume(struct cli *cli, int argc, char **argv);
int verb_stop(struct cli *cli, int argc, char **argv);
int verb_resend(struct cli *cli, int argc, char **argv);
int verb_status(struct cli *cli, int argc, char **argv);
int verb_report(struct cli *cli, int argc, char **argv);
int verb_list(struct cli *cli, int argc, char **argv);
int verb_import(struct cli *cli, int argc, char **argv);
int verb_subscriber(struct cli *cli, int argc, char **argv);
int verb_suppress(struct cli *cli, int argc, char **argv);
int verb_unsuppress(struct cli *cli, int argc, char **argv);
int verb_key(struct cli *cli, int argc, char **argv);
int verb_token(struct cli *cli, int argc, char **argv);
int verb_completion(struct cli *cli, int argc, char **argv);
int verb_returns(struct cli *cli, int argc, char **argv);
int verb_bounce(struct cli *cli, int argc, char **argv);
int verb_backup(struct cli *cli, int argc, char **argv);
int verb_restore(struct cli *cli, int argc, char **argv);
int verb_doctor(struct cli *cli, int argc, char **argv);

/* completion bash|zsh: what the shell's Tab key offers, made from the table of verbs: their names, and what their
 * arguments' texts say: "--list LIST", "--basis consent|other", "bash|zsh", "[--yes]", "FILE". Where the forms of a verb
 * begin with what to do, each of these words has a completion of its own. */
#include <ctype.h>
#include <string.h>
#include <sysexits.h>

#include "base/view.h"
#include "cli/verb.h"

/* One argument of a form. */
struct argument {
    struct view option; /* "--list", or {0} for one that stands by itself */
    struct view value;  /* "LIST", "consent|other", or {0} for an option without one */
};

static struct view bare(struct view word) {
    while (word.len && (word.ptr[0] == '['))
        word = view_slice(word, 1, word.len);
    while (word.len && word.ptr[word.len - 1] == ']')
        word.len--;
    return word;
}

/* The next argument of the text; several options parted by | come one after the other. */
static bool next_argument(struct view *rest, struct argument *ret) {
    const char *end = rest->ptr + rest->len;
    struct view word, ahead, following;
    do {
        if (!view_split(rest, ' ', &word))
            return false;
    } while (view_eq_str(bare(word), "") || view_eq_str(bare(word), "…") || view_eq_str(word, "|"));
    bool open = word.ptr[0] == '[' && word.ptr[word.len - 1] != ']';
    word = bare(word);
    *ret = (struct argument){0};
    if (!view_starts(word, "--")) {
        ret->value = word;
        return true;
    }
    size_t bar = view_find(word, '|');
    ret->option = view_slice(word, 0, bar);
    if (bar < word.len) {
        *rest = view_make(word.ptr + bar + 1, (size_t)(end - (word.ptr + bar + 1)));
        return true;
    }
    ahead = *rest;
    if (view_split(&ahead, ' ', &following) && !view_starts(bare(following), "--") &&
        (following.ptr[0] != '[' || open)) {
        ret->value = bare(following);
        *rest = ahead;
    }
    return true;
}

enum { ARGUMENTS_MAX = 16 };

static size_t arguments_of(struct view form, struct argument ret[ARGUMENTS_MAX]) {
    size_t count = 0;
    while (count < ARGUMENTS_MAX && next_argument(&form, &ret[count]))
        count++;
    return count;
}

/* Words to choose from, and not the name of a thing as FILE is. */
static bool is_choice(struct view value) {
    return value.len && (islower((unsigned char)value.ptr[0]) || value.ptr[0] == '-');
}

static void put_choice(FILE *out, struct view value) {
    for (size_t i = 0; i < value.len; i++)
        (void)fputc(value.ptr[i] == '|' ? ' ' : value.ptr[i], out);
}

static void put_view(FILE *out, struct view v) {
    (void)fwrite(v.ptr, 1, v.len, out);
}

/* ---- verbs that are told what to do by their first word ---- */

static bool has_actions(const struct verb *verb) {
    return islower((unsigned char)verb->arguments[0]) && strstr(verb->arguments, " | ");
}

/* The next action and what stands behind it; of several forms with the same one the first counts. */
static bool next_action(const char **rest, struct view *action, struct view *ret_form) {
    struct view before = *action;
    while (verb_form(rest, ret_form))
        if (view_split(ret_form, ' ', action) && !view_eq(*action, before))
            return true;
    return false;
}

static void put_actions(FILE *out, const struct verb *verb) {
    struct view action = {0}, form;
    const char *rest = verb->arguments;
    for (bool more = next_action(&rest, &action, &form); more;) {
        put_view(out, action);
        more = next_action(&rest, &action, &form);
        (void)fputs(more ? " " : "", out);
    }
}

/* ---- bash ---- */

/* verb: with what it is told to do behind it. */
static void bash_value(FILE *out, const char *verb, struct view action, const struct argument *a) {
    if (!a->option.len || !a->value.len)
        return;
    (void)fprintf(out, "    '%s%.*s':%.*s) ", verb, (int)action.len, action.ptr, (int)a->option.len, a->option.ptr);
    if (is_choice(a->value)) {
        (void)fputs("words='", out);
        put_choice(out, a->value);
        (void)fputs("' ;;\n", out);
    } else
        (void)fputs(view_eq_str(a->value, "LIST") ? "words=$(_rundbrief_lists) ;;\n" : ";;\n", out);
}
static void bash_form(FILE *out, const char *verb, struct view action, struct view form) {
    struct argument a[ARGUMENTS_MAX];
    size_t count = arguments_of(form, a);
    bool lists = false;
    for (size_t i = 0; i < count; i++)
        bash_value(out, verb, action, &a[i]);
    (void)fprintf(out, "    '%s%.*s':*) words='", verb, (int)action.len, action.ptr);
    for (size_t i = 0; i < count; i++) {
        if (a[i].option.len)
            put_view(out, a[i].option);
        else if (is_choice(a[i].value))
            put_choice(out, a[i].value);
        else
            lists |= view_eq_str(a[i].value, "LIST");
        (void)fputc(' ', out);
    }
    (void)fprintf(out, "--json --help'%s ;;\n", lists ? "; words+=\" $(_rundbrief_lists)\"" : "");
}
static void bash_verb(FILE *out, const struct verb *verb) {
    char name[64];
    struct view action = {0}, form;
    const char *rest = verb->arguments;
    if (!has_actions(verb)) {
        bash_form(out, verb->name, action, view_of(verb->arguments));
        return;
    }
    (void)snprintf(name, sizeof name, "%s ", verb->name); /* fits */
    while (next_action(&rest, &action, &form))
        bash_form(out, name, action, form);
    (void)fprintf(out, "    %s:*) words='", verb->name);
    put_actions(out, verb);
    (void)fputs(" --json --help' ;;\n", out);
}

static void print_bash(FILE *out) {
    (void)fputs("# Completion of rundbrief for bash.\n"
                "_rundbrief_lists() {\n"
                "    rundbrief --json list 2>/dev/null | sed -n 's/.*\"name\": *\"\\([^\"]*\\)\".*/\\1/p'\n"
                "}\n"
                "_rundbrief() {\n"
                "    local cur=$2 prev=$3 verb= words= i\n"
                "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                "        case ${COMP_WORDS[i]} in\n"
                "        --config | --socket) ((i++)) ;;\n"
                "        -*) ;;\n"
                "        *)\n"
                "            verb=${COMP_WORDS[i]}\n"
                "            break\n"
                "            ;;\n"
                "        esac\n"
                "    done\n"
                "    ((i + 1 < COMP_CWORD)) && case $verb in",
                out);
    for (unsigned i = 0; i < verb_count; i++)
        if (has_actions(&verbs[i]))
            (void)fprintf(out, "\n    %s) verb+=\" ${COMP_WORDS[i + 1]}\" ;;", verbs[i].name);
    (void)fputs("\n    esac\n"
                "    case $verb:$prev in\n"
                "    :--config | :--socket) ;;\n"
                "    :*) words='--config --socket --json --help",
                out);
    for (unsigned i = 0; i < verb_count; i++)
        (void)fprintf(out, " %s", verbs[i].name);
    (void)fputs("' ;;\n", out);
    for (unsigned i = 0; i < verb_count; i++)
        bash_verb(out, &verbs[i]);
    (void)fputs("    esac\n"
                "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
                "}\n"
                "complete -o bashdefault -o default -F _rundbrief rundbrief\n",
                out);
}

/* ---- zsh ---- */

/* Inside single quotes; colons part fields there. */
static void zsh_text(FILE *out, const char *text) {
    for (; *text; text++)
        (void)fputs(*text == '\'' ? "'\\''" : *text == ':' ? "\\:" : (char[2]){*text, '\0'}, out);
}

static void zsh_argument(FILE *out, const struct argument *a, unsigned place) {
    (void)fputs(" '", out);
    if (a->option.len)
        put_view(out, a->option);
    else
        (void)fprintf(out, "%u", place);
    if (a->value.len) {
        (void)fputc(':', out);
        if (is_choice(a->value))
            (void)fputs("word", out);
        else
            put_view(out, a->value);
        (void)fputc(':', out);
        if (is_choice(a->value)) {
            (void)fputc('(', out);
            put_choice(out, a->value);
            (void)fputc(')', out);
        } else if (view_eq_str(a->value, "LIST"))
            (void)fputs("_rundbrief_lists", out);
        else if (view_eq_str(a->value, "FILE"))
            (void)fputs("_files", out);
    }
    (void)fputc('\'', out);
}

static void zsh_form(FILE *out, struct view form, unsigned *place) {
    struct argument a[ARGUMENTS_MAX];
    size_t count = arguments_of(form, a);
    for (size_t i = 0; i < count; i++)
        zsh_argument(out, &a[i], a[i].option.len ? 0 : ++*place);
}

static void zsh_verb(FILE *out, const struct verb *verb) {
    struct view action = {0}, form;
    const char *rest = verb->arguments;
    unsigned place = 0;
    (void)fprintf(out, "        %s)", verb->name);
    if (!has_actions(verb)) {
        (void)fputs(" _arguments --json --help", out);
        zsh_form(out, view_of(verb->arguments), &place);
        (void)fputs(" ;;\n", out);
        return;
    }
    (void)fputs("\n            _arguments -C --json --help '1:action:(", out);
    put_actions(out, verb);
    (void)fputs(")' '*::argument:->action'\n            case $state:$line[1] in\n", out);
    while (next_action(&rest, &action, &form)) {
        (void)fprintf(out, "            action:%.*s) _arguments --json --help", (int)action.len, action.ptr);
        place = 0;
        zsh_form(out, form, &place);
        (void)fputs(" ;;\n", out);
    }
    (void)fputs("            esac\n            ;;\n", out);
}

static void print_zsh(FILE *out) {
    (void)fputs("#compdef rundbrief\n"
                "_rundbrief_lists() {\n"
                "    compadd -- ${(f)\"$(rundbrief --json list 2>/dev/null | sed -n 's/.*\"name\": "
                "*\"\\([^\"]*\\)\".*/\\1/p')\"}\n"
                "}\n"
                "_rundbrief() {\n"
                "    local state line\n"
                "    local -a verbs=(\n",
                out);
    for (unsigned i = 0; i < verb_count; i++) {
        (void)fprintf(out, "        '%s:", verbs[i].name);
        zsh_text(out, verbs[i].help);
        (void)fputs("'\n", out);
    }
    (void)fputs("    )\n"
                "    _arguments -C '--config:FILE:_files' '--socket:PATH:_files' --json --help '1:verb:->verb' "
                "'*::argument:->rest'\n"
                "    case $state in\n"
                "    verb) _describe verb verbs ;;\n"
                "    rest)\n"
                "        case $line[1] in\n",
                out);
    for (unsigned i = 0; i < verb_count; i++)
        zsh_verb(out, &verbs[i]);
    (void)fputs("        esac\n"
                "        ;;\n"
                "    esac\n"
                "}\n"
                "_rundbrief \"$@\"\n",
                out);
}

int verb_completion(struct cli *cli, int argc, char **argv) {
    argc = cli_options(cli, argc, argv, NULL, 0);
    if (argc < 0)
        return EX_USAGE;
    if (argc == 1 && view_eq_str(view_of(argv[0]), "bash"))
        print_bash(cli->out);
    else if (argc == 1 && view_eq_str(view_of(argv[0]), "zsh"))
        print_zsh(cli->out);
    else
        return cli_refuse(cli, EX_USAGE, "which shell?", "rundbrief completion bash, or zsh");
    return EX_OK;
}

/* completion bash|zsh: what the shell's Tab key offers, made from the table of verbs: their names, and what their
 * arguments' texts say: "--list LIST", "--basis consent|other", "show|find", "[--yes]", "FILE". */
#include <ctype.h>
#include <sysexits.h>

#include "base/view.h"
#include "cli/verb.h"

/* One argument of a verb. */
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
    struct view word, ahead, following;
    do {
        if (!view_split(rest, ' ', &word))
            return false;
    } while (!word.len || view_eq_str(word, "…"));
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
        *rest = view_of(word.ptr + bar + 1); /* the text ends with a NUL */
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

static struct argument *arguments_of(const struct verb *verb, struct argument room[], size_t max, size_t *ret_count) {
    struct view rest = view_of(verb->arguments);
    for (*ret_count = 0; *ret_count < max && next_argument(&rest, &room[*ret_count]);)
        ++*ret_count;
    return room;
}
enum { ARGUMENTS_MAX = 16 };

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

/* ---- bash ---- */

static void bash_value(FILE *out, const struct verb *verb, const struct argument *a) {
    if (!a->option.len || !a->value.len)
        return;
    (void)fprintf(out, "    %s:%.*s) ", verb->name, (int)a->option.len, a->option.ptr);
    if (is_choice(a->value)) {
        (void)fputs("words='", out);
        put_choice(out, a->value);
        (void)fputs("' ;;\n", out);
    } else
        (void)fputs(view_eq_str(a->value, "LIST") ? "words=$(_rundbrief_lists) ;;\n" : ";;\n", out);
}

static void bash_words(FILE *out, const struct verb *verb, const struct argument *a, size_t count) {
    bool lists = false;
    (void)fprintf(out, "    %s:*) words='", verb->name);
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

static void print_bash(FILE *out) {
    struct argument room[ARGUMENTS_MAX];
    size_t count;
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
                "    case $verb:$prev in\n"
                "    :--config | :--socket) ;;\n"
                "    :*) words='--config --socket --json --help",
                out);
    for (unsigned i = 0; i < verb_count; i++)
        (void)fprintf(out, " %s", verbs[i].name);
    (void)fputs("' ;;\n", out);
    for (unsigned i = 0; i < verb_count; i++) {
        const struct argument *a = arguments_of(&verbs[i], room, ARGUMENTS_MAX, &count);
        for (size_t k = 0; k < count; k++)
            bash_value(out, &verbs[i], &a[k]);
        bash_words(out, &verbs[i], a, count);
    }
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

static void print_zsh(FILE *out) {
    struct argument room[ARGUMENTS_MAX];
    size_t count;
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
    for (unsigned i = 0; i < verb_count; i++) {
        const struct argument *a = arguments_of(&verbs[i], room, ARGUMENTS_MAX, &count);
        unsigned place = 0;
        (void)fprintf(out, "        %s) _arguments --json --help", verbs[i].name);
        for (size_t k = 0; k < count; k++)
            zsh_argument(out, &a[k], a[k].option.len ? 0 : ++place);
        (void)fputs(" ;;\n", out);
    }
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

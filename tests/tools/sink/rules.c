#include "rules.h"
#include "conn.h"
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const stage_names[] = {STAGES(AS_NAME)};
static const char *const action_names[] = {ACTIONS(AS_NAME)};
static struct rule *rules, **rules_end = &rules;

/* \r \n \t \\ \xHH in place; the length. */
static size_t unescape(char *s) {
    char *to = s;
    for (char *p = s; *p;) {
        unsigned x;
        int n;
        if (p[0] != '\\') {
            *to++ = *p++;
        } else if (p[1] == 'x' && sscanf(p + 2, "%2x%n", &x, &n) == 1) {
            *to++ = (char)x;
            p += 2 + n;
        } else {
            *to++ = p[1] == 'r' ? '\r' : p[1] == 'n' ? '\n' : p[1] == 't' ? '\t' : p[1];
            p += p[1] ? 2 : 1;
        }
    }
    *to = '\0';
    return (size_t)(to - s);
}

static bool is_name(const char *word, const char *name) {
    for (; *word && (*word == *name || (*word == '-' && *name == '_')); word++, name++)
        ;
    return *word == *name;
}

void rule_add(const char *line) {
    char *copy = need(strdup(line)), *rest = copy, *word;
    struct rule *r = need(calloc(1, sizeof *r));
    r->first = 1;
    r->last = (unsigned long)-1;
    if (!(word = strsep(&rest, " ")))
        die("empty rule");
    for (r->stage = 0; r->stage < STAGE_COUNT && !is_name(word, stage_names[r->stage]); r->stage++)
        ;
    if (r->stage == STAGE_COUNT)
        die("no stage \"%s\" in rule: %s", word, line);
    while (rest) {
        char *begin = rest;
        word = strsep(&rest, " ");
        if (strncmp(word, "to=", 3) == 0) {
            r->to = need(strdup(word + 3));
        } else if (strncmp(word, "nth=", 4) == 0) {
            char *end;
            r->first = r->last = strtoul(word + 4, &end, 10);
            if (*end == '-')
                r->last = end[1] ? strtoul(end + 1, NULL, 10) : (unsigned long)-1;
        } else if (strncmp(word, "after=", 6) == 0) {
            r->after = strtoul(word + 6, NULL, 10);
        } else if (strncmp(word, "bytes=", 6) == 0) {
            r->bytes = strtoul(word + 6, NULL, 10);
        } else {
            r->action = ACTION_reply;
            r->text = rest ? rest : "";
            if (word[0] >= '2' && word[0] <= '5') {
                if (rest)
                    rest[-1] = ' '; /* the code belongs to the text */
                r->text = begin;
            } else {
                for (r->action = 0; r->action < ACTION_COUNT && !is_name(word, action_names[r->action]); r->action++)
                    ;
                if (r->action == ACTION_COUNT)
                    die("no action \"%s\" in rule: %s", word, line);
            }
            r->text = need(strdup(r->text));
            r->text_len = unescape(r->text);
            break;
        }
    }
    if (!r->text)
        die("no action in rule: %s", line);
    free(copy);
    *rules_end = r;
    rules_end = &r->next;
}

void rule_add_file(const char *path) {
    FILE *f = fopen(path, "re");
    char line[4096];
    if (!f)
        die("%s: %s", path, strerror(errno));
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] && line[0] != '#')
            rule_add(line);
    }
    fclose(f);
}

struct rule *rule_for(struct conn *c, enum stage stage, size_t bytes) {
    const char *who = stage == STAGE_mail ? c->from : c->first_to;
    struct rule *found = NULL;
    for (struct rule *r = rules; r; r = r->next)
        if (r->stage == stage && c->accepted >= r->after && bytes >= r->bytes &&
            (!r->to || fnmatch(r->to, who, FNM_CASEFOLD) == 0)) {
            r->seen++;
            if (!found && r->seen >= r->first && r->seen <= r->last)
                found = r;
        }
    return found;
}

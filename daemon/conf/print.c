/* What is made from the option table: the dump, what a bundle freezes, the sample. */
#include <string.h>

#include "base/text.h"
#include "conf/value.h"
#include "conf/whole.h"

#include "base/banned.h"

static void print_pair(const struct option *o, const void *item, struct buf *to) {
    if (o->type == OPTION_LATER)
        return;
    if (o->type == OPTION_TITLES) {
        value_print(o, item, to);
        return;
    }
    AUTOBUF struct buf value = BUF_INIT(CONF_FILE_MAX);
    value_print(o, item, &value);
    if (buf_error(&value) && !to->error)
        to->error = buf_error(&value);
    buf_printf(to, "%s =%s%s\n", o->key, value.len ? " " : "", buf_str(&value));
}

static void print_section(enum section section, const char *name, const void *item, bool frozen_only, struct buf *to) {
    size_t count;
    const struct option *rows = options_of(section, &count);
    if (to->len)
        buf_putc(to, '\n');
    buf_printf(to, "[%s%s%s]\n", section_rows[section].word, *name ? " " : "", name);
    for (size_t i = 0; i < count; i++)
        if (!frozen_only || rows[i].frozen)
            print_pair(&rows[i], item, to);
}

void conf_dump(const struct conf *conf, struct buf *to) {
    print_section(SECTION_DAEMON, "", conf, false, to);
    for (size_t i = 0; i < conf->sender_count; i++)
        print_section(SECTION_SENDER, conf->senders[i].id, &conf->senders[i], false, to);
    for (size_t i = 0; i < conf->relay_count; i++)
        print_section(SECTION_RELAY, conf->relays[i].id, &conf->relays[i], false, to);
    for (size_t i = 0; i < conf->list_count; i++)
        print_section(SECTION_LIST, conf->lists[i].name, &conf->lists[i], false, to);
    for (size_t i = 0; i < conf->destination_count; i++)
        print_section(SECTION_DESTINATION, conf->destinations[i].domain, &conf->destinations[i], false, to);
    print_section(SECTION_WEB, "", conf, false, to);
    print_section(SECTION_BOUNCE, "", conf, false, to);
    print_section(SECTION_RETRY, "", conf, false, to);
    print_section(SECTION_TIMEOUTS, "", conf, false, to);
    print_section(SECTION_RETENTION, "", conf, false, to);
}

void conf_dump_lists(const struct conf *conf, const struct conf_list *const *lists, size_t count, struct buf *to) {
    print_section(SECTION_DAEMON, "", conf, true, to);
    print_section(SECTION_SENDER, lists[0]->sender->id, lists[0]->sender, false, to);
    for (size_t i = 0; i < count; i++)
        print_section(SECTION_LIST, lists[i]->name, lists[i], false, to);
}

enum { COLUMNS = 100 };

/* A comment, broken between words. */
static void print_comment(struct view text, struct buf *to) {
    size_t column = 0;
    struct view word;
    while (view_split(&text, ' ', &word)) {
        size_t width = text_width(word);
        if (column && column + 1 + width > COLUMNS) {
            buf_putc(to, '\n');
            column = 0;
        }
        column += 1 + width + (column == 0);
        buf_puts(to, column == width + 2 ? "# " : " ");
        buf_add_view(to, word);
    }
    buf_putc(to, '\n');
}

/* A line of its own, however long, so that it can be copied. */
static void print_comment_line(const char *label, const char *text, struct buf *to) {
    buf_printf(to, "# %s: %s\n", label, text);
}

static void print_help(const struct option *o, struct buf *to) {
    AUTOBUF struct buf help = BUF_INIT(4000), bounds = BUF_INIT(400);
    bool fill_in = o->required || o->fill_in;
    buf_printf(&help, "%s%s%s", fill_in ? "FILL IN. " : "", o->help,
               o->restart ? " A change counts after a restart." : "");
    print_comment(buf_view(&help), to);
    if (o->type != OPTION_TEXT && o->type != OPTION_TEXTS && o->type != OPTION_TITLES)
        value_print_bounds(o, &bounds);
    if (bounds.len)
        print_comment_line("Values", buf_str(&bounds), to);
    if (fill_in)
        print_comment_line("For example", o->example, to);
}

static void print_example(const struct option *o, bool commented, struct buf *to) {
    buf_putc(to, '\n');
    print_help(o, to);
    if (o->required || o->fill_in)
        buf_printf(to, "%s%s =\n", commented ? "#" : "", o->key);
    else if (o->type == OPTION_TITLES)
        buf_printf(to, "#%s\n", o->example);
    else
        buf_printf(to, "#%s = %s\n", o->key, o->fallback && *o->fallback ? o->fallback : o->example);
}

void conf_print_sample(struct buf *to) {
    static const char head[] =
        "The configuration of rundbrief.\n"
        "\n"
        "What must be filled in is marked with FILL IN. All else may stay as it is: a line that is commented out shows "
        "the "
        "default, or an example where nothing is the default.\n"
        "\n"
        "A value is everything behind the =, so a comment needs a line of its own. Times are written as 90s, 30m, 2h, "
        "4d, "
        "sizes as 500 KB, 10 MB.\n"
        "\n"
        "Check what you wrote with: rundbriefd --config /etc/rundbrief/rundbrief.ini --check-config\n"
        "A running daemon reads it again after: systemctl reload rundbriefd\n";
    struct view rest = VIEW(""), line;
    rest = view_of(head);
    while (view_line(&rest, &line))
        if (line.len)
            print_comment(line, to);
        else
            buf_puts(to, "#\n");
    for (unsigned s = 0; s < SECTION_COUNT; s++) {
        const struct section_row *row = &section_rows[s];
        size_t count;
        const struct option *rows = options_of(s, &count);
        buf_puts(to, "\n\n");
        print_comment(view_of(row->help), to);
        buf_printf(to, "%s[%s%s%s]\n", row->commented ? "#" : "", row->word, row->name ? " " : "",
                   row->name ? row->example : "");
        for (size_t i = 0; i < count; i++)
            if (rows[i].type != OPTION_LATER)
                print_example(&rows[i], row->commented, to);
    }
}

size_t conf_needs_restart(const struct conf *running, const struct conf *loaded, conf_on_error *on_option, void *user) {
    size_t differ = 0;
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_rows[i];
        if (!o->restart || value_same(o, running, loaded))
            continue;
        struct why why;
        (void)why_set(&why, 0, "this counts after a restart of the daemon only");
        why_where(&why, "%s: [%s] %s", loaded->path, section_rows[o->section].word, o->key);
        on_option(user, &why);
        differ++;
    }
    return differ;
}

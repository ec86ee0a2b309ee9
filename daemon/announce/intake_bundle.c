/* The bundle of an announcement that was checked. */
#include "announce/checking.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/encode.h"
#include "conf/conf.h"
#include "mail/template_file.h"
#include "mail/words.h"
#include "trust/code.h"

/* Everything that shapes the mails goes in: coordinators' files, settings, and of each language the words and templates
 * in force. */
static int add_templates(struct checking *k, const char *language) {
    const struct conf *conf = k->options->conf;
    struct bundle *b = &k->result->bundle;
    const char *chosen = draft_has(checking_first(k), DRAFT_TEMPLATE) ? draft_text(checking_first(k), DRAFT_TEMPLATE)
                         : k->result->has_event                       ? "workshop"
                                                                      : "announcement";
    struct words *words = NULL;
    struct why why;
    int r = words_load(conf->templates_local, conf->templates, language, &why, &words);
    if (r < 0) {
        problem_add(k->problems, false, "", 0, "no-words", language, why.what, NULL);
        return r == -ENOMEM ? r : -EINVAL;
    }
    AUTOBUF struct buf text = BUF_INIT(1 << 20), path = BUF_INIT(256);
    buf_printf(&path, "templates/%s/words.ini", language);
    words_print(words, &text);
    r = buf_error(&text) ? buf_error(&text) : bundle_add(b, buf_str(&path), buf_view(&text));
    static const char *const endings[] = {"html", "txt"};
    for (size_t i = 0; r == 0 && i < COUNT_OF(endings); i++) {
        AUTOBUF struct buf name = BUF_INIT(256);
        buf_printf(&name, "%s.%s", chosen, endings[i]);
        buf_clear(&text);
        buf_clear(&path);
        buf_printf(&path, "templates/%s/mail.%s", language, endings[i]);
        r = template_file_read(conf->templates_local, conf->templates, language, buf_str(&name), &text);
        if (r == 0)
            r = bundle_add(b, buf_str(&path), buf_view(&text));
        else if (r != -ENOMEM) {
            checking_complain(k, DRAFT_TEMPLATE, "no-template", buf_str(&name), language, NULL);
            r = -EINVAL;
        }
    }
    (void)words_free(words);
    return r;
}

static int digest_files(struct checking *k) {
    AUTOBUF struct buf all = BUF_INIT(BUNDLE_FILES_MAX * 64);
    /* Order of names, so that the folder's order does not matter. */
    const struct bundle *files = &k->source->files;
    size_t order[BUNDLE_FILES_MAX];
    for (size_t i = 0; i < files->count; i++) {
        size_t j = i;
        for (; j > 0 && strcmp(files->files[order[j - 1]].path, files->files[i].path) > 0; j--)
            order[j] = order[j - 1];
        order[j] = i;
    }
    for (size_t i = 0; i < files->count; i++) {
        uint8_t digest[32];
        code_digest(view_of(files->files[order[i]].path), digest);
        buf_add(&all, digest, sizeof digest);
        code_digest(files->files[order[i]].content, digest);
        buf_add(&all, digest, sizeof digest);
    }
    code_digest(buf_view(&all), k->result->head.identity);
    return buf_error(&all);
}

static int choose_event_identity(struct checking *k) {
    struct bundle_head *head = &k->result->head;
    head->uid = "";
    if (!k->result->has_event)
        return 0;
    if (k->options->find_event) {
        int r = k->options->find_event(k->options->user, k->result->list, head->name, &k->result->bundle.arena,
                                       &head->uid, &head->sequence);
        if (r < 0)
            return r;
        if (r == 1) {
            head->sequence++;
            return 0;
        }
    }
    uint8_t random[16];
    AUTOBUF struct buf uid = BUF_INIT(256);
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return -EIO;
    encode_hex(&uid, random, sizeof random);
    const char *at = strrchr(k->result->list->sender->address, '@');
    buf_printf(&uid, "@%s", at ? at + 1 : "localhost");
    head->uid = checking_own(k, buf_str(&uid));
    head->sequence = 0;
    return head->uid ? 0 : -ENOMEM;
}

int intake_make_bundle(struct checking *k) {
    struct intake_result *r = k->result;
    struct bundle *b = &r->bundle;
    AUTOBUF struct buf text = BUF_INIT(1 << 20);
    r->head.name = checking_own(k, k->source->stem);
    r->head.list = checking_own(k, r->list->name);
    r->head.first = checking_own(k, k->source->first);
    r->head.created_usec = k->options->now_usec;
    int error = digest_files(k);
    if (error == 0)
        error = choose_event_identity(k);
    if (error == 0) {
        bundle_head_print(&r->head, &text);
        error = bundle_add(b, "bundle.ini", buf_view(&text));
    }
    if (error == 0) {
        buf_clear(&text);
        conf_dump_list(k->options->conf, r->list, &text);
        error = buf_error(&text) ? buf_error(&text) : bundle_add(b, "settings.ini", buf_view(&text));
    }
    for (size_t i = 0; error == 0 && i < k->source->files.count; i++) {
        buf_clear(&text);
        buf_printf(&text, "files/%s", k->source->files.files[i].path);
        error = bundle_add(b, buf_str(&text), k->source->files.files[i].content);
    }
    for (size_t i = 0; error == 0 && i < r->head.language_count; i++)
        error = add_templates(k, r->head.languages[i]);
    return error;
}

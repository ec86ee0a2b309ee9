/* Who says that they want to leave, and who does not, with the shipped words of all languages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "mail/leaving.h"
#include "mail/record.h"

#include "all_words.h"

static struct leave_words words;

static int setup(void **state) {
    if (load_all_words(state) < 0)
        return -1;
    for (size_t i = 0; i < all_words_count; i++)
        leave_words_add(&words, all_words[i]);
    return leave_words_error(&words);
}

static int teardown(void **state) {
    leave_words_done(&words);
    return free_all_words(state);
}

static void lines_say_so_or_not(void **state) {
    (void)state;
    static const struct {
        const char *line;
        bool says;
    } cases[] = {
        {"unsubscribe", true},
        {"UNSUBSCRIBE!!!", true},
        {"Please unsubscribe me from this list, thank you.", true},
        {"unsubscribe anna@stadt.example", true},
        {"Unsubscribe <anna@stadt.example>", true},
        {"stop", true},
        {"Please remove me from your mailing list", true},
        {"Bitte melden Sie mich ab!", true},
        {"Abmeldung vom Rundbrief", true},
        {"“Abmelden”", true},
        {"ABMELDEN", true},
        {"Merci de me désabonner", true},
        {"désabonnez-moi s’il vous plaît", true},
        {"Rezygnuję z newslettera", true},
        {"Proszę o usunięcie mnie z listy", true},
        {"Прошу відписати мене від розсилки", true},
        {"Per favore, cancellatemi dalla lista", true},
        {"הסירו אותי מרשימת התפוצה בבקשה", true},
        {"أرجو إلغاء اشتراكي", true},
        {"\xe2\x80\x8f"
         "إلغاء الاشتراك",
         true},
        {"unsubscribe unsubscribe", true},
        {"", false},
        {" ", false},
        {"please", false},
        {"Do not unsubscribe me", false},
        {"Please don’t unsubscribe me", false},
        {"Bitte nicht abmelden", false},
        {"How do I unsubscribe?", false},
        {"nonstop", false},
        {"Abmelden vom Workshop am Dienstag", false},
        {"I will leave at noon", false},
        {"Wie melde ich mich ab?", false},
        {"anna@unsubscribe.example", false},
        {"unsubscribe unsubscribe unsubscribe unsubscribe unsubscribe unsubscribe unsubscribe unsubscribe unsubscribe "
         "unsubscribe unsubscribe unsubscribe unsubscribe unsubscribe unsubscribe unsubscribe unsubscribe unsubscribe",
         false}, /* too long to be little more than a word */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (leaving_says(&words, view_of(cases[i].line)) != cases[i].says)
            fail_msg("“%s” should %ssay so", cases[i].line, cases[i].says ? "" : "not ");
}

struct field {
    const char *name, *value;
};
struct part {
    unsigned level;
    const char *type, *text;
};
struct mail {
    struct field fields[8];
    struct part parts[4];
    const char *address; /* NULL: it does not say so */
    size_t messages;
};

#define ID "abcdefghijklmnopqrstuvwx27"
#define FROM                                                                                                           \
    { "from", "Anna <anna@stadt.example>" }
#define RE                                                                                                             \
    { "subject", "Re: Hallo" }

static void mails_say_who(void **state) {
    (void)state;
    static const struct mail mails[] = {
        {{FROM, {"subject", "Abmelden"}}, {{0, "text/plain", "x\n"}}, "anna@stadt.example", 0},
        {{FROM, {"subject", "AW: Re: abmelden"}}, {{0, NULL, NULL}}, "anna@stadt.example", 0},
        {{FROM, RE, {"in-reply-to", "<" ID "@o.example>"}}, {{0, "text/plain", "abmelden\n"}}, "anna@stadt.example", 1},
        {{FROM, RE, {"references", "<x@y> <" ID "@o> <" ID "2@o> <ABC@o> <" ID ">"}, {"in-reply-to", "<" ID "@o>"}},
         {{0, "text/plain", "\n\nHallo,\n\nbitte abmelden\n"}},
         "anna@stadt.example",
         2},
        {{FROM, RE}, {{0, "text/plain", "> abmelden\n"}}, NULL, 0},
        {{FROM, RE}, {{0, "text/plain", "-- \nabmelden\n"}}, NULL, 0},
        {{FROM, RE}, {{0, "text/plain", "Danke schön\nabmelden\n"}}, NULL, 0},
        {{FROM, RE}, {{0, "text/html", "<p>Hallo,</p><p>abmelden</p>"}}, "anna@stadt.example", 0},
        {{FROM, RE, {"auto-submitted", "auto-replied"}}, {{0, "text/plain", "abmelden\n"}}, NULL, 0},
        {{FROM, RE, {"auto-submitted", "No"}}, {{0, "text/plain", "abmelden\n"}}, "anna@stadt.example", 0},
        {{FROM, RE, {"precedence", "Bulk"}}, {{0, "text/plain", "abmelden\n"}}, NULL, 0},
        {{FROM, RE, {"list-id", "<x.example>"}}, {{0, "text/plain", "abmelden\n"}}, NULL, 0},
        {{FROM, RE, {"return-path", "<>"}}, {{0, "text/plain", "abmelden\n"}}, NULL, 0},
        /* A name that looks like an address is none. */
        {{{"from", "\"bert@stadt.example\" <anna@stadt.example>"}, RE},
         {{0, "text/plain", "abmelden\n"}},
         "anna@stadt.example",
         0},
        {{{"subject", "abmelden"}}, {{0, NULL, NULL}}, "", 0},
        /* Forwarded. */
        {{{"from", "vera@o.example"}, {"subject", "Fwd: abmelden"}},
         {{0, "text/plain", "siehe unten\n"},
          {0, "message/rfc822", "From: Anna <anna@stadt.example>\nSubject: Re: Hallo\nIn-Reply-To: <" ID "@o>\n"},
          {1, "text/plain", "Bitte abmelden\n"}},
         "anna@stadt.example",
         1},
        {{{"from", "vera@o.example"}, {"subject", "Fwd: abmelden"}},
         {{0, "message/rfc822", "From: Anna <anna@stadt.example>\nSubject: abmelden\nAuto-Submitted: auto-replied\n"}},
         NULL,
         0},
        {{{"from", "vera@o.example"}, {"subject", "Fwd: abmelden"}},
         {{0, "message/rfc822", "From: Anna <anna@stadt.example>\nSubject: Hallo\n"}, {1, "text/plain", "Gern!\n"}},
         NULL,
         0},
        {{{"from", "vera@o.example"}, {"subject", "WG: Hallo"}},
         {{0, "text/plain",
           "Bitte erledigen\n\n-----Ursprüngliche Nachricht-----\nVon: Anna <anna@stadt.example>\nGesendet: gestern\n"
           "Betreff: AW: Hallo\n\nabmelden\n"}},
         "anna@stadt.example",
         0},
        {{{"from", "vera@o.example"}, {"subject", "Fwd: Bonjour"}},
         {{0, "text/plain", "Objet : désabonnement\nDate : hier\n*De :* anna@stadt.example\n\nMerci\n"}},
         "anna@stadt.example",
         0},
        {{{"from", "vera@o.example"}, {"subject", "Fwd: Hallo"}},
         {{0, "text/plain",
           "Anfang der weitergeleiteten Nachricht:\n\n> Von: Anna <anna@stadt.example>\n> Betreff: Aw: Hallo\n> Datum: "
           "gestern\n"
           ">\n> Bitte abmelden\n> \n>> Liebe Anna\n\nVera\n"}},
         "anna@stadt.example",
         0},
        {{{"from", "vera@o.example"}, {"subject", "Re: Hallo"}},
         {{0, "text/plain", "Gern!\n\n> Bitte abmelden steht darin.\n> Von: heute an\n> abmelden\n"}},
         NULL,
         0},
        /* An answer above our own mail is theirs. */
        {{FROM, RE},
         {{0, "text/plain",
           "Bitte abmelden\n\nVon: Koordinierung <office@o.example>\nBetreff: Hallo\n\nLiebe Anna, ein Workshop.\n"}},
         "anna@stadt.example",
         0},
        {{FROM, {"subject", "abmelden"}},
         {{0, "message/rfc822", "From: office@o.example\nSubject: Hallo\n"}, {1, "text/plain", "Workshop\n"}},
         "anna@stadt.example",
         0},
    };
    for (size_t i = 0; i < COUNT_OF(mails); i++) {
        AUTOBUF struct buf text = BUF_INIT(RECORD_MAX_BYTES);
        struct record r;
        CLEANUP(leaving_done) struct leaving l;
        record_print_head(&text);
        for (size_t k = 0; k < COUNT_OF(mails[i].fields) && mails[i].fields[k].name; k++)
            record_print_field(&text, view_of(mails[i].fields[k].name), view_of(mails[i].fields[k].value));
        for (size_t k = 0; k < COUNT_OF(mails[i].parts) && mails[i].parts[k].type; k++)
            record_print_part(&text, mails[i].parts[k].level, view_of(mails[i].parts[k].type),
                              view_of(mails[i].parts[k].text));
        record_print_end(&text);
        assert_int_equal(record_read(buf_view(&text), &r), 0);
        bool says = leaving_read(&r, &words, &l);
        if (says != (mails[i].address != NULL))
            fail_msg("mail %zu should %ssay so", i, mails[i].address ? "" : "not ");
        if (says && (!view_eq_str(l.address, mails[i].address) || l.message_count != mails[i].messages))
            fail_msg("mail %zu: %.*s, %zu", i, (int)l.address.len, l.address.ptr, l.message_count);
    }
}

static void the_latest_message_ids_are_kept(void **state) {
    (void)state;
    AUTOBUF struct buf text = BUF_INIT(RECORD_MAX_BYTES), ids = BUF_INIT(RECORD_VALUE_MAX_BYTES);
    struct record r;
    CLEANUP(leaving_done) struct leaving l;
    for (int i = 0; i < 20; i++)
        buf_printf(&ids, "<%caaaaaaaaaaaaaaaaaaaaaaaaa@o.example> ", 'a' + i);
    record_print_head(&text);
    record_print_field(&text, VIEW("references"), buf_view(&ids));
    record_print_field(&text, VIEW("subject"), VIEW("stop"));
    record_print_end(&text);
    assert_int_equal(record_read(buf_view(&text), &r), 0);
    assert_true(leaving_read(&r, &words, &l));
    assert_int_equal(l.message_count, LEAVING_MESSAGES_MAX);
    assert_int_equal(l.messages[0].ptr[0], 'a' + 10);
    assert_int_equal(l.messages[LEAVING_MESSAGES_MAX - 1].ptr[0], 'a' + 19);
}

#define TOKEN                                                                                                          \
    "AQEBAAAAAQAAAAAAAAAB0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-0123456789abcdefghijklmn"

static void quoted_tokens_are_found(void **state) {
    (void)state;
    AUTOBUF struct buf text = BUF_INIT(RECORD_MAX_BYTES);
    struct record r;
    struct view token, announcement;
    size_t cursor = 0, found = 0;
    record_print_head(&text);
    record_print_part(&text, 0, VIEW("text/plain"), VIEW("stop\n> https://o.example/u/" TOKEN "/12/de\n"));
    record_print_part(&text, 0, VIEW("text/html"), VIEW("<a href='/u/" TOKEN "'>/u/short</a>"));
    record_print_end(&text);
    assert_int_equal(record_read(buf_view(&text), &r), 0);
    while ((token = leaving_next_token(&r, &cursor, &announcement)).ptr) {
        assert_true(view_eq_str(token, TOKEN));
        assert_true(view_eq_str(announcement, found++ ? "" : "12"));
    }
    assert_int_equal(found, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_say_so_or_not),
        cmocka_unit_test(mails_say_who),
        cmocka_unit_test(the_latest_message_ids_are_kept),
        cmocka_unit_test(quoted_tokens_are_found),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

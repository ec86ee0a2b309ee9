/* What is said of whom, in whatever words: one of the things that a system may name beside one of the states that it may
 * be in, "the mailbox of that person could not be found". Languages vary such sentences more than a table of phrases
 * can hold. This stands behind that table, and what would be worse to get wrong stands first. */
#include "base/cleanup.h"
#include "mail/bounce_inside.h"

#include "base/banned.h"

#define R(name) BOUNCE_REASON_##name

enum { COMBINATION_GAP = 60, CONTEXT_BYTES = 120, WORDS_MAX = 72, SAYS_SOMETHING_LETTERS = 8 };

/* Where one of `not_with` stands near them, nothing is said of the recipient. Folded; NULL ends a list. */
struct combination {
    enum bounce_reason reason;
    bool any_order; /* the state may stand before the thing, too */
    const char *things[WORDS_MAX], *states[WORDS_MAX], *not_with[WORDS_MAX];
};

#define OF_US                                                                                                          \
    "sender", "mail from", "from address", "return address", "return path", "return-path", "originator",               \
        "your address", "your email", "your e-mail", "your account", "your domain", "your host", "your server",        \
        "your ip", "helo", "ehlo", "client", "header", "relay", "absender", "expediteur", "mittente", "nadawc",        \
        "отправител", "відправник", "発信者", "差出人"
#define PEOPLE                                                                                                         \
    "user", "mailbox", "mail box", "mail-box", "account", "recipient", "rcpt", "address", "addressee", "alias",        \
        "person", "local part", "local-part", "localpart", "customer", "subscriber", "member", "inbox", "userid",      \
        "destination", "employee", "contact you", "e-mail", "email"

static const struct combination combinations[] = {
    {R(MAILBOX_FULL),
     true,
     {"mailbox", "mail box", "inbox", "maildir", "mail folder", "mail spool", "account", "quota", "storage", "disk",
      "user's box", "recipient"},
     {"is full",           "are full",         " full.",          " full)",
      "exceeded",          "exceeds",          "exhausted",       "reached the limit",
      "reached its limit", "over limit",       "over the limit",  "no space",
      "no room",           "not enough space", "not enough room", "insufficient space",
      "out of space",      "limit of",         "overflow",        "cannot hold",
      "can't hold"},
     {OF_US, "per hour", "per minute", "per day", "connection", "rate", "recipients", "recipient limit", "sending",
      "message size", "size limit", "hop", "attachment"}},
    {R(SUSPENDED),
     false,
     {"account", "mailbox", "inbox", "user", "recipient", "customer", "domain is", "domain has"},
     {"disabled", "suspended", "deactivated", "inactive", "locked", "frozen", "expired", "closed", "terminated",
      "cancelled", "canceled", "discontinued", "not active", "no longer active", "retired", "dormant", "archived",
      "account blocked", "been blocked"},
     {OF_US, "spam", "content", "attachment", "list", "connection", "policy", "virus"}},
    {R(USER_UNKNOWN),
     false,
     {PEOPLE},
     {" unknown",
      "not known",
      "n't known",
      "not found",
      "n't found",
      "not be found",
      "n't be found",
      "cannot be found",
      "not exist",
      "n't exist",
      "no longer exist",
      "nonexistent",
      "non-existent",
      "non existent",
      "not present",
      "not listed",
      "n't listed",
      " invalid",
      "not valid",
      "n't valid",
      "no longer valid",
      "no longer in use",
      "no longer on ",
      "no longer available",
      "no longer at ",
      "not recogni",
      "not registered",
      "not in my",
      "not in our",
      "not defined",
      "not local",
      "not hosted",
      "is wrong",
      "was deleted",
      "been deleted",
      "been removed",
      "cannot be verified",
      "does not have an account",
      "n't have an account",
      "has no mailbox",
      "has no account",
      "no longer with",
      "no longer here",
      "no longer work",
      "no longer accept",
      "no longer employ",
      "no longer active here",
      "no longer have",
      "has left",
      "not on this",
      "not on our",
      "not a local",
      "not one of our",
      "not ours",
      "not exists",
      "misspelled",
      "mistyped",
      "is incorrect",
      "deleted",
      "is correct"},
     {OF_US, "temporar", "try again", "timeout", "later", "message-id", "syntax", "lookup", "dns"}},
    {R(USER_UNKNOWN),
     false,
     {"no such",        "unknown",
      "invalid",        "nonexistent",
      "non-existent",   "non existent",
      "not a valid",    "not an existing",
      "not a known",    "not a registered",
      "no valid",       "wrong",
      "incorrect",      "undefined",
      "no person",      "nobody",
      "no user",        "no mailbox",
      "no account",     "there is no",
      "there's no",     "unrecogni",
      "illegal",        "not a current",
      "never heard of", "can't find",
      "cannot find",    "could not find",
      "couldn't find",  "unable to find",
      "cannot locate",  "unable to locate",
      "no valid",       "bad ",
      "check the",      "check if"},
     {PEOPLE, "by this name", "by that name", "of that name", "with that name", "here"},
     {OF_US, "domain", "temporar", "try again", "timeout", "later", "message-id", "syntax", "lookup", "dns",
      "recipients specified", "host", "route", "exchange", "spam", "policy", "block", "list"}},
    {R(HOST_UNKNOWN),
     false,
     {"domain", "hostname", "host name", "mail host", "host"},
     {" unknown", "not known", "not found", "not be found", "n't be found", "not exist", "n't exist", "no longer exist",
      "nonexistent", "non-existent", "not registered", "expired and", "no mail server"},
     {OF_US, "temporar", "try again", "timeout", "timed out", "later", "failure", "retry", "complete", "mailbox",
      " body", " link", " url", "said:", "user", "recipient"}},
    {R(HOST_UNKNOWN),
     false,
     {"no such",        "unknown",
      "nonexistent",    "non-existent",
      "non existent",   "invalid",
      "illegal",        "bad ",
      "unrouteable",    "unroutable",
      "no mail",        "no mx",
      "no valid mx",    "no a record",
      "can't find",     "cannot find",
      "couldn't find",  "could not find",
      "unable to find", "unable to locate",
      "cannot locate",  "no dns",
      "no working",     "no usable",
      "unresolvable",   "does not have a valid",
      "has no",         "has no valid",
      "without"},
     {"domain", "host", "mail exchange", "mx record", "mx host", "mail server", "mailserver", "mx for", "dns record",
      "a record", "site "},
     {OF_US,     "temporar", "try again", "timeout", "timed out", "later",  "failure", "retry",
      "soft",    "mailbox",  "user",      "ptr",     " body",     " link",  " url",    "responded",
      "reverse", "answer",   "connect",   "spf",     "dkim",      "policy", "block",   "list"}},

    /* Other languages. */
    {R(MAILBOX_FULL),
     true,
     {"postfach",       "mailbox", "speicher",   "boite", "casella", "buzon",  "caixa",  "cuenta",  "skrzynk",
      "postvak",        "quota",   "kontingent", "ящик",  "скриньк", "spazio", "espace", "espacio", "stockage",
      "メールボックス", "受信箱",  "容量",       "邮箱",  "郵箱",    "메일함", "사서함"},
     {"voll",     "uberful", "ueberful",    "ueberfuel",   "uberschritten", "ueberschritten", "erschopft", "pleine",
      "satur",    "depass",  "piena",       "esaurit",     "superat",       "llen",           "exced",     "cheia",
      "lotad",    "pelna",   "przepelnion", "przekroczon", " vol",          "переполн",       "заполнен",  "превыш",
      "いっぱい", "一杯",    "満杯",        "超過",        "超え",          "オーバー",       "満",        "满",
      "滿",       "不足",    "초과",        "가득"},
     {OF_US, "отправител", "absender", "nachrichtengross", "taille"}},
    {R(SUSPENDED),
     true,
     {"postfach",       "konto",   "benutzer",       "mailbox",     "empfanger", "boite",   "compte",     "casella",
      "account",        "utente",  "cuenta",         "buzon",       "usuario",   "conta",   "caixa",      "skrzynk",
      "ящик",           "аккаунт", "учетная запись", "пользовател", "скриньк",   "postvak", "アカウント", "ユーザ",
      "メールボックス", "邮箱",    "用户",           "帐号",        "账号"},
     {"deaktiviert", "gesperrt",  "inaktiv",     "geschlossen", "abgelaufen", "stillgelegt", "desactiv",   "suspendu",
      "ferme",       "bloque",    "disabilitat", "disattiv",    "disatttiv",  "sospes",      "bloccat",    "scadut",
      "suspendid",   "suspens",   "deshabilit",  "desativad",   "inactiv",    "inativ",      "expirad",    "zablokowan",
      "nieaktywn",   "zawieszon", "wylaczon",    "заблок",      "отключ",     "неактив",     "geblokkeer", "gedeactiv",
      "停止",        "凍結",      "冻结",        "停用",        "禁用",       "無効"},
     {OF_US, " ip", "spam", "virus", "spammer", "liste", "отправител"}},
    {R(USER_UNKNOWN),
     true,
     {"benutzer", "empfanger",   "empfaenger",   "postfach",   "adresse",    "adressat",       "konto",
      "mailbox",  "utilisateur", "destinataire", "boite",      "compte",     "utente",         "destinatar",
      "destin.",  "casella",     "indirizzo",    "usuario",    "cuenta",     "buzon",          "direccion",
      "casilla",  "utilizador",  "conta ",       "caixa",      "endereco",   "uzytkownik",     "odbiorc",
      "skrzynk",  "adres",       "gebruiker",    "ontvanger",  "postvak",    "пользовател",    "получател",
      "адресат",  "ящик",        "адрес",        "користувач", "одержувач",  "скриньк",        "учетн",
      "アドレス", "ユーザ",      "宛先",         "受信者",     "アカウント", "メールボックス", "邮箱",
      "收件人",   "用户",        "地址",         "郵箱",       "帐号",       "账号",           "사용자",
      "수신자",   "주소",        "計정",         "계정",       "modtager",   "mottaker",       "mottagare",
      "bruker",   "kayttaj",     "uzivatel",     "adresat",    "felhasznal", "kullanici",      "alici"},
     {"unbekannt",
      "nicht bekannt",
      "nicht gefunden",
      "existiert nicht",
      "existiert hier nicht",
      "nicht vorhanden",
      "gibt es nicht",
      "ungultig",
      "ungueltig",
      "inconnu",
      "inexistant",
      "introuvable",
      "n'existe",
      "invalide",
      "pas ete trouve",
      "inesistent",
      "sconosciut",
      "non esiste",
      "non trovat",
      "non valid",
      "non presente",
      "errat",
      "inexistente",
      "desconocid",
      "desconhecid",
      "no existe",
      "no encontrad",
      "no se encontr",
      "nao existe",
      "nao encontrad",
      "no es valid",
      "nie istnieje",
      "nieznan",
      "nie znalez",
      "nie ma ",
      "nieprawidlow",
      "onbekend",
      "bestaat niet",
      "niet gevonden",
      "ongeldig",
      "не существует",
      "не найден",
      "неизвест",
      "не зарегистр",
      "нет так",
      "не існує",
      "не знайден",
      "невідом",
      "存在しません",
      "存在しない",
      "見つかりません",
      "見つからない",
      "登録されていま",
      "ありません",
      "使われて",
      "不明",
      "不存在",
      "未找到",
      "找不到",
      "无效",
      "존재하지",
      "없",
      "ukendt",
      "bulunamadi",
      "neexist",
      "necunoscut",
      "finns inte",
      "ei loydy",
      "ukjent",
      "okand",
      "findes ikke",
      "finnes ikke"},
     {OF_US,        "remitente", "remetente", "afzender", "发件人", "發件人",    "ip-adress", "ip adress",
      "adresse ip", "domai",     "doman",     "domani",   "domini", "домен",     "voruberg",  "temporai",
      "temporan",   "tymczas",   "временн",   "тимчасов", "spater", "plus tard", "позже"}},
};

/* The word at or behind *at, whose end *at becomes. */
static bool next_of(struct view text, const char *word, size_t *at) {
    size_t place = view_search(view_slice(text, *at, text.len), view_of(word));
    if (*at + place >= text.len)
        return false;
    *at += place + strlen(word);
    return true;
}

static bool has_any(struct view text, const char *const words[WORDS_MAX]) {
    size_t at = 0;
    for (size_t i = 0; i < WORDS_MAX && words[i]; i++, at = 0)
        if (next_of(text, words[i], &at))
            return true;
    return false;
}

/* One of `first`, and one of `then` near behind it, where nothing near them says that they are of somebody else. */
static bool beside(struct view text, const char *const first[WORDS_MAX], const char *const then[WORDS_MAX],
                   const char *const not_with[WORDS_MAX]) {
    for (size_t i = 0; i < WORDS_MAX && first[i]; i++)
        for (size_t at = 0; next_of(text, first[i], &at);) {
            size_t from = at > CONTEXT_BYTES ? at - CONTEXT_BYTES : 0;
            if (has_any(view_slice(text, at, COMBINATION_GAP), then) &&
                !has_any(view_slice(text, from, at - from + CONTEXT_BYTES), not_with))
                return true;
        }
    return false;
}

int bounce_combination(struct view folded, bool of_recipient) {
    for (size_t i = 0; of_recipient && i < sizeof combinations / sizeof combinations[0]; i++) {
        const struct combination *c = &combinations[i];
        if (beside(folded, c->things, c->states, c->not_with) ||
            (c->any_order && beside(folded, c->states, c->things, c->not_with)))
            return (int)c->reason;
    }
    return -1;
}

/* What a reply must speak of, if its status code is to mean that there is no such person, or no such host. */
static const char *const of_people[WORDS_MAX] = {PEOPLE,     "recip",  "addr",    "mbox",      "usr",      "unknown",
                                                 "no such",  "nosuch", "exist",   "not found", "reject",   "adress",
                                                 "destinat", "utilis", "usuario", "utente",    "benutzer", "empf"};
static const char *const of_hosts[WORDS_MAX] = {"domain", "host", "mx",    "dns",  "name",    "address",
                                                "rout",   "site", "exist", "dom ", "unknown", "not found"};
static const char *const of_us[WORDS_MAX] = {OF_US};

bool bounce_fits_status(struct view folded, enum bounce_reason reason) {
    size_t letters = 0;
    for (size_t i = 0; i < folded.len; i++) {
        unsigned char c = (unsigned char)folded.ptr[i];
        if (c >= 0x80) /* in a language of which these words are none */
            return true;
        letters += c >= 'a' && c <= 'z';
    }
    if (letters < SAYS_SOMETHING_LETTERS)
        return true;
    if (reason == R(USER_UNKNOWN))
        return has_any(folded, of_people) && !has_any(folded, of_us);
    return reason != R(HOST_UNKNOWN) || has_any(folded, of_hosts);
}

/* Replies as mail systems and providers document them, and the class that a person would give them. Write
 * down what a new one means before the tables are widened for it: how many go wrong then is the measure of how general
 * they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "mail/bounce.h"
#include "mail/record.h"

#define HARD BOUNCE_HARD
#define SOFT BOUNCE_SOFT

static const struct {
    enum bounce_class class;
    const char *status, *reply;
} replies[] = {
    /* There is nobody: Postfix, sendmail, Exim, qmail, Courier. */
    {HARD, "5.1.1", "550 5.1.1 <a@b.example>: Recipient address rejected: User unknown in relay recipient table"},
    {HARD, "5.0.0", "550 <a@b.example>: Recipient address rejected: User unknown in local recipient table"},
    {HARD, "5.1.1", "550 5.1.1 <a@b.example>... User unknown"},
    {HARD, "5.0.0", "550 Unknown user"},
    {HARD, "5.0.0", "550 unrouteable address"},
    {HARD, "5.0.0", "550 No Such User Here"},
    {HARD, "5.0.0",
     "550 \"The recipient cannot be verified. Please check all recipients of this message to verify they "
     "are valid.\""},
    {HARD, "5.0.0", "554 sorry, no mailbox here by that name (#5.1.1 - chkusr)"},
    {HARD, "5.0.0", "511 sorry, no mailbox here by that name (#5.1.1 - chkuser)"},
    {HARD, "5.0.0", "550 User <a@b.example> unknown"},
    {HARD, "5.1.1", "550 5.1.1 unknown or illegal alias: a@b.example"},
    {HARD, "5.1.1", "550 5.1.1 <a@b.example> User doesn't exist: a@b.example"},
    {HARD, "5.7.1", "550 5.7.1 No such user!"},
    {HARD, "5.1.0", "550 5.1.0 Address rejected."},
    {HARD, "5.1.0", "5.1.0 - Unknown address error 550-'5.1.1 unknown user'"},
    {HARD, "5.0.0", "550 <a@b.example> No such user here"},
    {HARD, "5.1.1", "550 5.1.1 Addressee unknown"},
    {HARD, "5.0.0", "550 Addressee unknown"},
    {HARD, "5.0.0", "550 unavailable mail user"},
    {HARD, "5.0.0", "550 RCPT TO:<a@b.example> User unknown"},
    {HARD, "5.0.0", "550 not user of this server"},
    {HARD, "5.0.0", "550 local server don't exists that user"},
    {HARD, "5.0.0", "550 This recipient does not have an account here"},
    {HARD, "5.0.0", "550 That user does not exist on this server"},
    {HARD, "5.0.0", "550 There's no such mailbox a"},
    {HARD, "5.0.0", "550 The user you are trying to contact no longer exists"},
    {HARD, "5.0.0", "550 The address you are sending to isn't known here"},
    {HARD, "5.0.0", "550 mailbox for this address is not present"},
    {HARD, "5.0.0", "550 Username a is not known at this site"},
    {HARD, "5.0.0", "550 No person by this name works here"},
    {HARD, "5.0.0", "550 Email address could not be verified; there is no such account"},
    {HARD, "5.0.0", "550 recipient no longer on server: a@b.example"},
    {HARD, "5.0.0", "553 sorry, this recipient is not in my validrcptto list (#5.7.1)"},
    {HARD, "5.0.0", "553 5.3.0 <a@b.example>... Addressee unknown, relay=[192.0.2.1]"},
    {HARD, "5.0.0", "550 #5.1.0 Address rejected a@b.example"},
    {HARD, "5.0.0", "550 a@b.example is not a valid mailbox"},
    {HARD, "5.0.0", "501 #5.1.1 bad address a@b.example"},
    {HARD, "5.0.0", "550 <a@b.example> is not a valid email address here"},
    {HARD, "5.0.0", "550 Recipient <a@b.example> isn't listed in our directory"},
    {HARD, "5.0.0", "553 Unknown recipient or recipient not authorised to receive mail: no such mailbox"},
    /* Providers */
    {HARD, "5.1.1",
     "550-5.1.1 The email account that you tried to reach does not exist. Please try double-checking "
     "the recipient's email address for typos or unnecessary spaces. NoSuchUser - gsmtp"},
    {HARD, "5.0.0", "550 Requested action not taken: mailbox unavailable"},
    {HARD, "5.5.0", "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302)."},
    {HARD, "5.1.10",
     "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient a@b.example not found by SMTP address lookup"},
    {HARD, "5.1.1", "550 5.1.1 RESOLVER.ADR.ExRecipNotFound; not found"},
    {HARD, "5.4.1", "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)"},
    {HARD, "5.0.0",
     "554 delivery error: dd This user doesn't have a yahoo.com account (a@b.example) [0] - mta.example"},
    {HARD, "5.0.0", "554 delivery error: dd Requested mail action not taken: mailbox unavailable"},
    {HARD, "5.0.0", "552 1 Requested mail action aborted, mailbox not found"},
    {HARD, "5.1.1", "550 5.1.1 <a@b.example> recipient rejected. IB603c"},
    {HARD, "5.0.0", "550 Benutzer nicht bekannt/User unknown"},
    {HARD, "5.0.0", "550 Unknown local part a in <a@b.example>"},
    {HARD, "5.1.1", "550 5.1.1 user unknown"},
    {HARD, "5.0.0", "550 Mailbox not found. http://service.mail.example/cgi-bin/help?id=20022"},
    {HARD, "5.0.0", "550 Invalid User: a@b.example"},
    {HARD, "5.0.0", "550 User not found: a@b.example"},
    {HARD, "5.0.0", "550 invalid recipient <a@b.example>. Please contact the postmaster"},
    {HARD, "5.0.0",
     "550 Message was not accepted -- invalid mailbox.  Local mailbox a@b.example is unavailable: user "
     "not found"},
    {HARD, "5.1.1", "550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR_416 [416]"},
    {HARD, "5.1.1", "550 5.1.1 <a@b.example> Destinatario inesistente"},
    {HARD, "5.0.0", "550 Invalid Recipient - https://community.example/docs/DOC-1369#550"},
    {HARD, "5.0.0", "550 Recipient not found. <a@b.example>"},
    {HARD, "5.0.0", "550 5.1.1 The recipient address <a@b.example> was not found in the user directory"},
    {HARD, "5.0.0", "553 user not exist"},
    {HARD, "5.0.0", "550 Utilisateur inexistant"},
    {HARD, "5.0.0", "550 El destinatario no existe"},
    {HARD, "5.0.0", "550 El usuario no existe"},
    {HARD, "5.0.0", "550 O endereço de e-mail não existe"},
    {HARD, "5.0.0", "550 Der Empfänger existiert nicht"},
    {HARD, "5.0.0", "550 Diese E-Mail-Adresse ist nicht bekannt"},
    {HARD, "5.0.0", "550 Nie ma takiego konta"},
    {HARD, "5.0.0", "550 Такой почтовый ящик не существует"},
    {HARD, "5.0.0", "550 Такої поштової скриньки не існує"},
    {HARD, "5.0.0", "550 宛先のメールアドレスが見つかりません"},
    {HARD, "5.0.0", "550 邮箱不存在"},
    {HARD, "5.0.0", "550 Gebruiker onbekend"},
    {HARD, "5.0.0", "550 Brugeren findes ikke"},
    /* There is no such domain, or it takes no mail. */
    {HARD, "5.4.4", "Host or domain name not found. Name service error for name=b.example type=AAAA: Host not found"},
    {HARD, "5.1.2", "550 5.1.2 a@b.example... Host unknown (Name server: b.example: host not found)"},
    {HARD, "5.0.0", "unable to look up host b.example: nodename nor servname provided, or not known"},
    {HARD, "5.0.0", "Sorry, I couldn't find any host named b.example. (#5.1.2)"},
    {HARD, "5.0.0", "Unrouteable mail domain \"b.example\""},
    {HARD, "5.4.310", "550 5.4.310 DNS domain b.example does not exist [Message=InfoDomainNonexistent]"},
    {HARD, "5.0.0", "Domain b.example does not exist"},
    {HARD, "5.0.0", "The domain b.example could not be found. Please check for typos"},
    {HARD, "5.1.10", "556 5.1.10 Recipient address has null MX"},
    {HARD, "5.1.0", "Domain b.example does not accept mail (nullMX)"},
    {HARD, "5.1.6", "551 5.1.6 The mailbox has moved; please use c@d.example"},
    {HARD, "5.0.0", "551 User has moved; please try <c@d.example>"},
    /* Full. */
    {SOFT, "5.1.1", "552 5.2.2 Over STORAGE quota"},
    {SOFT, "5.1.1", "550 User has exhausted allowed storage space."},
    {SOFT, "5.0.0", "550 Benutzer hat das Speichervolumen ueberschritten. / User has exhausted allowed storage space."},
    {SOFT, "5.1.1", "550 The email account that you tried to reach is over quota and inactive. OverQuotaPerm"},
    {SOFT, "5.1.1",
     "554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException.MapiExceptionShutoffQuota"},
    {SOFT, "5.1.1", "550 The recipient has reached the limit of what the inbox can hold"},
    {SOFT, "5.1.0", "550 No room left in mailbox"},
    {SOFT, "5.1.1", "550 user's box has no space for more"},
    /* Closed. */
    {SOFT, "5.1.1", "550 The account a@b.example has been blocked for being idle"},
    {SOFT, "5.1.1", "554 delivery error: dd This account has been disabled or discontinued [#102]"},
    {SOFT, "5.1.1", "550 5.1.1 <a@b.example>: user is inactive"},
    {SOFT, "5.1.1", "550 Mailbox is inactive, address a@b.example"},
    {SOFT, "5.1.1", "550 5.1.1 The account was suspended by its provider"},
    {SOFT, "5.1.1", "550 user disabled for too long"},
    {SOFT, "5.1.1", "550 Account Closed"},
    {SOFT, "5.0.0", "550 : Recipient address rejected: Account Closed"},
    {SOFT, "5.0.0", "550 Mailbox expired"},
    {SOFT, "5.0.0", "550 5.1.1 recipient's mailbox is deactivated"},
    /* Policy, lists, spam. */
    {SOFT, "5.1.1", "550 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.example"},
    {SOFT, "5.1.1", "550 Administrative prohibition"},
    {SOFT, "5.1.0", "550 5.1.0 <us@o.example> sender rejected. AUP#CXSNDR"},
    {SOFT, "5.1.1", "554 5.7.1 Rejected by our recipient policy"},
    {SOFT, "5.1.1", "550 Message rejected because of unacceptable content"},
    {SOFT, "5.1.1", "550 High probability of spam"},
    {SOFT, "5.1.1", "550 Your mail has been identified as junk"},
    {SOFT, "5.1.1", "554 Refused. Your reverse DNS entry contains your IP address and a country code."},
    {SOFT, "5.1.1", "554 Email rejected due to security policies - MCSpamSignature.x"},
    {SOFT, "5.1.1", "550 Rejected by header based manually Blocked Senders"},
    {SOFT, "5.1.1", "550 csi.mimecast.org Poor Reputation Sender"},
    {SOFT, "5.1.1", "550 5.7.1 Your IP is listed by our system; see http://postmaster.example/"},
    {SOFT, "5.1.1", "550-Mail content denied. http://service.mail.example/cgi-bin/help?id=1000726"},
    {SOFT, "5.1.1", "550 DMARC check failed"},
    {SOFT, "5.1.0", "550 5.1.0 Sender unknown"},
    {SOFT, "5.1.1", "550 The sender's domain does not exist"},
    {SOFT, "5.1.1", "550 You must log in before sending to this recipient"},
    {SOFT, "5.1.1", "553 sorry, your mailserver is rejected by see http://spamcop.example"},
    {SOFT, "5.1.1", "550 Recipient only accepts mail from known contacts"},
    {SOFT, "5.1.1", "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required"},
    {SOFT, "5.1.1",
     "550 5.7.129 RESOLVER.RST.RestrictedToRecipientsPermission; not authorized to send to the recipient"},
    {SOFT, "5.1.1", "550 Message contains a URL that is listed"},
    {SOFT, "5.1.1", "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to user complaints"},
    {SOFT, "5.1.1", "550 permanent failure for one or more recipients (a@b.example:blocked)"},
    {SOFT, "5.1.2", "550 5.1.2 Traffic not accepted from this IP"},
    {SOFT, "5.1.1", "554 Denied [CS] (Mode: normal)"},
    {SOFT, "5.1.1", "550 Mail is rejected by recipients"},
    {SOFT, "5.1.1", "550 5.1.1 Mail refused by address a@b.example"},
    {SOFT, "5.1.1", "550 5.0.350 Remote server returned an error -> 550 Message quarantined"},
    {SOFT, "5.1.1", "550 Greylisted, please try again in 180 seconds"},
    {SOFT, "5.1.1", "550 Connection frequency limited"},
    {SOFT, "5.1.1", "550 Recipient limit exceeded"},
    {SOFT, "5.1.1", "550 relay not permitted"},
    {SOFT, "5.1.1", "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"},
    {SOFT, "5.1.3", "552 5.3.4 Message size exceeds file system imposed limit"},
    {SOFT, "5.1.1", "552 Message exceeded size limit"},
    {SOFT, "5.1.1", "554 Too many hops 27 (25 max)"},
    /* Time, network and system. */
    {SOFT, "5.1.1", "mail for b.example loops back to myself"},
    {SOFT, "5.1.2", "lowest numbered MX record points to local host"},
    {SOFT, "5.1.2", "host lookup did not complete"},
    {SOFT, "5.1.2", "CNAME lookup failed temporarily. (#4.4.3)"},
    {SOFT, "5.1.2",
     "451 4.4.4 Mail received as unauthenticated, incoming to a recipient domain that is not configured"},
    {SOFT, "5.1.1", "retry timeout exceeded"},
    {SOFT, "5.1.1", "connect to mx.b.example[192.0.2.1]:25: Connection refused"},
    {SOFT, "5.1.1", "550 4.4.7 QUEUE.Expired; message expired"},
    {SOFT, "5.1.1", "unable to deliver this message after 4 days"},
    {SOFT, "5.1.1", "554 Temporary local problem - please try later"},
    {SOFT, "5.1.1", "local delivery failed: cannot open mailbox file: Permission denied"},
    {SOFT, "5.1.1", "451 4.3.0 user database is unavailable; user unknown at the moment"},
    {SOFT, "5.1.1", "554 5.3.0 unknown mailer error 2"},
    {SOFT, "5.1.1", "451 Internal resource temporarily unavailable"},
    {SOFT, "5.1.2", "Name server timeout for b.example"},
    {SOFT, "5.1.2", "Temporary failure in name resolution, host not found"},

    /* A second hand, for what the first had not thought of. */
    {HARD, "5.1.1", "550 5.1.1 <a@b.example>: Email address could not be found, or was misspelled (G8)"},
    {HARD, "5.0.0", "550 5.1.1 unknown recipient <a@b.example> (in reply to RCPT TO command)"},
    {HARD, "5.0.0", "550 RCPT <a@b.example> is an unknown mailbox"},
    {HARD, "5.0.0", "550 cuda_nsu a@b.example: Recipient unknown"},
    {HARD, "5.0.0", "550 No such person at this address"},
    {HARD, "5.0.0", "550 Not a valid recipient: a@b.example"},
    {HARD, "5.0.0", "554 <a@b.example>: Recipient not in our list of valid users"},
    {HARD, "5.0.0", "550 this e-mail address has been deleted"},
    {HARD, "5.0.0", "550 Mailbox a does not belong to anyone here"},
    {HARD, "5.0.0", "550 we have no record of that mailbox"},
    {HARD, "5.0.0", "550 a@b.example...No such user (NOUSER)"},
    {HARD, "5.0.0", "550 I don't know that user"},
    {HARD, "5.0.0", "550 The person you are writing to has left the company; the mailbox no longer exists"},
    {HARD, "5.0.0", "553 Invalid recipient address a@b.example"},
    {HARD, "5.1.1", "550 5.1.1 Recipient rejected"},
    {HARD, "5.1.1", ""},
    {HARD, "5.1.3", "501 5.1.3 Bad recipient address syntax"},
    {HARD, "5.0.0", "550 <a@b.example>: no such customer"},
    {HARD, "5.0.0", "550 [SUSPEND] Mailbox does not exist"},
    {HARD, "5.0.0", "550 5.2.0 No such mailbox"},
    {HARD, "5.0.0", "550 User a@b.example not listed in public Name & Address Book"},
    {HARD, "5.0.0", "554 5.1.1 Delivery failed: no such account on this domain"},
    {HARD, "5.0.0", "550 El buzón de destino no existe"},
    {HARD, "5.0.0", "550 Mailbox nicht vorhanden"},
    {HARD, "5.0.0", "550 L'utente a@b.example non è presente nel sistema"},
    {HARD, "5.0.0", "550 Compte inconnu"},
    {HARD, "5.0.0", "550 Nieznany odbiorca"},
    {HARD, "5.0.0", "550 Получатель с таким адресом неизвестен"},
    {HARD, "5.0.0", "550 お客様のアドレスは存在しないか、変更されています"},
    {HARD, "5.1.2", "550 Domain not found"},
    {HARD, "5.0.0", "Domain of the recipient does not resolve: no such domain"},
    {HARD, "5.4.4", "unable to route: no mail hosts for domain"},
    {HARD, "5.4.4", ""},
    {HARD, "5.0.0", "521 5.3.2 Server does not accept mail"},
    {SOFT, "5.1.1", "554 5.7.1 The message was rejected by our spam engine; see http://b.example"},
    {SOFT, "5.1.1", "550 Sorry, your letter looks like advertising"},
    {SOFT, "5.1.1", "550 Reverse lookup of your address failed"},
    {SOFT, "5.1.1", "550 SPF check: softfail"},
    {SOFT, "5.1.1", "550 Poor sender score"},
    {SOFT, "5.1.1", "550 Your server has been rejected for abuse"},
    {SOFT, "5.1.1", "550 JunkMail rejected - mail.example [192.0.2.1]:25 is in an RBL on rbl.example"},
    {SOFT, "5.1.1", "550 Verification failed for <us@o.example>"},
    {SOFT, "5.1.1", "550 Sender verify failed: no such user"},
    {SOFT, "5.1.8", "553 5.1.8 <us@o.example>... Domain of sender address us@o.example does not exist"},
    {SOFT, "5.1.1", "550 Envelope sender domain not found"},
    {SOFT, "5.1.1", "550 this user does not want mail from you"},
    {SOFT, "5.1.1", "550 Mailbox quota reached"},
    {SOFT, "5.1.1", "552 Account has no more space available"},
    {SOFT, "5.1.1", "550 recipient storage full, try again later"},
    {SOFT, "5.1.1", "550 User has been put on hold"},
    {SOFT, "5.1.1", "550 mailbox is currently locked by another process"},
    {SOFT, "5.1.1", "550 Account was closed at the customer's request"},
    {SOFT, "5.1.1", "550 service unpaid, mailbox off"},
    {SOFT, "5.2.1", "550 5.2.1 Mailbox unavailable"},
    {SOFT, "5.1.1", "554 Message refused: macro in document"},
    {SOFT, "5.1.1", "550 We do not accept mail that contains executable files"},
    {SOFT, "5.1.1", "550 maximum message length exceeded"},
    {SOFT, "5.1.1", "550 line too long"},
    {SOFT, "5.1.1", "550 Missing Message-ID header"},
    {SOFT, "5.1.1", "550 No valid From: header"},
    {SOFT, "5.1.1", "452 4.5.3 Your message has too many recipients"},
    {SOFT, "5.1.1", "421 Service not available, closing channel"},
    {SOFT, "5.1.1",
     "450 4.1.1 <a@b.example>: Recipient address rejected: unverified address: Address verification in progress"},
    {SOFT, "5.1.1", "550 backend server down"},
    {SOFT, "5.1.1", "550 LDAP lookup error"},
    {SOFT, "5.1.1", "550 disk write error"},
    {SOFT, "5.1.1", "550 Relaying denied. IP name lookup failed"},
    {SOFT, "5.1.2", "550 mail server loop: too many Received lines"},
    {SOFT, "5.1.2", "SMTP connection to mail.b.example failed: no response"},
    {SOFT, "5.1.2", "all mail exchangers of b.example are down"},
    {SOFT, "5.1.2", "connection closed by remote host"},
    {SOFT, "5.1.1", "TLS required but not offered by host"},
};

static enum bounce_class class_of(const char *status, const char *reply) {
    AUTOBUF struct buf text = BUF_INIT(RECORD_MAX_BYTES), part = BUF_INIT(4096);
    struct record *r = malloc(sizeof *r);
    struct bounce *b = malloc(sizeof *b);
    assert_non_null(r);
    assert_non_null(b);
    buf_printf(&part,
               "Reporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; a@b.example\nAction: failed\nStatus: %s\n"
               "Diagnostic-Code: smtp; %s\n",
               status, reply);
    record_print_head(&text);
    record_print_field(&text, VIEW("from"), VIEW("MAILER-DAEMON@mx.example"));
    record_print_part(&text, 0, VIEW("message/delivery-status"), buf_view(&part));
    record_print_end(&text);
    assert_int_equal(record_read(buf_view(&text), r), 0);
    bounce_read(r, b);
    enum bounce_class class = b->reports[0].class;
    free(r);
    free(b);
    return class;
}

static void test_replies(void **state) {
    (void)state;
    unsigned wrong = 0;
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        enum bounce_class class = class_of(replies[i].status, replies[i].reply);
        if (class != replies[i].class) {
            wrong++;
            print_message("%s %s: %s\n", bounce_class_name(class), replies[i].status, replies[i].reply);
        }
    }
    if (wrong)
        fail_msg("%u of %zu replies", wrong, sizeof replies / sizeof replies[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_replies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

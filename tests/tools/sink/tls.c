#include "tls.h"
#include "command.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

static SSL_CTX *tls;

bool tls_ready(void) {
    return tls != NULL;
}

bool tls_wants(struct conn *c, int r) {
    int e = SSL_get_error(c->ssl, r);
    ERR_clear_error();
    if (e == SSL_ERROR_WANT_WRITE)
        conn_watch(c, EPOLLIN | EPOLLOUT);
    return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE;
}

void tls_begin(struct conn *c) {
    c->ssl = need(SSL_new(tls));
    SSL_set_fd(c->ssl, c->fd);
    SSL_set_accept_state(c->ssl);
    c->handshake = true;
    c->in.len = 0;
}

void tls_step(struct conn *c) {
    int r = SSL_accept(c->ssl);
    if (r == 1) {
        c->handshake = false;
        c->tls = true;
        counts.tls++;
        if (opt.smtps)
            command_greet(c);
    } else if (!tls_wants(c, r)) {
        conn_drop(c);
    }
}

/* 1 read, 0 nothing more now, -1 over. */
static void write_pem(const char *dir, const char *name, EVP_PKEY *key, X509 *cert) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "we");
    if (!f || (key ? PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) : PEM_write_X509(f, cert)) != 1 ||
        fclose(f) != 0)
        die("%s: %s", path, strerror(errno));
}

static X509 *make_x509(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, int nid,
                       const char *value) {
    X509 *x = need(X509_new());
    X509_NAME *subject = X509_get_subject_name(x);
    X509V3_CTX context;
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), issuer ? 2 : 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -86400);
    X509_gmtime_adj(X509_getm_notAfter(x), 30 * 86400L);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : subject);
    X509_set_pubkey(x, key);
    X509V3_set_ctx(&context, issuer ? issuer : x, x, NULL, NULL, 0);
    X509_EXTENSION *e = need(X509V3_EXT_conf_nid(NULL, &context, nid, value));
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    if (!X509_sign(x, issuer_key, EVP_sha256()))
        die("cannot sign a certificate");
    return x;
}

void tls_make_cert(const char *dir) {
    EVP_PKEY *ca_key = need(EVP_EC_gen("P-256")), *key = need(EVP_EC_gen("P-256"));
    X509 *ca = make_x509("Test CA", ca_key, NULL, ca_key, NID_basic_constraints, "critical,CA:TRUE");
    X509 *cert = make_x509("localhost", key, ca, ca_key, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    write_pem(dir, "ca.pem", NULL, ca);
    write_pem(dir, "cert.pem", NULL, cert);
    write_pem(dir, "key.pem", key, NULL);
    exit(0);
}

void tls_start(void) {
    if (!opt.cert || !opt.key)
        return;
    tls = need(SSL_CTX_new(TLS_server_method()));
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (SSL_CTX_use_certificate_chain_file(tls, opt.cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, opt.key, SSL_FILETYPE_PEM) != 1)
        die("cannot use %s and %s", opt.cert, opt.key);
}

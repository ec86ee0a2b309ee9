/* TLS for the sink, and certificates for tests. */
#pragma once
#include "conn.h"

/* Reads certificate and key, where there are any. */
void tls_start(void);
bool tls_ready(void);
void tls_begin(struct conn *c);
/* Goes on with the handshake. */
void tls_step(struct conn *c);
/* After a call that returned r: whether it only waits for the socket. */
bool tls_wants(struct conn *c, int r);
/* Writes ca.pem, cert.pem and key.pem into the folder, and ends the program. */
void tls_make_cert(const char *dir);

/* LMTP for a mail system on listening sockets: each connection has a thread (door/lmtp.h) and a door of its own, so that
 * configuration, words and keys are those of the time when it began; they share the readers of mails and whoever makes
 * requests durable. LMTP_CONNECTIONS_MAX at a time; who comes then waits in the socket's queue.
 *
 * MEMORY  for each connection a mail as far as it is looked at, its record and its requests, at most 10 MB; what the
 *         children of inbound/reader.h may take comes on top of it. */
#pragma once

struct conf;
struct why;

enum { LMTP_CONNECTIONS_MAX = 20 };

struct lmtp_server;

/* The configuration as it is now; NULL where it cannot be read, which was said. The caller's, for conf_unref(). */
typedef struct conf *lmtp_on_conf(void *user);

/* folder: where requests go. */
int lmtp_server_new(const char *folder, lmtp_on_conf *on_conf, void *user, struct why *why, struct lmtp_server **ret);
/* Serves until SIGTERM or SIGINT comes, which are taken care of here; then no connection begins, a message that is whole is
 * taken and answered, and the connections end. */
int lmtp_server_run(struct lmtp_server *s, int first, int count, struct why *why);
struct lmtp_server *lmtp_server_free(struct lmtp_server *s);

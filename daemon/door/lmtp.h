/* LMTP (RFC 2033) for the mail door, on two descriptors, until the client goes: one connection, one process, no store.
 * Each recipient has a reply of its own behind the message, 250 only when its request is durable.
 *
 * LIMITS  lines of 2000 bytes, LMTP_RECIPIENTS_MAX recipients for each message, LMTP_WAIT_SECONDS without a byte. Of a
 *         message READER_MAIL_MAX_BYTES are kept, and all of it is taken. */
#pragma once

struct mail_door;

enum { LMTP_RECIPIENTS_MAX = 100, LMTP_WAIT_SECONDS = 300, LMTP_LINE_MAX_BYTES = 2000 };

/* 0 when the client has said QUIT or has gone; a negative errno where the connection failed. */
int lmtp_serve(struct mail_door *door, int in, int out);

/* The write-ahead log that an earlier process left.
 *
 * After an fsync that failed, the kernel may count pages as written that never reached the disk, and a later fsync says
 * that all is well. In one process SQLite is safe from that: a transaction that could not be synced is rolled back, and
 * whatever comes next is written over it, whole. But a process that ends after such a failure leaves a log that reads
 * well, out of memory, and may have holes on the disk. The next process would go on behind them, and a power cut would
 * take everything from the first hole on. */
#pragma once

/* Writes PATH-wal over itself as it reads, and syncs it and its folder: what is read is then what is on the disk. Only
 * where this process holds the database's lock, and before anything is written to it. 0 where there is none. */
int wal_settle(const char *path);

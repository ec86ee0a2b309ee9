/* backup: the daemon hands over a sound copy of its store; here it becomes a durable file, whole or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/number.h"
#include "cli/client.h"
#include "cli/verb.h"

#include "base/banned.h"

/* A big store is copied and read through before its first octet comes. */
static const int64_t silence_usec = 60 * USEC_PER_MIN;

struct backup {
    const char *path, *name; /* name: its last part */
    char temporary[NAME_MAX + 1];
    int folder, fd;
    uint64_t bytes;
    int error; /* of writing */
};

static int fail(struct cli *cli, const struct backup *b, int error, const char *todo) {
    struct why why;
    bool is_there = error == -EEXIST;
    (void)why_set(&why, error, is_there ? "this file is there already" : "cannot write the backup: %s",
                  strerror(-error));
    why_where(&why, "%s", b->path);
    if (is_there || todo)
        why_todo(&why, "%s", is_there ? "Choose another name: a backup replaces nothing" : todo);
    return cli_fail(cli, EX_CANTCREAT, &why);
}

static int on_piece(void *user, struct view piece) {
    struct backup *b = user;
    b->error = files_write_all(b->fd, piece.ptr, piece.len);
    b->bytes += piece.len;
    return b->error;
}

/* The folder, and a new file in it for its owner only. */
static int begin(struct backup *b) {
    const char *slash = strrchr(b->path, '/');
    char folder[PATH_MAX] = ".";
    uint64_t random = 0;
    b->name = slash ? slash + 1 : b->path;
    size_t len = slash == b->path ? 1 : slash ? (size_t)(slash - b->path) : 0;
    if (len >= sizeof folder)
        return -ENAMETOOLONG;
    if (!b->name[0])
        return -EISDIR;
    if (slash) {
        memcpy(folder, b->path, len);
        folder[len] = '\0';
    }
    b->folder = files_open_dir(AT_FDCWD, folder);
    if (b->folder < 0)
        return b->folder;
    if (faccessat(b->folder, b->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return -EEXIST;
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        return -EIO;
    if (snprintf(b->temporary, sizeof b->temporary, ".%s.%016llx", b->name, (unsigned long long)random) >=
        (int)sizeof b->temporary)
        return -ENAMETOOLONG;
    b->fd = openat(b->folder, b->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return b->fd < 0 ? -errno : 0;
}

static int finish(struct backup *b) {
    if (fsync(b->fd) < 0 || renameat2(b->folder, b->temporary, b->folder, b->name, RENAME_NOREPLACE) < 0)
        return -errno;
    return files_fsync_dir(b->folder);
}

static int fetch(struct cli *cli, struct backup *b) {
    const struct http_client_request request = {
        .method = "GET", .path = "/v1/backup", .silence_max_usec = silence_usec, .on_data = on_piece, .user = b};
    json_t *answer = NULL;
    int code = client_call(cli, &request, &answer, NULL);
    json_decref(answer);
    if (b->error < 0)
        return fail(cli, b, b->error, b->error == -ENOSPC ? "Free space there, or choose another disk" : NULL);
    if (code != EX_OK)
        return code;
    int r = finish(b);
    return r < 0 ? fail(cli, b, r, NULL) : EX_OK;
}

static int say(struct cli *cli, const struct backup *b) {
    if (cli->json) {
        json_t *document = json_pack("{s:s, s:I}", "file", b->path, "bytes", (json_int_t)b->bytes);
        int code = document ? client_print(cli, document) : EX_OSERR;
        json_decref(document);
        return code;
    }
    (void)fprintf(cli->out,
                  "%s: the store, %llu KiB, read through and found sound.\n"
                  "Keep it where nobody else can read it, with copies of the keys and the configuration.\n",
                  b->path, (unsigned long long)(b->bytes + 1023) / 1024);
    return EX_OK;
}

int verb_backup(struct cli *cli, int argc, char **argv) {
    int count = cli_options(cli, argc, argv, NULL, 0);
    if (count != 1)
        return count < 0 ? EX_USAGE : cli_refuse(cli, EX_USAGE, "into which file?", "rundbrief backup FILE");
    struct backup b = {.path = argv[0], .folder = -1, .fd = -1};
    int r = begin(&b);
    int code = r < 0 ? fail(cli, &b, r, NULL) : fetch(cli, &b);
    if (code != EX_OK && b.fd >= 0)
        (void)unlinkat(b.folder, b.temporary, 0); /* gone already where only the folder could not be synced */
    if (b.fd >= 0)
        (void)close(b.fd); /* synced, or given up */
    if (b.folder >= 0)
        (void)close(b.folder); /* only read */
    return code == EX_OK ? say(cli, &b) : code;
}

/* Only the daemon's program opens the store: it is beside this one, or in the sbin beside this one's bin. */
static int find_daemon(char ret[PATH_MAX]) {
    static const char *const places[] = {"rundbriefd", "../sbin/rundbriefd"};
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return -ENOENT;
    self[n] = '\0';
    *strrchr(self, '/') = '\0'; /* an absolute path */
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (snprintf(ret, PATH_MAX, "%s/%s", self, places[i]) < PATH_MAX && access(ret, X_OK) == 0)
            return 0;
    return -ENOENT;
}

int verb_restore(struct cli *cli, int argc, char **argv) {
    struct cli_option o[] = {{.name = "--yes"}};
    char program[PATH_MAX];
    int count = cli_options(cli, argc, argv, o, 1);
    if (count < 0)
        return EX_USAGE;
    if (count != 1)
        return cli_refuse(cli, EX_USAGE, "which backup?", "rundbrief restore FILE [--yes]");
    if (find_daemon(program) < 0)
        return cli_refuse(cli, EX_UNAVAILABLE, "rundbriefd, which restores, is not beside this program",
                          "Run: rundbriefd --restore FILE");
    const char *arguments[8] = {program, "--config", cli->config_path, "--restore", argv[0]};
    size_t n = 5;
    if (o[0].value)
        arguments[n++] = "--yes";
    if (cli->json)
        arguments[n++] = "--json";
    (void)execv(program, (char *const *)arguments); /* returns only where it fails */
    return cli_refuse(cli, EX_OSERR, "cannot run rundbriefd", "Run: rundbriefd --restore FILE");
}

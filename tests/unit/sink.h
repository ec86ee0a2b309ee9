/* The tests' SMTP server (tests/tools/sink) as a child of a unit test. */
#pragma once
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SINK_ARGS_MAX 40

struct sink {
    pid_t pid;
    uint16_t port;
    FILE *out;
    char counts[1000]; /* the JSON it ends with */
};

/* build/[VARIANT/]tools/sink beside build/[VARIANT/]unit/test_x. */
static inline const char *sink_path(void) {
    static char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 32);
    assert(n > 0);
    path[n] = '\0';
    *strrchr(path, '/') = '\0';
    char *folder = strrchr(path, '/');
    memcpy(folder, "/tools/sink", sizeof "/tools/sink");
    if (access(path, X_OK) < 0) {
        fprintf(stderr, "%s is missing: run make tools\n", path);
        abort();
    }
    return path;
}

/* args end with NULL. */
static inline void sink_start(struct sink *s, const char *const *args) {
    const char *argv[SINK_ARGS_MAX + 3] = {sink_path(), "--die-with-parent"};
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        abort();
    for (int i = 0; args[i]; i++) {
        assert(i < SINK_ARGS_MAX);
        argv[i + 2] = args[i];
    }
    s->pid = fork();
    assert(s->pid >= 0);
    if (s->pid == 0) {
        (void)dup2(fds[1], STDOUT_FILENO);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(fds[1]);
    s->out = fdopen(fds[0], "r");
    char line[64] = "";
    int port = 0;
    if (!fgets(line, sizeof line, s->out) || sscanf(line, "port %d", &port) != 1)
        abort();
    s->port = (uint16_t)port;
}

static inline void sink_stop(struct sink *s) {
    if (s->pid <= 0)
        return;
    kill(s->pid, SIGTERM);
    s->counts[0] = '\0';
    while (fgets(s->counts, sizeof s->counts, s->out))
        ;
    fclose(s->out);
    int status;
    while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
        ;
    s->pid = 0;
}

/* A number of the counts, after sink_stop(). */
static inline long sink_count(const struct sink *s, const char *name) {
    char key[64];
    (void)snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = strstr(s->counts, key);
    return at ? strtol(at + strlen(key), NULL, 10) : -1;
}

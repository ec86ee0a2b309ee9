#include "inbound/sandbox.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"

#include "base/banned.h"

/* A sanitizer reserves terabytes of address space and looks around in /proc. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WATCHED 1
#endif
#endif
#ifndef WATCHED
#define WATCHED 0
#endif

static int limit(void) {
    const struct {
        __rlimit_resource_t resource;
        rlim_t value;
    } limits[] = {
        {RLIMIT_AS, WATCHED ? RLIM_INFINITY : SANDBOX_MEMORY_BYTES},
        {RLIMIT_CPU, SANDBOX_CPU_SECONDS},
        {RLIMIT_FSIZE, SANDBOX_OUTPUT_BYTES},
        {RLIMIT_CORE, 0},
    };
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        struct rlimit l = {limits[i].value, limits[i].value};
        if (setrlimit(limits[i].resource, &l) < 0)
            return -errno;
    }
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

static int add_rules(scmp_filter_ctx filter) {
    static const int allowed[] = {
        SCMP_SYS(read),         SCMP_SYS(write),        SCMP_SYS(close),
        SCMP_SYS(lseek),        SCMP_SYS(fstat),        SCMP_SYS(brk),
        SCMP_SYS(mremap),       SCMP_SYS(munmap),       SCMP_SYS(madvise),
        SCMP_SYS(futex),        SCMP_SYS(getrandom),    SCMP_SYS(clock_gettime),
        SCMP_SYS(gettimeofday), SCMP_SYS(rt_sigreturn), SCMP_SYS(exit),
        SCMP_SYS(exit_group),   SCMP_SYS(sched_yield),  SCMP_SYS(rt_sigprocmask),
        SCMP_SYS(getpid),       SCMP_SYS(gettid),       SCMP_SYS(restart_syscall),
    };
    static const int refused[] = {SCMP_SYS(open),       SCMP_SYS(openat),   SCMP_SYS(access), SCMP_SYS(stat),
                                  SCMP_SYS(newfstatat), SCMP_SYS(readlink), SCMP_SYS(statx),  SCMP_SYS(getcwd)};
    int r = 0;
    for (size_t i = 0; r == 0 && i < COUNT_OF(allowed); i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    for (size_t i = 0; r == 0 && i < COUNT_OF(refused); i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), refused[i], 0);
    /* Memory, but none that can be executed. */
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, 0x4, 0));
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, 0x4, 0));
    /* abort() says so by a signal to itself, which ends it in any case. */
    if (r == 0 && WATCHED) {
        static const int of_sanitizers[] = {SCMP_SYS(sigaltstack), SCMP_SYS(rt_sigaction), SCMP_SYS(prctl),
                                            SCMP_SYS(getrlimit),   SCMP_SYS(prlimit64),    SCMP_SYS(sched_getaffinity)};
        for (size_t i = 0; r == 0 && i < COUNT_OF(of_sanitizers); i++)
            r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, of_sanitizers[i], 0);
    }
    return r;
}

/* The rules as seccomp_load() would give them to the kernel. */
static int take_rules(scmp_filter_ctx filter, struct sandbox *ret) {
    AUTOCLOSE int fd = memfd_create("rules", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = seccomp_export_bpf(filter, fd);
    off_t len = r < 0 ? 0 : lseek(fd, 0, SEEK_END);
    if (r < 0 || len <= 0)
        return r < 0 ? r : -EIO;
    AUTOFREE void *rules = malloc((size_t)len);
    if (!rules || pread(fd, rules, (size_t)len, 0) != len)
        return rules ? -EIO : -ENOMEM;
    *ret = (struct sandbox){rules, (size_t)len / sizeof(struct sock_filter)};
    rules = NULL;
    return 0;
}

int sandbox_make(struct sandbox *ret) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter)
        return -ENOMEM;
    int r = add_rules(filter);
    if (r == 0)
        r = take_rules(filter, ret);
    seccomp_release(filter);
    return r;
}

int sandbox_enter(const struct sandbox *s) {
    const struct sock_fprog rules = {(unsigned short)s->count, s->rules};
    int r = limit();
    if (r < 0)
        return r;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &rules) < 0 ? -errno : 0;
}

void sandbox_done(struct sandbox *s) {
    free(s->rules);
    *s = (struct sandbox){0};
}

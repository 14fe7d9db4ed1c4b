#define _GNU_SOURCE
#include "CLinux.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

// glibc's own headers of this age may lack these.
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

static int close_range_of(unsigned first, unsigned last, unsigned flags) {
    return (int)syscall(SYS_close_range, first, last, flags);
}

// The descriptors above `first` one by one, as procfs lists them; nothing else may have been put in its place. Without
// procfs every number that the limit allows. No allocation: it runs between clone and exec.
static int close_on_exec_each(int first) {
    int directory = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct statfs place;
    if (directory >= 0 && fstatfs(directory, &place) == 0 && place.f_type == PROC_SUPER_MAGIC) {
        char space[4096] __attribute__((aligned(8)));
        long count;
        while ((count = syscall(SYS_getdents64, directory, space, sizeof space)) > 0) {
            for (long at = 0; at < count;) {
                // struct linux_dirent64: inode, offset, length, type, name.
                unsigned short length;
                memcpy(&length, space + at + 16, sizeof length);
                const char *name = space + at + 19;
                at += length;
                int number = 0;
                while (*name >= '0' && *name <= '9') number = number * 10 + (*name++ - '0');
                if (*name == 0 && number >= first) fcntl(number, F_SETFD, FD_CLOEXEC);
            }
        }
        close(directory);
        if (count == 0) return 0;
    } else if (directory >= 0) {
        close(directory);
    }
    struct rlimit limit;
    // Descriptors from before the limit was lowered may lie above it.
    rlim_t last = 1 << 16;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max != RLIM_INFINITY && limit.rlim_max > last) {
        last = limit.rlim_max;
    }
    if (last > 1 << 20) last = 1 << 20;
    for (int number = first; number < (int)last; number++) fcntl(number, F_SETFD, FD_CLOEXEC);
    return 0;
}

int clinux_close_on_exec_from(int first) {
    if (close_range_of((unsigned)first, ~0u, CLOSE_RANGE_CLOEXEC) == 0) return 0;
    // Linux 5.9 has the call without this flag; filters around us may answer EPERM.
    if (errno != EINVAL && errno != ENOSYS && errno != EPERM) return -errno;
    return close_on_exec_each(first);
}

int clinux_become_subreaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

// The signal by which the monitor asks init to pass another one on (its number is the value). A real-time signal,
// because SIGKILL and SIGSTOP sent to init itself could not be caught.
static int forwarding_signal(void) { return SIGRTMIN + 1; }

int clinux_forward_signal(pid_t init, int signal) {
    union sigval value = {.sival_int = signal};
    return sigqueue(init, forwarding_signal(), value);
}

pid_t clinux_fork(void) { return fork(); }

int clinux_close_from(int first) { return close_range_of((unsigned)first, ~0u, 0); }

void clinux_ignore_hangups(void) {
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
}

int clinux_secret_memory(void) { return memfd_create("rondo-secrets", MFD_CLOEXEC); }

pid_t clinux_spawn_with(const char *executable, char *const *arguments, const int *descriptors, int count) {
    int high[8];
    int made = 0;
    int failure = count > 8 ? EINVAL : 0;
    // Above the numbers that the child uses, so that no dup2 overwrites a source of a later one.
    for (; failure == 0 && made < count; made++)
        if ((high[made] = fcntl(descriptors[made], F_DUPFD_CLOEXEC, 16)) < 0) {
            failure = errno;
            break;
        }
    pid_t pid = -1;
    if (failure == 0) {
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attributes);
        for (int number = 0; number < count; number++)
            posix_spawn_file_actions_adddup2(&actions, high[number], number);
        posix_spawn_file_actions_addclosefrom_np(&actions, count);
        sigset_t none, all;
        sigemptyset(&none);
        sigfillset(&all);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &all);
        posix_spawnattr_setflags(
            &attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        char *environment[] = {NULL};
        failure = posix_spawn(&pid, executable, &actions, &attributes, arguments, environment);
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
    }
    while (made > 0) close(high[--made]);
    return failure ? -failure : pid;
}

pid_t clinux_spawn_monitor(const char *executable, char *const *arguments, int lock, int log, int secrets) {
    // Above the numbers that the child uses, so that no dup2 overwrites a source of a later one.
    int high_lock = fcntl(lock, F_DUPFD_CLOEXEC, 10);
    if (high_lock < 0) return -errno;
    int high_log = fcntl(log, F_DUPFD_CLOEXEC, 10);
    if (high_log < 0) {
        int saved = errno;
        close(high_lock);
        return -saved;
    }
    int high_secrets = -1;
    if (secrets >= 0 && (high_secrets = fcntl(secrets, F_DUPFD_CLOEXEC, 10)) < 0) {
        int saved = errno;
        close(high_lock);
        close(high_log);
        return -saved;
    }
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, high_log, 1);
    posix_spawn_file_actions_adddup2(&actions, high_log, 2);
    posix_spawn_file_actions_adddup2(&actions, high_lock, 3);
    if (high_secrets >= 0) posix_spawn_file_actions_adddup2(&actions, high_secrets, 4);
    posix_spawn_file_actions_addclosefrom_np(&actions, high_secrets >= 0 ? 5 : 4);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    char *environment[] = {NULL};
    pid_t pid = -1;
    int failure = posix_spawn(&pid, executable, &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(high_lock);
    close(high_log);
    if (high_secrets >= 0) close(high_secrets);
    return failure ? -failure : pid;
}

int clinux_report_channel(int *monitor_end, int *task_end) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return -1;
    int on = 1;
    if (setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0 || clinux_set_nonblocking(ends[0]) < 0) {
        int saved = errno;
        close(ends[0]);
        close(ends[1]);
        errno = saved;
        return -1;
    }
    *monitor_end = ends[0];
    *task_end = ends[1];
    return 0;
}

int clinux_receive_report(int channel, struct clinux_report *report, pid_t *sender) {
    struct iovec part = {.iov_base = report, .iov_len = sizeof *report};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t count;
    do count = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
    while (count < 0 && errno == EINTR);
    if (count < 0) return errno == EAGAIN ? 0 : -1;
    if (count != sizeof *report) return -1;
    *sender = 0;
    for (struct cmsghdr *item = CMSG_FIRSTHDR(&message); item; item = CMSG_NXTHDR(&message, item)) {
        if (item->cmsg_level == SOL_SOCKET && item->cmsg_type == SCM_CREDENTIALS) {
            struct ucred credentials;
            memcpy(&credentials, CMSG_DATA(item), sizeof credentials);
            *sender = credentials.pid;
        }
    }
    return 1;
}

void clinux_release_memory(void) {
    malloc_trim(0);
    const ElfW(Phdr) *header = (const ElfW(Phdr) *)getauxval(AT_PHDR);
    unsigned long count = getauxval(AT_PHNUM);
    if (!header) return;
    // Where the file is in memory: headers lie in its first mapping, and say where they are meant to be.
    ElfW(Addr) base = 0;
    for (unsigned long i = 0; i < count; i++) {
        if (header[i].p_type == PT_PHDR) base = (ElfW(Addr))header - header[i].p_vaddr;
    }
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (unsigned long i = 0; i < count; i++) {
        if (header[i].p_type != PT_LOAD || header[i].p_flags & PF_W) continue;
        uintptr_t first = (base + header[i].p_vaddr) & ~(page - 1);
        uintptr_t end = (base + header[i].p_vaddr + header[i].p_memsz) & ~(page - 1);
        if (end > first) madvise((void *)first, end - first, MADV_DONTNEED);
    }
}

// ---- the init of a task: no allocation, no locks, no Swift ----

static void tell(int report, uint32_t kind, uint32_t step, int32_t value) {
    struct clinux_report message = {.kind = kind, .step = step, .value = value};
    while (send(report, &message, sizeof message, MSG_NOSIGNAL) < 0 && errno == EINTR) {}
}

static _Noreturn void give_up(int report, uint32_t step) {
    tell(report, CLINUX_REPORT_FAILED, step, errno);
    _exit(127);
}

void clinux_reset_signals(void) {
    struct sigaction standard;
    memset(&standard, 0, sizeof standard);
    standard.sa_handler = SIG_DFL;
    for (int signal = 1; signal < NSIG; signal++) sigaction(signal, &standard, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

// As the task's user, in a directory of memory that is that user's.
static int write_secret(const char *path, const char *data, size_t length) {
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
    if (file < 0) return -1;
    while (length > 0) {
        ssize_t count = write(file, data, length);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return -1;
        data += count;
        length -= (size_t)count;
    }
    return close(file);
}

// As the task's user, who could make the same link.
static int link_secret(char *path, const char *target) {
    for (char *end = strchr(path + 1, '/'); end; end = strchr(end + 1, '/')) {
        *end = 0;
        int made = mkdir(path, 0755);
        *end = '/';
        if (made < 0 && errno != EEXIST) return -1;
    }
    return symlink(target, path);
}

// Variables are added to the environment in place: the memory stays mapped until exec has copied it.
static int take_secrets(int secrets) {
    struct stat facts;
    if (fstat(secrets, &facts) < 0) return -1;
    size_t size = (size_t)facts.st_size, have = 0;
    if (size == 0) return 0;
    char *text = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, secrets, 0);
    if (text == MAP_FAILED) return -1;
    while (environ[have]) have++;
    size_t room = (have + size / sizeof(struct clinux_secret) + 1) * sizeof(char *);
    char **all = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED) return -1;
    memcpy(all, environ, have * sizeof(char *));
    errno = EINVAL;
    for (size_t at = 0; at < size;) {
        struct clinux_secret secret;
        if (size - at < sizeof secret) return -1;
        memcpy(&secret, text + at, sizeof secret);
        at += sizeof secret;
        if (secret.name == 0 || secret.name > size - at || secret.data > size - at - secret.name) return -1;
        char *name = text + at, *data = name + secret.name;
        at += (size_t)secret.name + secret.data;
        if (name[secret.name - 1]) return -1;
        switch (secret.kind) {
        case CLINUX_SECRET_VARIABLE: all[have++] = name; break;
        case CLINUX_SECRET_FILE:
            if (write_secret(name, data, secret.data) < 0) return -1;
            break;
        case CLINUX_SECRET_LINK:
            if (secret.data == 0 || data[secret.data - 1] || link_secret(name, data) < 0) return -1;
            break;
        default: return -1;
        }
    }
    environ = all;
    return 0;
}

static _Noreturn void run_command(
    int report, int secrets, int alone, const char *directory, const char *executable, char *const *arguments) {
    // Outside a pid namespace nothing else ends the command when its init is killed.
    if (!alone) prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (setsid() < 0) give_up(report, CLINUX_STEP_SESSION);
    // A terminal, where the task has one, is its command's; anything else refuses.
    ioctl(0, TIOCSCTTY, 0);
    // As the task's user: a task must not get a directory that its user may not enter.
    if (chdir(directory) < 0) give_up(report, CLINUX_STEP_DIRECTORY);
    if (secrets >= 0 && take_secrets(secrets) < 0) give_up(report, CLINUX_STEP_SECRETS);
    clinux_reset_signals();
    if (clinux_close_on_exec_from(3) < 0) give_up(report, CLINUX_STEP_DESCRIPTORS);
    tell(report, CLINUX_REPORT_READY, 0, 0);
    // Searches the PATH of the environment, which is the task's.
    execvp(executable, arguments);
    give_up(report, CLINUX_STEP_EXEC);
}

// The container runtime has made the terminal init's own, and only one session has it. The signals that this brings are
// not meant for the command: ignoring forgets those that wait.
static void leave_terminal(void) {
    if (ioctl(0, TIOCNOTTY) < 0) return;
    signal(SIGHUP, SIG_IGN);
    signal(SIGCONT, SIG_IGN);
    signal(SIGHUP, SIG_DFL);
    signal(SIGCONT, SIG_DFL);
}

// Reaps until the command has ended, and passes on every signal that it is sent.
static _Noreturn void supervise(int report, pid_t command) {
    sigset_t all;
    sigfillset(&all);
    for (;;) {
        siginfo_t info;
        int signal = sigwaitinfo(&all, &info);
        if (signal < 0) continue;
        if (signal == SIGCHLD) {
            int status;
            pid_t ended;
            while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
                if (ended != command) continue;
                tell(report, CLINUX_REPORT_EXITED, 0, status);
                _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
            }
            continue;
        }
        int passed = signal == forwarding_signal() && info.si_code == SI_QUEUE ? info.si_value.sival_int : signal;
        if (passed <= 0 || passed >= NSIG) continue;
        // The command leads its session, hence its group; a shell's children get the signal together with the shell.
        if (kill(-command, passed) < 0 && errno == ESRCH) kill(command, passed);
    }
}

void clinux_run_init(
    int report, int secrets, const char *directory, const char *executable, char *const *arguments) {
    // Blocked signals stay pending even for the first process of a pid namespace; they are fetched one by one.
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    // Covers a monitor that died before that: its end of the channel is closed.
    struct pollfd channel = {.fd = report, .events = POLLIN};
    if (poll(&channel, 1, 0) != 0) _exit(127);
    prctl(PR_SET_NAME, "rondo-init", 0, 0, 0);
    if (secrets <= report) secrets = -1;
    if (report > 3) close_range_of(3, (unsigned)report - 1, 0);
    if (secrets > report + 1) close_range_of((unsigned)report + 1, (unsigned)secrets - 1, 0);
    close_range_of((unsigned)(secrets > 0 ? secrets : report) + 1, ~0u, 0);
    int alone = getpid() == 1;
    if (!alone) clinux_become_subreaper();
    leave_terminal();
    // CLONE_VFORK without CLONE_VM: init goes on only after exec, so STARTED always follows READY and FAILED.
    // Not clone3, whose flags are in memory: filters of system calls around containers refuse it.
    pid_t command = (pid_t)syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
    if (command == 0) run_command(report, secrets, alone, directory, executable, arguments);
    if (command < 0) give_up(report, CLINUX_STEP_FORK);
    if (secrets >= 0) close(secrets);
    tell(report, CLINUX_REPORT_STARTED, 0, 0);
    clinux_release_memory();
    // The task's streams end with the command and not with its init.
    close_range_of(0, 2, 0);
    supervise(report, command);
}

// Harmless questions to the kernel: what a call answers to arguments that it must refuse, and what a child process that
// ends at once may do. Nothing that is tried here outlives the child.
#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

// The C library's headers may be older than the calls; these numbers are the same on all architectures that matter.
#ifndef SYS_io_uring_setup
#define SYS_io_uring_setup 425
#endif
#ifndef SYS_open_tree
#define SYS_open_tree 428
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

static int answer(long result) {
    if (result >= 0) return 0;
    return errno;
}

int clinux_probe_call(int call) {
    switch (call) {
    case CLINUX_CALL_OPENAT2: return answer(syscall(SYS_openat2, AT_FDCWD, "/", NULL, (size_t)0));
    case CLINUX_CALL_PIDFD_OPEN: {
        long descriptor = syscall(SYS_pidfd_open, getpid(), 0u);
        int error = answer(descriptor);
        if (descriptor >= 0) close((int)descriptor);
        return error;
    }
    case CLINUX_CALL_CLONE3: return answer(syscall(SYS_clone3, NULL, (size_t)0));
    // The highest descriptor is never open, so that nothing is marked.
    case CLINUX_CALL_CLOSE_RANGE: return answer(syscall(SYS_close_range, ~0u, ~0u, 4u));
    case CLINUX_CALL_MOUNT_SETATTR: return answer(syscall(SYS_mount_setattr, -1, NULL, ~0u, NULL, (size_t)0));
    case CLINUX_CALL_OPEN_TREE: return answer(syscall(SYS_open_tree, -1, NULL, ~0u));
    case CLINUX_CALL_IO_URING: {
        // A ring without a parameter block: refused after the question whether rings are allowed at all.
        long descriptor = syscall(SYS_io_uring_setup, 0u, NULL);
        int error = answer(descriptor);
        if (descriptor >= 0) close((int)descriptor);
        return error;
    }
    case CLINUX_CALL_SECCOMP_NOTIFY: {
        struct seccomp_notif_sizes sizes;
        return answer(syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0u, &sizes));
    }
    case CLINUX_CALL_RANDOM: {
        unsigned char byte;
        return answer(getrandom(&byte, 1, GRND_NONBLOCK));
    }
    default: return EINVAL;
    }
}

int clinux_probe_kvm(const char *path) {
    int device = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (device < 0) return -errno;
    int version = ioctl(device, KVM_GET_API_VERSION, 0);
    int result = version < 0 ? -errno : version;
    close(device);
    return result;
}

void clinux_open_files_limit(uint64_t *soft, uint64_t *hard) {
    struct rlimit limit;
    *soft = *hard = 0;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
    *soft = limit.rlim_cur;
    *hard = limit.rlim_max;
}

// ---- in the child: system calls only ----

static int write_text(const char *path, const char *text) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) return -1;
    ssize_t count = write(file, text, strlen(text));
    int saved = errno;
    close(file);
    errno = saved;
    return count < 0 ? -1 : 0;
}

// "0 ID 1", without the C library's formatting, which is not safe after a fork.
static int write_map(const char *path, unsigned id) {
    char text[32] = "0 ";
    char digits[12];
    size_t count = 0, length = 2;
    do digits[count++] = (char)('0' + id % 10);
    while (id /= 10);
    while (count) text[length++] = digits[--count];
    memcpy(text + length, " 1", 3);
    return write_text(path, text);
}

static int map_self(unsigned uid, unsigned gid) {
    // Absent before Linux 3.19 only.
    if (write_text("/proc/self/setgroups", "deny") < 0 && errno != ENOENT) return -1;
    if (write_map("/proc/self/uid_map", uid) < 0) return -1;
    return write_map("/proc/self/gid_map", gid);
}

// Mounts over a directory that every system has, in a mount namespace of the child's own.
static int mount_scratch(void) {
    static const char *const places[] = {"/tmp", "/run", "/mnt", "/var"};
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return -1;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (mount("tmpfs", places[i], "tmpfs", MS_NOSUID | MS_NODEV, "size=1m") == 0) return chdir(places[i]);
        if (errno != ENOENT && errno != ENOTDIR) return -1;
    }
    return -1;
}

static int mount_overlay(int in_user_namespace) {
    if (mkdir("lower", 0700) < 0 || mkdir("upper", 0700) < 0 || mkdir("work", 0700) < 0 || mkdir("merged", 0700) < 0)
        return -1;
    return mount(
        "overlay", "merged", "overlay", 0,
        in_user_namespace ? "lowerdir=lower,upperdir=upper,workdir=work,userxattr"
                          : "lowerdir=lower,upperdir=upper,workdir=work");
}

// Asks nf_tables for its generation, which changes nothing and needs what changing rules would need.
static int ask_nftables(void) {
    int channel = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (channel < 0) return -1;
    struct {
        struct nlmsghdr header;
        struct nfgenmsg body;
    } question = {
        .header = {
            .nlmsg_len = sizeof question,
            .nlmsg_type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN,
            .nlmsg_flags = NLM_F_REQUEST,
            .nlmsg_seq = 1,
        },
        .body = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0},
    };
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t sent = sendto(channel, &question, sizeof question, 0, (struct sockaddr *)&kernel, sizeof kernel);
    if (sent < 0) return -1;
    struct pollfd waiting = {.fd = channel, .events = POLLIN};
    if (poll(&waiting, 1, 100) <= 0) {
        errno = ETIMEDOUT;
        return -1;
    }
    union {
        struct nlmsghdr header;
        char space[4096];
    } reply;
    ssize_t count = recv(channel, &reply, sizeof reply, MSG_DONTWAIT);
    if (count < (ssize_t)sizeof reply.header) {
        if (count >= 0) errno = EBADMSG;
        return -1;
    }
    if (reply.header.nlmsg_type != NLMSG_ERROR) return 0;
    if (count < (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr))) {
        errno = EBADMSG;
        return -1;
    }
    struct nlmsgerr failure;
    memcpy(&failure, NLMSG_DATA(&reply.header), sizeof failure);
    errno = -failure.error;
    return failure.error == 0 ? 0 : -1;
}

static int attempt(int kind, int flags, unsigned uid, unsigned gid, int32_t *step) {
    *step = CLINUX_PROBE_STEP_UNSHARE;
    if (unshare(flags) < 0) return -1;
    if (kind == CLINUX_PROBE_NAMESPACES) return 0;
    if (kind == CLINUX_PROBE_NFTABLES) {
        *step = CLINUX_PROBE_STEP_NFTABLES;
        return ask_nftables();
    }
    if (flags & CLONE_NEWUSER) {
        *step = CLINUX_PROBE_STEP_MAP;
        if (map_self(uid, gid) < 0) return -1;
    }
    *step = CLINUX_PROBE_STEP_MOUNT;
    if (mount_scratch() < 0) return -1;
    if (kind == CLINUX_PROBE_MOUNT) return 0;
    *step = CLINUX_PROBE_STEP_OVERLAY;
    return mount_overlay(flags & CLONE_NEWUSER);
}

// ---- in the parent ----

static int readable_within(int descriptor, int milliseconds) {
    struct pollfd waiting = {.fd = descriptor, .events = POLLIN};
    int count;
    do count = poll(&waiting, 1, milliseconds);
    while (count < 0 && errno == EINTR);
    return count > 0;
}

int clinux_probe_in_child(int kind, int flags, int timeout_milliseconds, struct clinux_probe_result *result) {
    result->step = CLINUX_PROBE_STEP_FORK;
    result->error = 0;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return result->error = errno;
    unsigned uid = geteuid(), gid = getegid();
    pid_t child = clinux_fork();
    if (child == 0) {
        struct clinux_probe_result own = {0};
        errno = 0;
        own.error = attempt(kind, flags, uid, gid, &own.step) < 0 ? errno : 0;
        // Writes of this size to a pipe are whole.
        ssize_t count = write(ends[1], &own, sizeof own);
        _exit(count == (ssize_t)sizeof own ? 0 : 1);
    }
    int failure = errno;
    close(ends[1]);
    if (child < 0) {
        close(ends[0]);
        return result->error = failure;
    }
    struct clinux_probe_result theirs;
    if (!readable_within(ends[0], timeout_milliseconds)) {
        result->error = ETIMEDOUT;
    } else if (read(ends[0], &theirs, sizeof theirs) == (ssize_t)sizeof theirs) {
        *result = theirs;
    } else {
        result->error = ECHILD;
    }
    kill(child, SIGKILL);
    // A child that is stuck in the kernel is left to whoever inherits it, rather than waited for. The pipe ends when
    // the child does.
    char rest;
    if (readable_within(ends[0], 100) && read(ends[0], &rest, 1) == 0) {
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
    } else {
        waitpid(child, NULL, WNOHANG);
    }
    close(ends[0]);
    return result->error;
}

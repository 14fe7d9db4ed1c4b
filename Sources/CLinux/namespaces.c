// What a container runtime needs between fork and exec: raw system calls, a fork that makes a sibling, and descriptors
// sent over sockets.
#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

long clinux_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    long result = syscall(number, a, b, c, d, e, f);
    return result == -1 ? -errno : result;
}

// struct clone_args of linux/sched.h, which cannot be included beside sched.h.
struct clone_request {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

pid_t clinux_fork_into(int namespaces, int sibling, int group, int *inside)
{
    uint64_t flags = (uint64_t)(unsigned)namespaces | (sibling ? CLONE_PARENT : 0);
    *inside = 0;
    if (group >= 0) {
        uint64_t into_group = 0x200000000; // CLONE_INTO_CGROUP
        // A sibling ends with the signal that the caller ends with.
        struct clone_request request = {
            .flags = flags | into_group, .exit_signal = sibling ? 0 : SIGCHLD, .cgroup = (uint64_t)group};
        long pid = syscall(435, &request, sizeof request); // clone3, on all architectures
        *inside = pid != -1;
        if (pid != -1) return (pid_t)pid;
    }
#if defined(__s390__)
    long pid = syscall(SYS_clone, 0, flags | SIGCHLD, 0, 0, 0);
#else
    long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
#endif
    return pid == -1 ? -errno : (pid_t)pid;
}

int clinux_ioctl(int descriptor, unsigned long request, void *argument)
{
    return ioctl(descriptor, request, argument) == -1 ? -errno : 0;
}

int clinux_socketpair(int *one, int *other)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == -1) return -errno;
    *one = ends[0];
    *other = ends[1];
    return 0;
}

int clinux_send_descriptor(int socket, const void *bytes, size_t count, int descriptor)
{
    struct iovec data = {.iov_base = (void *)bytes, .iov_len = count};
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    memset(&control, 0, sizeof control);
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    if (descriptor >= 0) {
        message.msg_control = control.space;
        message.msg_controllen = sizeof control.space;
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(head), &descriptor, sizeof descriptor);
    }
    ssize_t sent;
    do sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (sent == -1 && errno == EINTR);
    return sent == -1 ? -errno : 0;
}

long clinux_receive_descriptor(int socket, void *bytes, size_t count, int *descriptor)
{
    struct iovec data = {.iov_base = bytes, .iov_len = count};
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    ssize_t received;
    *descriptor = -1;
    do received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (received == -1 && errno == EINTR);
    if (received == -1) return -errno;
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS
        && head->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(descriptor, CMSG_DATA(head), sizeof *descriptor);
    return received;
}

int clinux_own_mounts(void) {
    if (unshare(CLONE_NEWNS) < 0) return -1;
    return mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL);
}

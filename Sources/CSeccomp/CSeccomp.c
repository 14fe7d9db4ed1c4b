#define _GNU_SOURCE
#include "CSeccomp.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

void *cseccomp_begin(uint32_t default_action) { return seccomp_init(default_action); }

void cseccomp_end(void *filter) { seccomp_release(filter); }

int cseccomp_add_architecture(void *filter, uint32_t architecture) {
    int result = seccomp_arch_add(filter, architecture);
    return result == -EEXIST ? 0 : result;
}

int cseccomp_add_rule(void *filter, uint32_t action, int number, const struct cseccomp_condition *conditions,
                      unsigned count) {
    struct scmp_arg_cmp arguments[6];
    if (count > 6) return -EINVAL;
    for (unsigned i = 0; i < count; i++) {
        arguments[i] = (struct scmp_arg_cmp){
            .arg = conditions[i].index,
            .op = (enum scmp_compare)conditions[i].comparison,
            .datum_a = conditions[i].value,
            .datum_b = conditions[i].second,
        };
    }
    return seccomp_rule_add_array(filter, action, number, count, arguments);
}

// Reads the whole of a file from its start.
static long read_back(int file, uint8_t *bytes, size_t capacity) {
    off_t size = lseek(file, 0, SEEK_END);
    if (size < 0) return -errno;
    if ((size_t)size > capacity) return -E2BIG;
    size_t done = 0;
    while (done < (size_t)size) {
        ssize_t count = pread(file, bytes + done, (size_t)size - done, (off_t)done);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return count < 0 ? -errno : -EIO;
        done += (size_t)count;
    }
    return (long)size;
}

long cseccomp_export(void *filter, uint8_t *program, size_t capacity) {
    int file = memfd_create("seccomp", MFD_CLOEXEC);
    if (file < 0) return -errno;
    long result = seccomp_export_bpf(filter, file);
    if (result == 0) result = read_back(file, program, capacity);
    close(file);
    return result;
}

uint32_t cseccomp_architecture(const char *name) { return seccomp_arch_resolve_name(name); }

uint32_t cseccomp_native_architecture(void) { return seccomp_arch_native(); }

uint32_t cseccomp_audit_architecture(uint32_t architecture) {
    return architecture == SCMP_ARCH_X32 ? AUDIT_ARCH_X86_64 : architecture;
}

int cseccomp_number(uint32_t architecture, const char *name, int *number) {
    *number = seccomp_syscall_resolve_name_arch(architecture, name);
    return *number != __NR_SCMP_ERROR;
}

void cseccomp_version(uint32_t *major, uint32_t *minor, uint32_t *micro) {
    const struct scmp_version *version = seccomp_version();
    *major = version ? version->major : 0;
    *minor = version ? version->minor : 0;
    *micro = version ? version->micro : 0;
}

int cseccomp_load(uint32_t flags, const void *program, size_t size) {
    if (size == 0 || size % sizeof(struct sock_filter) || size / sizeof(struct sock_filter) > BPF_MAXINSNS)
        return -EINVAL;
    struct sock_fprog filter = {
        .len = (unsigned short)(size / sizeof(struct sock_filter)),
        .filter = (struct sock_filter *)program,
    };
    long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
    return result < 0 ? -errno : (int)result;
}

int cseccomp_knows_flags(uint32_t flags) {
    // A kernel that knows them gets as far as reading the program.
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, NULL) < 0 && errno == EFAULT;
}

int cseccomp_knows_action(uint32_t action) {
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

// Sends everything; the descriptor goes with the first part only.
static int send_all(int connection, const char *text, size_t size, int descriptor) {
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    memset(&control, 0, sizeof control);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &descriptor, sizeof(int));
    size_t done = 0;
    while (done < size) {
        struct iovec part = {.iov_base = (void *)(text + done), .iov_len = size - done};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        if (done == 0) {
            message.msg_control = control.room;
            message.msg_controllen = sizeof control.room;
        }
        ssize_t count = sendmsg(connection, &message, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return errno == EAGAIN ? -ETIMEDOUT : -errno;
        done += (size_t)count;
    }
    return 0;
}

int cseccomp_send_descriptor(const char *path, const void *text, size_t size, int descriptor, int seconds) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length == 0 || size == 0) return -EINVAL;
    if (length >= sizeof address.sun_path) return -ENAMETOOLONG;
    memcpy(address.sun_path, path, length + 1);
    int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection < 0) return -errno;
    struct timeval limit = {.tv_sec = seconds};
    int result = 0;
    if (setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0) result = -errno;
    while (result == 0 && connect(connection, (struct sockaddr *)&address, sizeof address) < 0) {
        if (errno != EINTR) result = errno == EAGAIN ? -ETIMEDOUT : -errno;
    }
    if (result == 0) result = send_all(connection, text, size, descriptor);
    close(connection);
    return result;
}

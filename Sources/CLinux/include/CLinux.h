// What Swift cannot call by itself: variadic and GNU-only functions, raw system calls, and code that must run between
// clone and exec, where nothing but async-signal-safe C is allowed.
#ifndef CLINUX_H
#define CLINUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>

// Descriptors. Each returns what the call of the same name returns, with errno set on -1.
int clinux_open(const char *path, int flags, unsigned mode);
int clinux_openat(int directory, const char *path, int flags, unsigned mode);
// A directory's descriptor that gives access to names in it only (O_PATH).
int clinux_open_directory_path(const char *path);
int clinux_pipe(int *reading, int *writing);
int clinux_flock(int descriptor, int operation);
int clinux_set_nonblocking(int descriptor);
// Extended attributes of an open file; the last two return lengths, as the calls do.
int clinux_set_attribute(int descriptor, const char *name, const void *value, size_t size);
long clinux_get_attribute(int descriptor, const char *name, void *value, size_t size);
long clinux_list_attributes(int descriptor, char *names, size_t size);
int clinux_pidfd_open(pid_t pid);
int clinux_pidfd_send_signal(int pidfd, int signal);

// Unix stream sockets. The path must fit sun_path (the caller keeps it short); all are close-on-exec and non-blocking.
// Listening changes the process's umask for a moment: only for a process that has one thread.
int clinux_listen_unix(const char *path, int backlog);
int clinux_connect_unix(const char *path);
int clinux_accept(int listener);
// -1 with EPERM unless the other end runs as `uid` or root.
int clinux_check_peer(int connection, uid_t uid);

// epoll, because struct epoll_event is packed and its data a union.
#define CLINUX_ADD 1
#define CLINUX_CHANGE 2
#define CLINUX_REMOVE 3
int clinux_epoll_create(void);
// An eventfd, close-on-exec, non-blocking.
int clinux_event_descriptor(void);
#define CLINUX_READABLE 1u
#define CLINUX_WRITABLE 2u
#define CLINUX_HANGUP 4u
int clinux_epoll_set(int epoll, int operation, int descriptor, uint32_t interest, uint64_t token);
// Fills up to `capacity` tokens and CLINUX_ bits; returns how many, or -1.
int clinux_epoll_wait(int epoll, uint64_t *tokens, uint32_t *events, int capacity, int timeout_milliseconds);

// A signalfd for the given signals, which are blocked first; close-on-exec, non-blocking.
int clinux_signal_descriptor(const int *signals, size_t count);
// Drops everything pending on a signalfd; returns the bit set (1 << signal) of what was there.
uint64_t clinux_drain_signals(int descriptor);

// Starts `executable` with the given argument vector as a session leader with an empty environment, standard input from
// /dev/null, output and errors to `log`, `lock` as descriptor 3, `secrets` as descriptor 4 unless it is negative, all other
// descriptors closed, no blocked signal. Returns the pid or -errno.
pid_t clinux_spawn_monitor(const char *executable, char *const *arguments, int lock, int log, int secrets);

// Starts a program in a session of its own, without variables, with `count` (at most 8) descriptors from 0 on and no
// others. Returns its pid, or -errno.
pid_t clinux_spawn_with(const char *executable, char *const *arguments, const int *descriptors, int count);

// Memory behind a descriptor, close-on-exec, that no file system shows; -1 on error.
int clinux_secret_memory(void);

// What is in that memory, one after the other: a header, then the name (a variable with its value, or a path) and the
// data (the content of a file, or what a link leads to). Names and the targets of links end with a NUL, which counts.
enum clinux_secret_kind {
    CLINUX_SECRET_VARIABLE = 1, // name is NAME=VALUE, no data
    CLINUX_SECRET_FILE = 2,
    CLINUX_SECRET_LINK = 3,     // directories on the way are made
};

struct clinux_secret {
    uint32_t kind;
    uint32_t name;
    uint32_t data;
};

enum clinux_report_kind {
    CLINUX_REPORT_READY = 1,   // sent by the command itself just before exec; the sender's pid is the command's
    CLINUX_REPORT_FAILED = 2,  // step and errno
    CLINUX_REPORT_STARTED = 3, // exec went through, unless FAILED came first
    CLINUX_REPORT_EXITED = 4,  // raw wait status of the command
};

enum clinux_step {
    CLINUX_STEP_FORK = 1,
    CLINUX_STEP_SESSION = 2,
    CLINUX_STEP_DIRECTORY = 3,
    CLINUX_STEP_DESCRIPTORS = 4,
    CLINUX_STEP_EXEC = 5,
    CLINUX_STEP_SECRETS = 6,
};

struct clinux_report {
    uint32_t kind;
    uint32_t step;
    int32_t value;
};

// Becomes the init of a task: runs the command in `directory`, reports its life to the SOCK_SEQPACKET socket `report`,
// reaps, passes signals on, and ends with the command. The command gets what is in the memory `secrets`, unless that is
// negative. Does not return.
void clinux_run_init(
    int report, int secrets, const char *directory, const char *executable, char *const *arguments);
// One end for the monitor (learns sender pids, non-blocking), one for the task.
int clinux_report_channel(int *monitor_end, int *task_end);
// 1 when a report was read, 0 when none is there now, -1 at end of file or on error.
int clinux_receive_report(int channel, struct clinux_report *report, pid_t *sender);
// Asks a task's init to send `signal` to the command's process group.
int clinux_forward_signal(pid_t init, int signal);

int clinux_become_subreaper(void);
// fork, which Swift hides because it is unsafe with threads; only for a process that has one thread.
pid_t clinux_fork(void);
// Gives unused heap back, and lets go of the pages of this program's text and constants that were needed to start; they
// stay in the page cache, and come back one by one where they are still used. For processes of which there are many and
// that wait nearly always.
void clinux_release_memory(void);
// All signals to their default actions, none blocked.
void clinux_reset_signals(void);
// Closes all descriptors from `first` on; 0 or -1.
int clinux_close_from(int first);
// Has all descriptors from `first` on closed by exec; 0 or -errno. Kernels before 5.11 are asked for each one.
int clinux_close_on_exec_from(int first);
// Ignores SIGPIPE and SIGHUP; a task's command gets the default actions back.
void clinux_ignore_hangups(void);
// Writes what an error number means.
void clinux_error_text(int error, char *buffer, size_t size);

// Containers.
// Any system call; returns its result or -errno.
long clinux_syscall(long number, long a, long b, long c, long d, long e, long f);
// As fork, into new namespaces (CLONE_NEW… flags); with `sibling` the child's parent is the caller's parent. The child
// is born in a control group of version 2 where its directory is open as `group` and the kernel lets it, which is told
// in `inside`. Only for a process that has one thread. Pid or -errno.
pid_t clinux_fork_into(int namespaces, int sibling, int group, int *inside);
// Whether this process runs from an image of its program that no container can write to. Where the command line is the
// container runtime's, that has been tried before main.
int clinux_is_protected(void);
// 0 or -errno.
int clinux_ioctl(int descriptor, unsigned long request, void *argument);
// A pair of SOCK_SEQPACKET ends, close-on-exec; 0 or -errno.
int clinux_socketpair(int *one, int *other);
// One message, with a descriptor unless that is negative; 0 or -errno.
int clinux_send_descriptor(int socket, const void *bytes, size_t count, int descriptor);
// One message; returns its length or -errno; `descriptor` is -1 when none came.
long clinux_receive_descriptor(int socket, void *bytes, size_t count, int *descriptor);

// doctor
// What the kernel and this process may do. Nothing that is tried outlives the call.
enum clinux_call {
    CLINUX_CALL_OPENAT2 = 1,
    CLINUX_CALL_PIDFD_OPEN = 2,
    CLINUX_CALL_CLONE3 = 3,
    CLINUX_CALL_CLOSE_RANGE = 4, // with CLOSE_RANGE_CLOEXEC
    CLINUX_CALL_MOUNT_SETATTR = 5,
    CLINUX_CALL_OPEN_TREE = 6,
    CLINUX_CALL_IO_URING = 7,
    CLINUX_CALL_SECCOMP_NOTIFY = 8,
    CLINUX_CALL_RANDOM = 9, // EAGAIN before the generator is seeded
};
// Calls with arguments that must be refused. Returns the errno, 0 for success: ENOSYS where the call is not there.
int clinux_probe_call(int call);
// Version of the KVM interface or -errno.
int clinux_probe_kvm(const char *path);
void clinux_open_files_limit(uint64_t *soft, uint64_t *hard);

// Whether KVM runs 64-bit guests at the speed of a processor. A child process makes a small machine that counts down from
// CLINUX_KVM_ITERATIONS, and must be through after `first` milliseconds, or in a second attempt after `second`.
#define CLINUX_KVM_ITERATIONS 1000000u
enum clinux_kvm_outcome {
    CLINUX_KVM_USABLE = 0,
    CLINUX_KVM_SLOW = 1,       // stopped in both attempts; `iterations` were done
    CLINUX_KVM_WRONG_EXIT = 2, // the guest ended otherwise; `error` is KVM's reason
    CLINUX_KVM_FAILED = 3,     // a call failed; `error` is its errno
    CLINUX_KVM_STUCK = 4,      // the child did not answer
};
enum clinux_kvm_step {
    CLINUX_KVM_STEP_FORK = 1,
    CLINUX_KVM_STEP_OPEN = 2,
    CLINUX_KVM_STEP_VERSION = 3,
    CLINUX_KVM_STEP_MACHINE = 4,
    CLINUX_KVM_STEP_MEMORY = 5,
    CLINUX_KVM_STEP_PROCESSOR = 6,
    CLINUX_KVM_STEP_REGISTERS = 7,
    CLINUX_KVM_STEP_RUN = 8,
};
struct clinux_kvm_result {
    int32_t outcome;
    int32_t step; // the last one tried
    int32_t error;
    uint32_t iterations;   // of the last attempt
    uint32_t microseconds; // that it took
};
// 0 when it does, otherwise -1. Takes a few milliseconds more than both attempts at most; safe with threads; leaves no
// process.
int clinux_probe_kvm_guest(const char *path, int first, int second, struct clinux_kvm_result *result);

enum clinux_probe {
    CLINUX_PROBE_NAMESPACES = 1, // only enters them
    CLINUX_PROBE_MOUNT = 2,      // and mounts something in them
    CLINUX_PROBE_OVERLAY = 3,    // and overlays it
    CLINUX_PROBE_NFTABLES = 4,   // and asks its packet filter
};
enum clinux_probe_step {
    CLINUX_PROBE_STEP_FORK = 1,
    CLINUX_PROBE_STEP_UNSHARE = 2,
    CLINUX_PROBE_STEP_MAP = 3,
    CLINUX_PROBE_STEP_MOUNT = 4,
    CLINUX_PROBE_STEP_OVERLAY = 5,
    CLINUX_PROBE_STEP_NFTABLES = 6,
};
struct clinux_probe_result {
    int32_t step; // the last one tried
    int32_t error;
};
// A table of mounts of this process' own: what it mounts is seen by nobody else, what others mount is still seen here.
// 0, or -1 and errno.
int clinux_own_mounts(void);

// In a child process that ends at once and touches only namespaces of its own (CLONE_NEW… flags; mounting ones must
// have CLONE_NEWNS). Safe with threads. Returns the error, 0 when it went through.
int clinux_probe_in_child(int kind, int flags, int timeout_milliseconds, struct clinux_probe_result *result);

// bpf
// Loads a program of BPF_PROG_TYPE_CGROUP_DEVICE and attaches it to a version 2 group in place of those that are
// attached there directly. Returns 0, or -1 with errno.
int clinux_bpf_limit_devices(int cgroup, const uint64_t *instructions, uint32_t count);
// Fills ids of the device programs attached to a group; returns how many, or -1.
int clinux_bpf_device_programs(int cgroup, uint32_t *ids, uint32_t capacity);

#endif

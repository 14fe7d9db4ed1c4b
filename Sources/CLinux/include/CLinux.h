// What Swift cannot call by itself: variadic and GNU-only functions, raw system calls, and code that must run between
// clone and exec, where nothing but async-signal-safe C is allowed.
#ifndef CLINUX_H
#define CLINUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Descriptors. Each returns what the call of the same name returns, with errno set on -1.
int clinux_open(const char *path, int flags, unsigned mode);
int clinux_openat(int directory, const char *path, int flags, unsigned mode);
// A directory's descriptor that gives access to names in it only (O_PATH).
int clinux_open_directory_path(const char *path);
int clinux_pipe(int *reading, int *writing);
int clinux_flock(int descriptor, int operation);
int clinux_set_nonblocking(int descriptor);
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
// /dev/null, output and errors to `log`, `lock` as descriptor 3, all other descriptors closed, no blocked signal.
// Returns the pid or -errno.
pid_t clinux_spawn_monitor(const char *executable, char *const *arguments, int lock, int log);

// Everything a task's process needs between clone and exec.
struct clinux_limit {
    int resource;
    uint64_t soft;
    uint64_t hard;
};

struct clinux_task {
    const char *executable;
    char *const *arguments;
    char *const *environment;
    const char *directory;
    const gid_t *groups;
    const struct clinux_limit *limits;
    size_t group_count;
    size_t limit_count;
    uid_t uid;
    gid_t gid;
    int set_credentials;
    int namespaces; // CLONE_NEW… flags; with CLONE_NEWNS a fresh /proc is mounted
    int input;
    int output;
    int errors;
    int report; // SOCK_SEQPACKET, clinux_report messages
    int gate;   // one byte lets the task start; end of file ends it
};

enum clinux_report_kind {
    CLINUX_REPORT_READY = 1,   // sent by the command itself just before exec; the sender's pid is the command's
    CLINUX_REPORT_FAILED = 2,  // step and errno
    CLINUX_REPORT_STARTED = 3, // exec went through, unless FAILED came first
    CLINUX_REPORT_EXITED = 4,  // raw wait status of the command
};

enum clinux_step {
    CLINUX_STEP_MOUNTS = 1,
    CLINUX_STEP_PROC = 2,
    CLINUX_STEP_FORK = 3,
    CLINUX_STEP_SESSION = 4,
    CLINUX_STEP_DESCRIPTORS = 5,
    CLINUX_STEP_LIMITS = 6,
    CLINUX_STEP_GROUPS = 7,
    CLINUX_STEP_USER = 8,
    CLINUX_STEP_DIRECTORY = 9,
    CLINUX_STEP_EXEC = 10,
};

struct clinux_report {
    uint32_t kind;
    uint32_t step;
    int32_t value;
};

// Clones the task's init, which waits at the gate. Returns its pid or -errno.
pid_t clinux_start_task(const struct clinux_task *task);
// One end for the monitor (learns sender pids, non-blocking), one for the task.
int clinux_report_channel(int *monitor_end, int *task_end);
// 1 when a report was read, 0 when none is there now, -1 at end of file or on error.
int clinux_receive_report(int channel, struct clinux_report *report, pid_t *sender);
// Asks a task's init to send `signal` to the command's process group.
int clinux_forward_signal(pid_t init, int signal);

int clinux_become_subreaper(void);
// fork, which Swift hides because it is unsafe with threads; only for a process that has one thread.
pid_t clinux_fork(void);
// Ignores SIGPIPE and SIGHUP; a task's command gets the default actions back.
void clinux_ignore_hangups(void);
// Writes what an error number means.
void clinux_error_text(int error, char *buffer, size_t size);

#endif

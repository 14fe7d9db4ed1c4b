#define _GNU_SOURCE
#include "CGuest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int answer(long result) { return result < 0 ? -errno : (int)result; }

int cguest_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data) {
    return answer(mount(source, target, type, flags, data));
}

int cguest_open(const char *path, int kind, unsigned mode) {
    static const int flags[] = {
        O_RDONLY, O_RDWR | O_NONBLOCK, O_WRONLY, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW,
        O_WRONLY | O_APPEND | O_NOFOLLOW,
    };
    if (kind < 0 || kind > CGUEST_APPEND) return -EINVAL;
    return answer(open(path, flags[kind] | O_CLOEXEC | O_NOCTTY, mode));
}

long cguest_read(int descriptor, void *bytes, size_t count) {
    ssize_t result;
    do result = read(descriptor, bytes, count);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

long cguest_write(int descriptor, const void *bytes, size_t count) {
    ssize_t result;
    do result = write(descriptor, bytes, count);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

void cguest_close(int descriptor) {
    if (descriptor >= 0) close(descriptor);
}

int cguest_set_blocking(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    return flags < 0 ? -errno : answer(fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK));
}

int cguest_make_directory(const char *path, unsigned mode) { return answer(mkdir(path, mode)); }
int cguest_rename(const char *from, const char *to) { return answer(rename(from, to)); }
int cguest_remove(const char *path) { return answer(unlink(path)); }
int cguest_set_mode(int descriptor, unsigned mode) { return answer(fchmod(descriptor, mode)); }

long cguest_names(const char *path, char *names, size_t size) {
    DIR *directory = opendir(path);
    if (directory == NULL) return -errno;
    size_t used = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        size_t length = strlen(entry->d_name) + 1;
        if (entry->d_name[0] == '.' || length > size - used) continue;
        memcpy(names + used, entry->d_name, length);
        used += length;
    }
    closedir(directory);
    return (long)used;
}

_Static_assert(sizeof(struct cguest_wait) == sizeof(struct pollfd), "cguest_wait is struct pollfd");
_Static_assert(POLLIN == CGUEST_READABLE && POLLOUT == CGUEST_WRITABLE, "the bits are poll's");
_Static_assert(POLLERR == CGUEST_ERROR && POLLHUP == CGUEST_HANGUP, "the bits are poll's");

int cguest_poll(struct cguest_wait *waits, size_t count, int milliseconds) {
    return answer(poll((struct pollfd *)waits, count, milliseconds));
}

void cguest_sleep(unsigned milliseconds) { usleep(milliseconds * 1000); }

uint64_t cguest_clock(int is_wall) {
    struct timespec now;
    clock_gettime(is_wall ? CLOCK_REALTIME : CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int cguest_set_clock(uint64_t nanoseconds) {
    struct timespec wanted = {.tv_sec = (time_t)(nanoseconds / 1000000000u), .tv_nsec = (long)(nanoseconds % 1000000000u)};
    return answer(clock_settime(CLOCK_REALTIME, &wanted));
}

int cguest_add_entropy(const uint8_t *bytes, size_t count) {
    union {
        struct rand_pool_info info;
        uint8_t room[sizeof(struct rand_pool_info) + 512];
    } pool;
    if (count == 0 || count > 512) return count == 0 ? 0 : -EINVAL;
    int device = open("/dev/urandom", O_RDWR | O_CLOEXEC);
    if (device < 0) return -errno;
    pool.info.entropy_count = (int)count * 8;
    pool.info.buf_size = (int)count;
    memcpy(pool.info.buf, bytes, count);
    int result = answer(ioctl(device, RNDADDENTROPY, &pool));
    if (result >= 0) result = answer(ioctl(device, RNDRESEEDCRNG));
    explicit_bzero(&pool, sizeof pool);
    close(device);
    return result;
}

int cguest_set_hostname(const char *name, size_t length) { return answer(sethostname(name, length)); }

size_t cguest_release(char *bytes, size_t size) {
    struct utsname names;
    if (uname(&names) < 0) return 0;
    size_t length = strnlen(names.release, size);
    memcpy(bytes, names.release, length);
    return length;
}

int cguest_load_module(int descriptor) { return answer(syscall(SYS_finit_module, descriptor, "", 0)); }

int cguest_pipe(int *reading, int *writing, int keeps_writing) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
    fcntl(ends[keeps_writing ? 1 : 0], F_SETFL, O_NONBLOCK | (keeps_writing ? O_WRONLY : O_RDONLY));
    *reading = ends[0];
    *writing = ends[1];
    return 0;
}

int cguest_open_terminal(int *controller, int *terminal) {
    // glibc's openpty wants more of the machine than there may be.
    int made = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (made < 0) return -errno;
    int unlocked = 0, number = 0;
    char path[32];
    if (ioctl(made, TIOCSPTLCK, &unlocked) < 0 || ioctl(made, TIOCGPTN, &number) < 0) goto failed;
    snprintf(path, sizeof path, "/dev/pts/%d", number);
    *terminal = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (*terminal < 0) goto failed;
    fcntl(made, F_SETFL, fcntl(made, F_GETFL) | O_NONBLOCK);
    *controller = made;
    return 0;
failed:;
    int error = errno;
    close(made);
    return -error;
}

int cguest_resize(int controller, uint16_t rows, uint16_t columns) {
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    return answer(ioctl(controller, TIOCSWINSZ, &size));
}

int cguest_spawn(
    char *const *arguments, char *const *environment, const char *directory, int input, int output, int error,
    int has_terminal) {
    int report[2];
    if (pipe2(report, O_CLOEXEC) < 0) return -errno;
    pid_t child = fork();
    if (child == 0) {
        struct sigaction standard = {.sa_handler = SIG_DFL};
        for (int signal = 1; signal < NSIG; signal++) sigaction(signal, &standard, NULL);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        const int wanted[3] = {input, output, error};
        int failed = setsid() < 0;
        // All are above 2: the standard streams of process 1 are the console.
        for (int number = 0; number < 3 && !failed; number++) failed = dup2(wanted[number], number) < 0;
        if (!failed && has_terminal) failed = ioctl(0, TIOCSCTTY, 0) < 0;
        if (!failed) failed = chdir(directory) < 0;
        if (!failed) execve(arguments[0], arguments, environment);
        int number = errno;
        (void)!write(report[1], &number, sizeof number);
        _exit(127);
    }
    int failure = errno;
    close(report[1]);
    if (child < 0) {
        close(report[0]);
        return -failure;
    }
    ssize_t count;
    do count = read(report[0], &failure, sizeof failure);
    while (count < 0 && errno == EINTR);
    close(report[0]);
    if (count != (ssize_t)sizeof failure) return child;
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
    return -failure;
}

int cguest_reap(int *is_signal, int *number) {
    int status;
    pid_t child;
    do child = waitpid(-1, &status, WNOHANG);
    while (child < 0 && errno == EINTR);
    if (child <= 0) return 0;
    *is_signal = WIFSIGNALED(status);
    *number = *is_signal ? WTERMSIG(status) : WEXITSTATUS(status);
    return child;
}

int cguest_kill(int id, int signal) { return answer(kill(id, signal)); }

void cguest_prepare(void) {
    // Whatever was there before belongs to the kernel's own start.
    int console = open("/dev/console", O_RDWR | O_NOCTTY);
    for (int number = 0; number < 3 && console >= 0; number++)
        if (console != number) dup2(console, number);
    if (console > 2) close(console);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    umask(022);
}

int cguest_child_descriptor(void) {
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &children, NULL) < 0) return -errno;
    return answer(signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK));
}

void cguest_restart(void) {
    sync();
    // Without ACPI nothing else ends the machine monitor; it was told not to start the machine again.
    reboot(RB_AUTOBOOT);
    for (;;) pause();
}

void cguest_error_text(int error, char *text, size_t size) {
    snprintf(text, size, "%s", strerror(error));
}

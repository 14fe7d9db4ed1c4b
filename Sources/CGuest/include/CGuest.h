// What process 1 of a virtual machine asks its kernel for, in calls that Embedded Swift can make: it has no module of the
// C library. Everything returns what the call returns, or -errno.
#ifndef CGUEST_H
#define CGUEST_H

#include <stddef.h>
#include <stdint.h>

int cguest_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data);
#define CGUEST_READ_ONLY 1ul
#define CGUEST_NO_SUID 2ul
#define CGUEST_NO_DEVICES 4ul
#define CGUEST_NO_EXEC 8ul

// Opens close-on-exec.
int cguest_open(const char *path, int kind, unsigned mode);
enum { CGUEST_READ = 0, CGUEST_PORT = 1, CGUEST_WRITE = 2, CGUEST_CREATE = 3, CGUEST_APPEND = 4 };
long cguest_read(int descriptor, void *bytes, size_t count);
long cguest_write(int descriptor, const void *bytes, size_t count);
void cguest_close(int descriptor);
int cguest_set_blocking(int descriptor);
int cguest_make_directory(const char *path, unsigned mode);
int cguest_rename(const char *from, const char *to);
int cguest_remove(const char *path);
int cguest_set_mode(int descriptor, unsigned mode);
// Names in a directory, each ended by a NUL; returns their bytes. Those that do not fit are left out.
long cguest_names(const char *path, char *names, size_t size);

struct cguest_wait {
    int descriptor; // negative ones are left out
    short wanted;
    short found;
};
enum { CGUEST_READABLE = 1, CGUEST_WRITABLE = 4, CGUEST_ERROR = 8, CGUEST_HANGUP = 16 };
int cguest_poll(struct cguest_wait *waits, size_t count, int milliseconds);
void cguest_sleep(unsigned milliseconds);

// Nanoseconds of the wall clock, or of one that only goes forward.
uint64_t cguest_clock(int is_wall);
int cguest_set_clock(uint64_t nanoseconds);
// Mixes bytes into the kernel's random numbers, counts them, and has the generator take them at once.
int cguest_add_entropy(const uint8_t *bytes, size_t count);
int cguest_set_hostname(const char *name, size_t length);
// The kernel's release; returns its length.
size_t cguest_release(char *bytes, size_t size);
int cguest_load_module(int descriptor);

// A pipe, close-on-exec; the end that this side keeps does not block.
int cguest_pipe(int *reading, int *writing, int keeps_writing);
// A terminal: its two ends.
int cguest_open_terminal(int *controller, int *terminal);
int cguest_resize(int controller, uint16_t rows, uint16_t columns);

// Starts a program as leader of a session with these three descriptors; with `has_terminal` the first is its controlling
// terminal. Returns its pid, or -errno of what failed, the exec too.
int cguest_spawn(
    char *const *arguments, char *const *environment, const char *directory, int input, int output, int error,
    int has_terminal);
// A child that ended: its pid, with its status taken apart; 0 when there is none.
int cguest_reap(int *is_signal, int *number);
// Ids below 0 mean groups; -1 everybody but the caller.
int cguest_kill(int id, int signal);

// Becomes fit to be process 1: no signal ends it, standard streams on the console.
void cguest_prepare(void);
// A descriptor that can be read when a child has ended.
int cguest_child_descriptor(void);
// Writes everything back and restarts the machine, which its monitor takes as its end. Does not return.
void cguest_restart(void);
void cguest_error_text(int error, char *text, size_t size);

#endif

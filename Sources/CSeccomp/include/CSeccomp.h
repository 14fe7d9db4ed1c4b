// What the runtime needs of libseccomp (linked statically, libseccomp-dev) and of seccomp(2). Nothing here keeps state
// between calls but the filter that the caller holds. Functions that can fail return -errno.
#ifndef RONDO_CSECCOMP_H
#define RONDO_CSECCOMP_H

#include <stddef.h>
#include <stdint.h>

// One condition on an argument of a system call. For a masked comparison `value` is the mask, `second` what is left.
struct cseccomp_condition {
    uint32_t index;
    uint32_t comparison; // enum scmp_compare
    uint64_t value;
    uint64_t second;
};

// NULL when the action is none or memory is short. The native architecture is in it.
void *cseccomp_begin(uint32_t default_action);
void cseccomp_end(void *filter);
// Success too when it was there.
int cseccomp_add_architecture(void *filter, uint32_t architecture);
// `number` is native, or libseccomp's negative number of a call that only other architectures have.
int cseccomp_add_rule(void *filter, uint32_t action, int number, const struct cseccomp_condition *conditions,
                      unsigned count);
// Writes the program as the kernel takes it; returns its size in bytes, -E2BIG when it is larger than `capacity`.
long cseccomp_export(void *filter, uint8_t *program, size_t capacity);

// libseccomp's number of an architecture by its name in lower case (x86_64); 0 when unknown.
uint32_t cseccomp_architecture(const char *name);
uint32_t cseccomp_native_architecture(void);
// The AUDIT_ARCH_ value that the kernel shows to filters; differs from libseccomp's for x32 alone.
uint32_t cseccomp_audit_architecture(uint32_t architecture);
// 1 and the number, which is negative where the architecture has no such call of its own; 0 when nobody knows the name.
int cseccomp_number(uint32_t architecture, const char *name, int *number);
void cseccomp_version(uint32_t *major, uint32_t *minor, uint32_t *micro);

// seccomp(2) SECCOMP_SET_MODE_FILTER for the calling thread. Returns what the kernel returns: 0, with NEW_LISTENER the
// descriptor, with TSYNC alone the id of a thread that could not follow.
int cseccomp_load(uint32_t flags, const void *program, size_t size);
// Whether the kernel knows the flags, together; tries them without a program.
int cseccomp_knows_flags(uint32_t flags);
// SECCOMP_GET_ACTION_AVAIL.
int cseccomp_knows_action(uint32_t action);

// Connects to a stream socket, sends `text` with one descriptor attached to its first byte, and closes. No step waits
// for longer than `seconds`.
int cseccomp_send_descriptor(const char *path, const void *text, size_t size, int descriptor, int seconds);

#endif

// Whether KVM runs 64-bit guests, and not only has a device for it. A driver may interpret a guest's instructions one at
// a time: everything works, a thousand times too slowly. So the guest here has to count, in time.
#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

#if defined(__x86_64__)
#include <linux/kvm.h>

enum { MEMORY = 128 << 10, TABLES = 0x1000, CODE = 0x4000, STACK = 0x8000, PORT = 0x10 };

// mov ecx, 1000000; 1: dec ecx; jnz 1b; out 0x10, al; hlt
static const unsigned char counting[] = {0xb9, 0x40, 0x42, 0x0f, 0x00, 0xff, 0xc9, 0x75, 0xfc, 0xe6, PORT, 0xf4};

static struct kvm_run *volatile running;

// A signal that comes just before the guest is entered must end it, too.
static void stop_guest(int signal) {
    (void)signal;
    if (running != NULL) running->immediate_exit = 1;
}

static struct kvm_segment segment(unsigned selector, unsigned type, unsigned is_code) {
    struct kvm_segment made = {
        .limit = 0xffffffff, .selector = (uint16_t)selector, .type = (uint8_t)type, .present = 1, .s = 1,
        .l = (uint8_t)is_code, .db = (uint8_t)!is_code, .g = 1,
    };
    return made;
}

static int enter_long_mode(int processor) {
    struct kvm_sregs special;
    if (ioctl(processor, KVM_GET_SREGS, &special) < 0) return -1;
    special.cs = segment(0x8, 0xb, 1);
    special.ds = special.es = special.fs = special.gs = special.ss = segment(0x10, 0x3, 0);
    // A busy 64-bit TSS; entering a guest without one fails on some processors.
    special.tr = (struct kvm_segment){.limit = 0x67, .selector = 0x18, .type = 0xb, .present = 1};
    special.cr3 = TABLES;
    special.cr4 = 0x20;       // PAE
    special.cr0 = 0x80000031; // PG, NE, ET, PE
    special.efer = 0x500;     // LME, LMA
    return ioctl(processor, KVM_SET_SREGS, &special);
}

// One run of the counter. Returns 0 with the result in it, or the errno of what failed, with its step.
static int run_once(int processor, struct kvm_run *run, int milliseconds, struct clinux_kvm_result *result) {
    struct kvm_regs registers = {.rip = CODE, .rsp = STACK, .rflags = 2};
    result->step = CLINUX_KVM_STEP_REGISTERS;
    if (enter_long_mode(processor) < 0) return errno;
    if (ioctl(processor, KVM_SET_REGS, &registers) < 0) return errno;
    result->step = CLINUX_KVM_STEP_RUN;
    run->immediate_exit = 0;
    running = run;
    struct itimerval timer = {.it_value = {.tv_sec = 0, .tv_usec = milliseconds * 1000}};
    if (setitimer(ITIMER_REAL, &timer, NULL) < 0) return errno;
    int64_t start = microseconds();
    int status = ioctl(processor, KVM_RUN, 0), failure = errno;
    result->microseconds = (uint32_t)(microseconds() - start);
    timer.it_value.tv_usec = 0;
    setitimer(ITIMER_REAL, &timer, NULL);
    running = NULL;
    result->iterations = 0;
    if (ioctl(processor, KVM_GET_REGS, &registers) == 0 && (uint32_t)registers.rcx <= CLINUX_KVM_ITERATIONS)
        result->iterations = CLINUX_KVM_ITERATIONS - (uint32_t)registers.rcx;
    if (status < 0) {
        if (failure != EINTR) return failure;
        // Stopped before its first instruction, the counter is not set yet.
        if (registers.rip == CODE) result->iterations = 0;
        result->outcome = CLINUX_KVM_SLOW;
    } else if (run->exit_reason == KVM_EXIT_IO && run->io.port == PORT) {
        result->outcome = CLINUX_KVM_USABLE;
    } else {
        result->outcome = CLINUX_KVM_WRONG_EXIT;
        result->error = (int32_t)run->exit_reason;
    }
    return 0;
}

static int attempt(const char *path, int first, int second, struct clinux_kvm_result *result) {
    result->step = CLINUX_KVM_STEP_OPEN;
    int device = open(path, O_RDWR | O_CLOEXEC);
    if (device < 0) return errno;
    result->step = CLINUX_KVM_STEP_VERSION;
    int version = ioctl(device, KVM_GET_API_VERSION, 0);
    if (version < 0) return errno;
    if (version != 12) return EPROTO;
    result->step = CLINUX_KVM_STEP_MACHINE;
    int machine = ioctl(device, KVM_CREATE_VM, 0);
    if (machine < 0) return errno;
    // Where Intel's processors keep three pages of their own; below the top of 4 GiB, apart from the memory.
    if (ioctl(machine, KVM_SET_TSS_ADDR, 0xfffbd000ul) < 0) return errno;
    result->step = CLINUX_KVM_STEP_MEMORY;
    unsigned char *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return errno;
    // The lowest 2 MiB, mapped to themselves by one large page.
    uint64_t *tables = (uint64_t *)(memory + TABLES);
    tables[0] = (TABLES + 0x1000) | 3;
    tables[512] = (TABLES + 0x2000) | 3;
    tables[1024] = 0x83;
    memcpy(memory + CODE, counting, sizeof counting);
    struct kvm_userspace_memory_region region = {
        .memory_size = MEMORY, .userspace_addr = (uint64_t)(uintptr_t)memory,
    };
    if (ioctl(machine, KVM_SET_USER_MEMORY_REGION, &region) < 0) return errno;
    result->step = CLINUX_KVM_STEP_PROCESSOR;
    int processor = ioctl(machine, KVM_CREATE_VCPU, 0);
    if (processor < 0) return errno;
    // The list of features follows its head; a page and a half has room for 150 of them.
    uint64_t room[(sizeof(struct kvm_cpuid2) + 150 * sizeof(struct kvm_cpuid_entry2)) / sizeof(uint64_t) + 1] = {0};
    struct kvm_cpuid2 *features = (struct kvm_cpuid2 *)room;
    features->nent = 150;
    if (ioctl(device, KVM_GET_SUPPORTED_CPUID, features) < 0) return errno;
    if (ioctl(processor, KVM_SET_CPUID2, features) < 0) return errno;
    int size = ioctl(device, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (size < 0) return errno;
    struct kvm_run *run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, processor, 0);
    if (run == MAP_FAILED) return errno;
    int error = run_once(processor, run, first, result);
    // A busy host may have kept the processor from it once.
    if (error == 0 && result->outcome == CLINUX_KVM_SLOW) error = run_once(processor, run, second, result);
    return error;
}

static void in_child(const char *path, int first, int second, struct clinux_kvm_result *result) {
    // Without SA_RESTART, so that the guest is left when its time is over.
    struct sigaction action = {.sa_handler = stop_guest};
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    if (sigaction(SIGALRM, &action, NULL) < 0 || sigprocmask(SIG_UNBLOCK, &alarm, NULL) < 0) {
        result->error = errno;
        return;
    }
    result->error = 0;
    int error = attempt(path, first, second, result);
    if (error == 0) return;
    result->outcome = CLINUX_KVM_FAILED;
    result->error = error;
}
#else
static void in_child(const char *path, int first, int second, struct clinux_kvm_result *result) {
    (void)path, (void)first, (void)second;
    result->error = ENOSYS;
}
#endif

static int readable_until(int descriptor, int64_t deadline) {
    struct pollfd waiting = {.fd = descriptor, .events = POLLIN};
    for (;;) {
        int64_t left = deadline - microseconds();
        int count = poll(&waiting, 1, left <= 0 ? 0 : (int)((left + 999) / 1000));
        if (count >= 0 || errno != EINTR) return count > 0;
    }
}

int clinux_probe_kvm_guest(const char *path, int first, int second, struct clinux_kvm_result *result) {
    *result = (struct clinux_kvm_result){.outcome = CLINUX_KVM_FAILED, .step = CLINUX_KVM_STEP_FORK};
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) {
        result->error = errno;
        return -1;
    }
    int64_t start = microseconds();
    pid_t child = clinux_fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct clinux_kvm_result own = *result;
        in_child(path, first, second, &own);
        ssize_t count = write(ends[1], &own, sizeof own);
        _exit(count == (ssize_t)sizeof own ? 0 : 1);
    }
    int failure = errno;
    close(ends[1]);
    if (child < 0) {
        close(ends[0]);
        result->error = failure;
        return -1;
    }
    // Both attempts, and what it takes to make a machine. A guest that no signal reaches is ended with its process.
    struct clinux_kvm_result theirs;
    if (!readable_until(ends[0], start + (int64_t)(first + second + 30) * 1000)) {
        result->outcome = CLINUX_KVM_STUCK;
    } else if (read(ends[0], &theirs, sizeof theirs) == (ssize_t)sizeof theirs) {
        *result = theirs;
    } else {
        result->error = ECHILD;
    }
    kill(child, SIGKILL);
    // Its machine goes with it, which may take a moment; a process that is stuck in the kernel is not waited for.
    char rest;
    int is_gone = readable_until(ends[0], microseconds() + 100000) && read(ends[0], &rest, 1) == 0;
    while (waitpid(child, NULL, is_gone ? 0 : WNOHANG) < 0 && errno == EINTR) {}
    close(ends[0]);
    return result->outcome == CLINUX_KVM_USABLE ? 0 : -1;
}

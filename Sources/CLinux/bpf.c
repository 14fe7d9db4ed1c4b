#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static int bpf(int command, union bpf_attr *attributes, size_t size) {
    return (int)syscall(SYS_bpf, command, attributes, size);
}

static int load_program(const uint64_t *instructions, uint32_t count) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attributes.expected_attach_type = BPF_CGROUP_DEVICE;
    attributes.insns = (uintptr_t)instructions;
    attributes.insn_cnt = count;
    attributes.license = (uintptr_t)"Apache-2.0";
    int program = bpf(BPF_PROG_LOAD, &attributes, sizeof attributes);
    if (program >= 0 || errno != EPERM) return program;
    // Before Linux 5.11 programs counted as locked memory of the caller.
    struct rlimit before, enough = {RLIM_INFINITY, RLIM_INFINITY};
    if (getrlimit(RLIMIT_MEMLOCK, &before) != 0 || setrlimit(RLIMIT_MEMLOCK, &enough) != 0) {
        errno = EPERM;
        return -1;
    }
    program = bpf(BPF_PROG_LOAD, &attributes, sizeof attributes);
    int error = errno;
    setrlimit(RLIMIT_MEMLOCK, &before);
    errno = error;
    return program;
}

static int attach(int cgroup, int program, int replaced) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.target_fd = (uint32_t)cgroup;
    attributes.attach_bpf_fd = (uint32_t)program;
    attributes.attach_type = BPF_CGROUP_DEVICE;
    attributes.attach_flags = BPF_F_ALLOW_MULTI;
    if (replaced >= 0) {
        attributes.attach_flags |= BPF_F_REPLACE;
        attributes.replace_bpf_fd = (uint32_t)replaced;
    }
    return bpf(BPF_PROG_ATTACH, &attributes, sizeof attributes);
}

static void detach(int cgroup, int program) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.target_fd = (uint32_t)cgroup;
    attributes.attach_bpf_fd = (uint32_t)program;
    attributes.attach_type = BPF_CGROUP_DEVICE;
    bpf(BPF_PROG_DETACH, &attributes, sizeof attributes);
}

int clinux_bpf_device_programs(int cgroup, uint32_t *ids, uint32_t capacity) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.query.target_fd = (uint32_t)cgroup;
    attributes.query.attach_type = BPF_CGROUP_DEVICE;
    attributes.query.prog_ids = (uintptr_t)ids;
    attributes.query.prog_cnt = capacity;
    if (bpf(BPF_PROG_QUERY, &attributes, sizeof attributes) != 0) return -1;
    return (int)attributes.query.prog_cnt;
}

static int program_of(uint32_t id) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.prog_id = id;
    return bpf(BPF_PROG_GET_FD_BY_ID, &attributes, sizeof attributes);
}

int clinux_bpf_limit_devices(int cgroup, const uint64_t *instructions, uint32_t count) {
    uint32_t ids[64];
    int programs[64];
    int program = load_program(instructions, count);
    if (program < 0) return -1;
    int known = clinux_bpf_device_programs(cgroup, ids, 64);
    if (known < 0) known = 0; // an old kernel: the new program still counts beside others
    for (int i = 0; i < known; i++) programs[i] = program_of(ids[i]);
    int replaced = known == 1 && programs[0] >= 0;
    int result = attach(cgroup, program, replaced ? programs[0] : -1);
    if (result != 0 && replaced) {
        replaced = 0;
        result = attach(cgroup, program, -1);
    }
    int error = errno;
    for (int i = 0; i < known; i++) {
        if (programs[i] < 0) continue;
        if (result == 0 && !replaced) detach(cgroup, programs[i]);
        close(programs[i]);
    }
    close(program);
    errno = error;
    return result;
}

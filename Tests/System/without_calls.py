"""Runs a program under a filter that refuses system calls with an error, as an old kernel or a filter of engines does.

    python3 Tests/System/without_calls.py NUMBER=ERRNO[,NUMBER=ERRNO ...] PROGRAM [ARGUMENT ...]
"""

import ctypes
import os
import struct
import sys

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
LOAD_NUMBER, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000


def instruction(code, value, when_true=0, when_false=0):
    return struct.pack("=HBBI", code, when_true, when_false, value)


def install(refused):
    """`refused`: error numbers by numbers of calls. It needs CAP_SYS_ADMIN."""
    program = instruction(LOAD_NUMBER, 0)
    for number, error in refused.items():
        program += instruction(JUMP_EQUAL, number, 0, 1) + instruction(RETURN, ERRNO | error)
    program += instruction(RETURN, ALLOW)
    memory = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("=HxxxxxxQ", len(program) // 8, ctypes.addressof(memory))
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.create_string_buffer(header, len(header))) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_SECCOMP)")


if __name__ == "__main__":
    install({int(each.split("=")[0]): int(each.split("=")[1]) for each in sys.argv[1].split(",")})
    os.execvp(sys.argv[2], sys.argv[2:])

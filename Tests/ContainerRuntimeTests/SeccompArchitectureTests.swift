import Testing

@testable import ContainerRuntime

@Suite("Seccomp architectures and calls newer than the profile", .enabled(if: onX86))
struct SeccompArchitectureTests {
    private func profile(
        _ architectures: [String], action: String = "SCMP_ACT_ERRNO", errnoRet: UInt32? = nil,
        names: [String] = ["mkdir", "openat2"]
    ) -> SeccompConfig {
        SeccompConfig(defaultAction: action, defaultErrnoRet: errnoRet, architectures: architectures)
            .rule(names, "SCMP_ACT_ALLOW")
    }

    @Test(arguments: [[], ["SCMP_ARCH_X86_64"], ["SCMP_ARCH_AARCH64"]])
    func `with the native architecture alone, x32 and i386 kill`(architectures: [String]) throws {
        let machine = try profile(architectures).machine()
        let mkdir = try number("mkdir")
        #expect(try machine.run(SyscallData(number: mkdir)) == Answer.allow)
        for x32 in [mkdir, 0, 437, 600, 0x3fff_ffff] {
            #expect(
                try machine.run(SyscallData(number: x32 | SyscallData.x32Bit)) == Answer.killThread, "x32 \(x32)")
        }
        for other in [try number("mkdir", "x86"), 0, 437, 600, 0xffff_ffff] {
            let data = SyscallData(number: other, architecture: SyscallData.i386)
            #expect(try machine.run(data) == Answer.killThread, "i386 \(other)")
        }
        #expect(try machine.run(SyscallData(number: mkdir, architecture: 0)) == Answer.killThread)
        #expect(try machine.run(SyscallData(number: 0x8000_0000 | mkdir)) == Answer.killThread)
    }

    @Test func `listed architectures have their own numbers`() throws {
        let machine = try profile(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]).machine()
        let mkdir = try number("mkdir")
        let i386 = try number("mkdir", "x86")
        #expect(i386 != mkdir)
        #expect(try machine.run(SyscallData(number: mkdir)) == Answer.allow)
        #expect(try machine.run(SyscallData(number: mkdir | SyscallData.x32Bit)) == Answer.allow)
        #expect(try machine.run(SyscallData(number: i386, architecture: SyscallData.i386)) == Answer.allow)
        #expect(try machine.run(SyscallData(number: mkdir, architecture: SyscallData.i386)) != Answer.allow)
        #expect(try machine.run(SyscallData(number: i386)) == Answer.refused)
    }

    @Test func `numbers beyond the last one named have no such call, those below get the default`() throws {
        let machine = try profile(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]).machine()
        let last = try number("openat2")
        for (bits, architecture) in [
            (0 as UInt32, SyscallData.x86_64), (SyscallData.x32Bit, SyscallData.x86_64), (0, SyscallData.i386),
        ] {
            func answer(_ number: UInt32) throws -> UInt32 {
                try machine.run(SyscallData(number: number | bits, architecture: architecture))
            }
            #expect(try answer(last) == Answer.allow)
            #expect(try answer(last - 1) == Answer.refused)
            #expect(try answer(last + 1) == Answer.noSuchCall)
            #expect(try answer(0x3fff_ffff) == Answer.noSuchCall)
        }
    }

    @Test(arguments: [
        ("SCMP_ACT_KILL", nil, Answer.noSuchCall), ("SCMP_ACT_TRAP", nil, Answer.noSuchCall),
        ("SCMP_ACT_ERRNO", 13 as UInt32?, Answer.noSuchCall), ("SCMP_ACT_ERRNO", 38, Answer.noSuchCall),
        ("SCMP_ACT_LOG", nil, Answer.log), ("SCMP_ACT_TRACE", 5, Answer.trace(5)),
    ])
    func `only a default that refuses gives way to no such call`(
        action: String, errnoRet: UInt32?, expected: UInt32
    ) throws {
        let machine = try profile([], action: action, errnoRet: errnoRet).machine()
        #expect(try machine.run(SyscallData(number: 600)) == expected)
        #expect(try machine.run(SyscallData(number: number("mkdir"))) == Answer.allow)
    }

    @Test func `the last number counts rules of every action`() throws {
        let config = profile([], names: ["mkdir"]).rule(["clone3"], "SCMP_ACT_ERRNO", errnoRet: 1)
        let machine = try config.machine()
        let clone3 = try number("clone3")
        #expect(try machine.run(SyscallData(number: clone3)) == Answer.refused)
        #expect(try machine.run(SyscallData(number: clone3 + 1)) == Answer.noSuchCall)
    }

    @Test func `a profile without any name known gets the default for all`() throws {
        let config = profile([], names: ["no_such_call"])
        #expect(try config.machine().run(SyscallData(number: 600)) == Answer.refused)
        #expect(try config.messages().contains { $0.hasPrefix("could not find any syscalls") })
    }

    @Test func `calls younger than libseccomp have rules all the same`() throws {
        let architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
        let config = profile(architectures, names: ["mkdir", "fchmodat2", "mseal"])
            .rule(["cachestat"], "SCMP_ACT_ERRNO", errnoRet: 95)
        let machine = try config.machine()
        for (bits, architecture) in [
            (0 as UInt32, SyscallData.x86_64), (SyscallData.x32Bit, SyscallData.x86_64), (0, SyscallData.i386),
        ] {
            func answer(_ number: UInt32) throws -> UInt32 {
                try machine.run(SyscallData(number: number | bits, architecture: architecture))
            }
            #expect(try answer(451) == Answer.errno(95))
            #expect(try answer(452) == Answer.allow)
            #expect(try answer(453) == Answer.refused)
            #expect(try answer(462) == Answer.allow)
            #expect(try answer(463) == Answer.noSuchCall)
        }
        let allowing = SeccompConfig(defaultAction: "SCMP_ACT_ALLOW").rule(["mseal"], "SCMP_ACT_KILL_PROCESS")
        #expect(try allowing.machine().run(SyscallData(number: 462)) == Answer.killProcess)
        #expect(
            try allowing.machine().run(SyscallData(number: 462, architecture: SyscallData.i386)) == Answer.killThread)
    }

    /// The sockets' calls of the long profile, which i386 has beside socketcall since Linux 4.3.
    private static let i386Sockets: [UInt32] = [359, 361, 362, 363, 364, 370, 372]

    @Test func `a long profile answers every number as it says`() throws {
        let allowed = [
            "accept", "accept4", "access", "bind", "brk", "capget", "chdir", "chmod", "chown", "clock_gettime", "clone",
            "close", "close_range", "connect", "dup", "dup2", "dup3", "epoll_ctl", "epoll_wait", "execve", "exit",
            "exit_group", "faccessat2", "fchmod", "fcntl", "fork", "fstat", "futex", "getcwd", "getdents64", "getpid",
            "getrandom", "ioctl", "kill", "link", "listen", "lseek", "madvise", "mkdir", "mmap", "mprotect", "munmap",
            "nanosleep", "openat", "openat2", "pipe2", "poll", "prctl", "read", "readlink", "recvmsg", "rename",
            "rt_sigaction", "sendmsg", "set_tid_address", "setuid", "socket", "stat", "statx", "unlink", "wait4",
            "write",
        ]
        for architectures in [["SCMP_ARCH_X86_64"], ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]] {
            let machine = try profile(architectures, names: allowed).machine()
            let all = architectures.count > 1
            for (name, bits, architecture, listed) in [
                ("x86_64", 0 as UInt32, SyscallData.x86_64, true), ("x32", SyscallData.x32Bit, SyscallData.x86_64, all),
                ("x86", 0, SyscallData.i386, all),
            ] {
                var numbers = Set(allowed.compactMap { known($0, name).map { $0 & ~SyscallData.x32Bit } })
                if name == "x86" { numbers.formUnion(SeccompArchitectureTests.i386Sockets) }
                let last = try #require(numbers.max())
                for number in 0..<(600 as UInt32) {
                    let answer = try machine.run(SyscallData(number: number | bits, architecture: architecture))
                    let expected =
                        numbers.contains(number)
                        ? Answer.allow : number > last ? Answer.noSuchCall : Answer.refused
                    #expect(answer == (listed ? expected : Answer.killThread), "\(name) \(number)")
                }
            }
        }
    }

    @Test func `a rule for socketcall covers the sockets of i386, whatever their conditions`() throws {
        let audit = SeccompRule.Argument(index: 2, value: 9, op: "SCMP_CMP_EQ")
        let other = SeccompRule.Argument(index: 2, value: 9, op: "SCMP_CMP_NE")
        let machine = try profile(["SCMP_ARCH_X86"], names: ["bind", "openat2", "socketcall"])
            .rule(["socket"], "SCMP_ACT_ERRNO", errnoRet: 22, [audit]).rule(["socket"], "SCMP_ACT_ALLOW", [other])
            .machine()
        let packed = SyscallData(number: try number("socketcall", "x86"), architecture: SyscallData.i386)
        #expect(try machine.run(packed) == Answer.allow)
        let socket = try number("socket")
        #expect(try machine.run(SyscallData(number: socket, arguments: [16, 3, 9, 0, 0, 0])) == Answer.errno(22))
        #expect(try machine.run(SyscallData(number: socket, arguments: [16, 3, 8, 0, 0, 0])) == Answer.allow)
    }
}

import CLinux
import Glibc
import Testing

@testable import ContainerRuntime

/// Filters in the kernel. Each test forks a child that loads one, makes a call and ends; between fork and end it does
/// nothing that could need a lock of another thread.
@Suite("Seccomp in the kernel", .serialized)
struct SeccompKernelTests {
    private static let loadFailed: Int32 = 250

    private func compile(_ action: String, errnoRet: UInt32? = nil, listener: Bool = false) throws -> SeccompProgram {
        var config = SeccompConfig(defaultAction: "SCMP_ACT_ALLOW")
            .rule(["mkdir", "mkdirat"], action, errnoRet: errnoRet)
        if listener { config.listenerPath = "/run/agent.sock" }
        return try SeccompProgram.compile(config, warn: { _ in })
    }

    /// Runs `body` in a child under the filter; it gets the listener.
    ///
    /// - Returns: the child's pid.
    private func child(_ program: SeccompProgram, _ body: (Int32) -> Int32) throws -> pid_t {
        let pid = clinux_fork()
        try #require(pid >= 0)
        guard pid == 0 else { return pid }
        let setNoNewPrivileges = 38
        _ = clinux_syscall(Int(SYS_prctl), setNoNewPrivileges, 1, 0, 0, 0, 0)
        guard let listener = try? program.load() ?? -1 else { _exit(Self.loadFailed) }
        _exit(body(listener))
    }

    private func wait(for pid: pid_t) -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return status
    }

    /// mkdir where nothing can be made: ENOTDIR without a filter.
    private func tryMkdir() -> Int32 { mkdir("/dev/null/x", 0o700) == 0 ? 0 : errno }

    @Test func `a call under ERRNO fails with its number and others go on`() throws {
        let program = try compile("SCMP_ACT_ERRNO", errnoRet: 95)
        let pid = try child(program) { _ in
            let code = tryMkdir()
            return getppid() > 0 ? code : 1
        }
        #expect(wait(for: pid) == 95 << 8)
    }

    @Test(arguments: ["SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS"])
    func `a call under KILL ends the process with SIGSYS`(action: String) throws {
        let pid = try child(try compile(action)) { _ in tryMkdir() }
        #expect(wait(for: pid) & 0x7f == SIGSYS)
    }

    @Test func `all flags of the kernel load`() throws {
        var config = SeccompConfig(defaultAction: "SCMP_ACT_ALLOW").rule(["mkdir"], "SCMP_ACT_ERRNO", errnoRet: 95)
        config.flags = SeccompFeatures.supportedFlags
        let pid = try child(try SeccompProgram.compile(config, warn: { _ in })) { _ in tryMkdir() }
        #expect(wait(for: pid) == 95 << 8)
    }

    @Test func `a call under NOTIFY is answered through the descriptor`() throws {
        let program = try compile("SCMP_ACT_NOTIFY", listener: true)
        var (reading, writing): (Int32, Int32) = (-1, -1)
        try #require(clinux_pipe(&reading, &writing) == 0)
        let pid = try child(program) { listener in
            var number = listener
            guard listener >= 0, write(writing, &number, 4) == 4 else { return Self.loadFailed }
            return tryMkdir()
        }
        close(writing)
        var theirs: Int32 = -1
        #expect(read(reading, &theirs, 4) == 4)
        close(reading)
        let process = clinux_pidfd_open(pid)
        let pidfdGetfd = 438
        let listener = Int32(clinux_syscall(pidfdGetfd, Int(process), Int(theirs), 0, 0, 0, 0))
        #expect(listener >= 0)
        #expect(answer(listener, error: EXDEV) == pid)
        #expect(wait(for: pid) == EXDEV << 8)
        close(listener)
        close(process)
    }

    /// Takes one notification and answers it with an error number; returns who asked.
    private func answer(_ listener: Int32, error: Int32) -> pid_t {
        var event = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
        guard poll(&event, 1, 10_000) == 1 else { return -1 }
        var notification = [UInt64](repeating: 0, count: 10)
        let receive = 0xc050_2100
        let send = 0xc018_2101
        let received = notification.withUnsafeMutableBytes {
            clinux_syscall(Int(SYS_ioctl), Int(listener), receive, Int(bitPattern: $0.baseAddress), 0, 0, 0)
        }
        guard received == 0 else { return -1 }
        var response: [UInt64] = [notification[0], 0, UInt64(UInt32(bitPattern: -error))]
        let sent = response.withUnsafeMutableBytes {
            clinux_syscall(Int(SYS_ioctl), Int(listener), send, Int(bitPattern: $0.baseAddress), 0, 0, 0)
        }
        return sent == 0 ? pid_t(truncatingIfNeeded: notification[1]) : -1
    }

    @Test func `the listener's owner gets the state and the descriptor`() throws {
        let path = "/tmp/rondo-seccomp-\(getpid()).sock"
        unlink(path)
        let server = clinux_listen_unix(path, 1)
        try #require(server >= 0)
        defer {
            close(server)
            unlink(path)
        }
        let state = SeccompProgram.processState(
            ociVersion: "1.2.0", pid: 7, metadata: "more", state: .members(("id", .string("c"))))
        var (reading, writing): (Int32, Int32) = (-1, -1)
        try #require(clinux_pipe(&reading, &writing) == 0)
        try SeccompProgram.sendListener(writing, to: path, state: state.text())
        close(writing)
        let connection = clinux_accept(server)
        let (text, received) = receive(connection)
        close(connection)
        #expect(
            text == #"{"ociVersion":"1.2.0","fds":["seccompFd"],"pid":7,"metadata":"more","state":{"id":"c"}}"#)
        // What was received is the pipe's other end.
        #expect(write(received, "x", 1) == 1)
        var byte: UInt8 = 0
        #expect(read(reading, &byte, 1) == 1 && byte == UInt8(ascii: "x"))
        close(received)
        close(reading)
    }

    private func receive(_ connection: Int32) -> (text: String, descriptor: Int32) {
        var bytes = [UInt8](repeating: 0, count: 512)
        var control = [UInt64](repeating: 0, count: 4)
        let count = bytes.withUnsafeMutableBytes { bytes in
            control.withUnsafeMutableBytes { control in
                var part = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
                return withUnsafeMutablePointer(to: &part) { part in
                    var message = msghdr()
                    message.msg_iov = part
                    message.msg_iovlen = 1
                    message.msg_control = control.baseAddress
                    message.msg_controllen = control.count
                    return recvmsg(connection, &message, 0)
                }
            }
        }
        // A cmsghdr is 16 bytes; the descriptor follows.
        return (String(decoding: bytes.prefix(max(0, count)), as: UTF8.self), Int32(truncatingIfNeeded: control[2]))
    }

    @Test func `a socket that is not there is an error with its path`() {
        let path = "/tmp/rondo-no-such-\(getpid()).sock"
        let failure = #expect(throws: RuntimeFailure.self) {
            try SeccompProgram.sendListener(0, to: path, state: "{}")
        }
        #expect(failure?.message.contains(path) == true)
        let long = "/tmp/" + String(repeating: "x", count: 200)
        #expect(throws: RuntimeFailure.self) { try SeccompProgram.sendListener(0, to: long, state: "{}") }
    }
}

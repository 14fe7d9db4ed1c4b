internal import CLinux
internal import Glibc
internal import LinuxSystem

/// A file in memory for what a command of the runtime prints: unlike a pipe it never makes the command wait.
final class OutputFile {
    private let descriptor: Int32

    init?() {
        let closeOnExec = 1
        let opened = "output".withCString {
            clinux_syscall(Int(SYS_memfd_create), Int(bitPattern: $0), closeOnExec, 0, 0, 0, 0)
        }
        guard opened >= 0 else { return nil }
        descriptor = Int32(opened)
    }

    deinit { close(descriptor) }

    /// Standard streams with output into the file.
    func streams() -> RuntimeCall.Streams {
        let null = clinux_open("/dev/null", O_RDWR, 0)
        return RuntimeCall.Streams(input: null, output: fcntl(descriptor, F_DUPFD_CLOEXEC, 3), errors: null)
    }

    /// What has been written.
    func content() -> [UInt8] { (try? readFile("/proc/self/fd/\(descriptor)", limit: 4 << 20)) ?? [] }
}

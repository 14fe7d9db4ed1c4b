internal import CLinux
internal import Glibc

/// Work that blocks, or changes what belongs to a thread, on a thread that is made for it and ends with it.
public enum OwnThread {
    private final class Errand: Sendable {
        let work: @Sendable () -> Void
        init(_ work: @escaping @Sendable () -> Void) { self.work = work }
    }

    /// `CLONE_NEWNET`.
    private static let networkNamespace = 0x4000_0000

    /// Starts some work.
    ///
    /// - Parameter work: what is done.
    /// - Returns: whether there is such a thread.
    public static func start(_ work: @escaping @Sendable () -> Void) -> Bool {
        let errand = Unmanaged.passRetained(Errand(work))
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        pthread_attr_setstacksize(&attributes, 512 << 10)
        var thread = pthread_t()
        let failure = pthread_create(
            &thread, &attributes,
            { context in
                guard let context else { return nil }
                Unmanaged<Errand>.fromOpaque(context).takeRetainedValue().work()
                return nil
            }, errand.toOpaque())
        if failure != 0 { errand.release() }
        return failure == 0
    }

    /// Has this thread, which must have been made by ``start(_:)``, see the network of another process.
    ///
    /// - Parameter pid: the process.
    /// - Throws: why it cannot.
    public static func enterNetwork(of pid: Int32) throws(SystemError) {
        let place = "/proc/\(pid)/ns/net"
        let namespace = try FileDescriptor.open(place, flags: O_RDONLY)
        let result = clinux_syscall(Int(SYS_setns), Int(namespace.raw), networkNamespace, 0, 0, 0, 0)
        guard result == 0 else { throw SystemError(call: "setns", path: place, errno: Int32(-result)) }
    }

    /// Connects to a port of loopback in the network that this thread sees; blocks.
    ///
    /// - Parameters:
    ///   - port: the port.
    ///   - isVersion6: whether `::1` is meant.
    ///   - milliseconds: how long it may take.
    /// - Returns: the connection, which does not block.
    /// - Throws: why there is none.
    public static func connectLoopback(
        _ port: UInt16, isVersion6: Bool, milliseconds: Int32
    ) throws(SystemError) -> FileDescriptor {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let raw = socket(isVersion6 ? AF_INET6 : AF_INET, kind, 0)
        guard raw >= 0 else { throw .last("socket") }
        let connection = FileDescriptor(owning: raw)
        var result: Int32
        if isVersion6 {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            address.sin6_addr = in6addr_loopback
            result = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(raw, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
        } else {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            result = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        if result == 0 { return connection }
        guard errno == EINPROGRESS else { throw .last("connect") }
        var waiting = pollfd(fd: raw, events: Int16(POLLOUT), revents: 0)
        guard poll(&waiting, 1, milliseconds) > 0 else { throw SystemError(call: "connect", errno: ETIMEDOUT) }
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(raw, SOL_SOCKET, SO_ERROR, &code, &size) == 0 else { throw .last("connect") }
        guard code == 0 else { throw SystemError(call: "connect", errno: code) }
        return connection
    }
}

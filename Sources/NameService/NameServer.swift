internal import CLinux
public import ClusterModel
internal import Glibc
internal import LinuxSystem
internal import Synchronization

/// Where the name server listens and whom it serves.
public struct NameServerSettings: Sendable {
    /// The addresses that it answers on; they need not be there yet.
    public var addresses: [NetworkAddress]
    /// The port, of UDP and TCP.
    public var port: UInt16
    /// Who is answered. Others get nothing: this is not a resolver for the world.
    public var clients: [NetworkPrefix]
    /// Where the host's own resolvers are written.
    public var resolverFile: String
    /// Where those listen.
    public var resolverPort: UInt16
    /// How long one of them may take.
    public var patience: Duration

    /// Makes settings; what is not given is as usual.
    public init(
        addresses: [NetworkAddress], port: UInt16 = 53, clients: [NetworkPrefix],
        resolverFile: String = "/etc/resolv.conf", resolverPort: UInt16 = 53, patience: Duration = .seconds(2)
    ) {
        self.addresses = addresses
        self.port = port
        self.clients = clients
        self.resolverFile = resolverFile
        self.resolverPort = resolverPort
        self.patience = patience
    }
}

/// Why the name server does not listen.
public struct NameServerError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What happened, why, and what to do.
    public let description: String
    /// Whether somebody else listens there.
    public let isTaken: Bool

    init(_ description: String, isTaken: Bool = false) {
        self.description = description
        self.isTaken = isTaken
    }

    /// The call that has just failed in this thread.
    static func last(_ doing: String) -> NameServerError {
        NameServerError("cannot \(doing): \(SystemError.text(of: errno))")
    }
}

/// Answers questions for names of the cluster from a table, and passes all others on to the host's own resolvers.
///
/// One thread does all of it around poll(2): a question for a name of ours costs some microseconds, and one that is
/// passed on is a socket that waits. Decisions are `Answerer`'s. Each question that is passed on has a socket with a
/// port of its own and a random number, so that who wants to forge an answer has to guess both.
public final class NameServer: Sendable {
    private let table: Mutex<NameTable>
    private let wake: FileDescriptor
    private let isStopping = Atomic(false)
    private let thread: Mutex<pthread_t?>

    /// The port that it listens on: another one than was asked for only when that was 0.
    public let port: UInt16

    /// Listens, and answers from a thread of its own.
    public init(_ settings: NameServerSettings, table: NameTable = NameTable()) throws(NameServerError) {
        self.table = Mutex(table)
        thread = Mutex(nil)
        let raw = clinux_event_descriptor()
        guard raw >= 0 else { throw .last("answer questions for names") }
        wake = FileDescriptor(owning: raw)
        let doors = try NameDoors(settings)
        port = doors.port
        let loop = NameLoop(settings, doors, server: self)
        var thread = pthread_t()
        let failure = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<NameLoop>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, Unmanaged.passRetained(loop).toOpaque())
        guard failure == 0 else {
            throw NameServerError("cannot start a thread to answer questions: \(SystemError.text(of: failure))")
        }
        self.thread.withLock { $0 = thread }
    }

    /// From the next question on, answers are of this table.
    public func update(_ table: NameTable) { self.table.withLock { $0 = table } }

    /// The table that answers are taken from.
    public var current: NameTable { table.withLock { $0 } }

    /// Ends; nothing is answered when this returns.
    public func stop() {
        isStopping.store(true, ordering: .releasing)
        var one: UInt64 = 1
        _ = write(wake.raw, &one, 8)
        if let thread = thread.withLock({ $0.take() }) { pthread_join(thread, nil) }
    }

    var wakeDescriptor: Int32 { wake.raw }
    var mustStop: Bool { isStopping.load(ordering: .acquiring) }
}

/// A descriptor that closes with its last owner.
final class NameSocket {
    let descriptor: FileDescriptor
    var raw: Int32 { descriptor.raw }

    init(owning raw: Int32) { descriptor = FileDescriptor(owning: raw) }

    /// A socket that never blocks and does not pass exec.
    convenience init?(isIPv6: Bool, isStream: Bool) {
        let (stream, datagram, flags): (Int32, Int32, Int32) = (1, 2, 0o2_004_000)
        let raw = socket(isIPv6 ? AF_INET6 : AF_INET, (isStream ? stream : datagram) | flags, 0)
        guard raw >= 0 else { return nil }
        self.init(owning: raw)
    }

    func set(_ level: Int32, _ option: Int32, _ value: Int32 = 1) {
        var value = value
        setsockopt(raw, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Its own name or its peer's, by getsockname(2) or getpeername(2).
    func name(
        _ ask: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> SocketName? {
        var bytes = [UInt8](repeating: 0, count: SocketName.room)
        var length = socklen_t(bytes.count)
        let result = bytes.withUnsafeMutableBytes { room in
            room.baseAddress.map { ask(raw, $0.assumingMemoryBound(to: sockaddr.self), &length) } ?? -1
        }
        return result == 0 ? SocketName(bytes.prefix(Int(length))) : nil
    }

    /// 0 or an error number.
    func bind(_ address: SocketName) -> Int32 { address.with { Glibc.bind(raw, $0, $1) } == 0 ? 0 : errno }

    /// 0 or an error number; of a stream also EINPROGRESS.
    func connect(_ address: SocketName) -> Int32 { address.with { Glibc.connect(raw, $0, $1) } == 0 ? 0 : errno }
}

/// An address with its port, as sockets have it.
struct SocketName: Hashable {
    private(set) var bytes: [UInt8]

    static let room = 28

    init(_ address: NetworkAddress, port: UInt16) {
        bytes = [UInt8](repeating: 0, count: address.isIPv6 ? 28 : 16)
        let family = sa_family_t(address.isIPv6 ? AF_INET6 : AF_INET)
        withUnsafeBytes(of: family) { bytes.replaceSubrange(0..<2, with: $0) }
        bytes[2] = UInt8(port >> 8)
        bytes[3] = UInt8(port & 0xff)
        // Between port and address, IPv6 has the flow.
        let place = address.isIPv6 ? 8 : 4
        bytes.replaceSubrange(place..<(place + address.bytes.count), with: address.bytes)
    }

    /// What the kernel has written.
    init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count >= 16 else { return nil }
        self.bytes = Array(bytes)
        guard address != nil else { return nil }
    }

    var address: NetworkAddress? {
        let family = Int32(bytes.withUnsafeBytes { $0.loadUnaligned(as: sa_family_t.self) })
        if family == AF_INET { return NetworkAddress(bytes: bytes[4..<8]) }
        guard family == AF_INET6, bytes.count >= 24 else { return nil }
        return NetworkAddress(bytes: bytes[8..<24])
    }

    var port: UInt16 { UInt16(bytes[2]) << 8 | UInt16(bytes[3]) }

    func with(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        bytes.withUnsafeBytes { raw in
            guard let base = raw.baseAddress else { return -1 }
            return body(base.assumingMemoryBound(to: sockaddr.self), socklen_t(raw.count))
        }
    }
}

/// The sockets that questions come to.
struct NameDoors {
    var packets: [NameSocket] = []
    var listeners: [NameSocket] = []
    private(set) var port: UInt16

    init(_ settings: NameServerSettings) throws(NameServerError) {
        port = settings.port
        for address in settings.addresses {
            // Of UDP first: where the kernel chooses the port, TCP gets the same.
            for isStream in [false, true] { try open(address, isStream: isStream) }
        }
    }

    private mutating func open(_ address: NetworkAddress, isStream: Bool) throws(NameServerError) {
        let doing = "answer questions for names at \(address) port \(port)"
        guard let socket = NameSocket(isIPv6: address.isIPv6, isStream: isStream) else { throw .last(doing) }
        // The address may come later, and may go and come back.
        let freeBind: Int32 = 15
        socket.set(Int32(IPPROTO_IP), freeBind)
        if address.isIPv6 {
            let freeBind6: Int32 = 78
            socket.set(Int32(IPPROTO_IPV6), freeBind6)
            socket.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY)
        }
        if isStream { socket.set(SOL_SOCKET, SO_REUSEADDR) }
        // So that a burst of questions waits rather than is lost.
        let receiveBufferForce: Int32 = 33
        if !isStream { socket.set(SOL_SOCKET, receiveBufferForce, 1 << 20) }
        let error = socket.bind(SocketName(address, port: port))
        guard error == 0 else {
            throw NameServerError(
                "cannot \(doing): \(SystemError.text(of: error))"
                    + (error == EADDRINUSE ? "; another name server listens there" : ""), isTaken: error == EADDRINUSE)
        }
        if port == 0 { port = socket.name(getsockname)?.port ?? 0 }
        if isStream {
            guard listen(socket.raw, 64) == 0 else { throw .last(doing) }
            listeners.append(socket)
        } else {
            packets.append(socket)
        }
    }

}

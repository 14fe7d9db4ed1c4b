internal import CLinux
import Glibc

/// Connections of the hub's thread to monitors; used by that thread alone.
struct HubConnections {
    private final class Connection {
        let containerID: String
        let directory: MonitorDirectory
        let token: UInt64
        /// -1 while not connected; closed by `drop`.
        var socket: Int32 = -1
        var frames = MonitorFrames(limit: MonitorState.encodedLimit)
        var outgoing: [UInt8] = []
        /// Commands given before the connection was there.
        var waiting: [MonitorCommand] = []
        var nextAttempt: Int64
        var pause: Int64 = 2
        let giveUpAt: Int64
        /// The last news was given; only commands (`quit`) still matter.
        var isFinished = false

        init(containerID: String, directory: MonitorDirectory, token: UInt64, now: Int64) {
            self.containerID = containerID
            self.directory = directory
            self.token = token
            nextAttempt = now
            giveUpAt = now + 10_000
        }
    }

    private let epoll: Int32
    private let report: @Sendable (MonitorEvent) -> Void
    private var byToken: [UInt64: Connection] = [:]
    private var byContainer: [String: Connection] = [:]
    private var lastToken: UInt64 = 0

    init(epoll: Int32, report: @escaping @Sendable (MonitorEvent) -> Void) {
        self.epoll = epoll
        self.report = report
    }

    mutating func handle(_ request: HubRequest) {
        switch request {
        case .attach(let containerID, let directory):
            guard byContainer[containerID] == nil else { return }
            lastToken += 1
            let connection = Connection(
                containerID: containerID, directory: directory, token: lastToken,
                now: HostFacts.monotonicMilliseconds())
            byToken[lastToken] = connection
            byContainer[containerID] = connection
        case .send(let command, let containerID):
            guard let connection = byContainer[containerID] else { return }
            if connection.socket >= 0 {
                send(command, on: connection)
            } else if !connection.isFinished, connection.waiting.count < 16 {
                connection.waiting.append(command)
            }
        case .detach(let containerID):
            if let connection = byContainer[containerID] { drop(connection) }
        case .close:
            closeAll()
        }
    }

    mutating func closeAll() {
        for connection in byToken.values { drop(connection) }
    }

    // MARK: Connecting

    /// Milliseconds for `epoll_wait`; -1 when nothing is due.
    func millisecondsToNextRetry(now: Int64) -> Int32 {
        let next = byToken.values.filter { $0.socket < 0 && !$0.isFinished }.map(\.nextAttempt).min()
        guard let next else { return -1 }
        return Int32(min(max(next - now, 0), 60_000))
    }

    mutating func retry(now: Int64) {
        for connection in byToken.values
        where connection.socket < 0 && !connection.isFinished && connection.nextAttempt <= now {
            connect(connection, now: now)
        }
    }

    private mutating func connect(_ connection: Connection, now: Int64) {
        let held = connection.directory.hasMonitor
        let opened = clinux_open_directory_path(connection.directory.path)
        if opened >= 0 {
            let directory = FileDescriptor(owning: opened)
            // The name by way of the descriptor is short enough for a socket address whatever the directory's is.
            let socket = clinux_connect_unix("/proc/self/fd/\(directory.raw)/\(MonitorDirectory.socketName)")
            if socket >= 0 { return connected(connection, socket) }
        }
        // Asked before connecting: a monitor that went away in between has left its exit file by now.
        guard held else { return conclude(connection, otherwise: "its monitor is gone without an exit file") }
        guard now < connection.giveUpAt else {
            return conclude(connection, otherwise: "its monitor runs but cannot be reached")
        }
        connection.nextAttempt = now + connection.pause
        connection.pause = min(connection.pause * 2, 250)
    }

    private mutating func connected(_ connection: Connection, _ socket: Int32) {
        connection.socket = socket
        connection.frames = MonitorFrames(limit: MonitorState.encodedLimit)
        connection.outgoing = []
        guard clinux_epoll_set(epoll, CLINUX_ADD, socket, CLINUX_READABLE, connection.token) == 0 else {
            return conclude(connection, otherwise: SystemError.last("epoll_ctl").description)
        }
        let waiting = connection.waiting
        connection.waiting = []
        for command in waiting { send(command, on: connection) }
    }

    // MARK: Talking

    private mutating func send(_ command: MonitorCommand, on connection: Connection) {
        // A monitor that takes nothing for so long does not work any more; its end will be noticed by the lock.
        guard connection.outgoing.count < 65536 else { return }
        connection.outgoing += MonitorFrames.frame(command.encoded())
        flush(connection)
    }

    private mutating func flush(_ connection: Connection) {
        guard connection.socket >= 0 else { return }
        while !connection.outgoing.isEmpty {
            let count = connection.outgoing.withUnsafeBytes {
                Glibc.send(connection.socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0 {
                if errno == EINTR { continue }
                break  // Full: the socket says when it has room. Broken: reading will tell.
            }
            connection.outgoing.removeFirst(count)
        }
        let interest = UInt32(connection.outgoing.isEmpty ? CLINUX_READABLE : CLINUX_READABLE | CLINUX_WRITABLE)
        _ = clinux_epoll_set(epoll, CLINUX_CHANGE, connection.socket, interest, connection.token)
    }

    mutating func ready(token: UInt64, flags: UInt32) {
        guard let connection = byToken[token], connection.socket >= 0 else { return }
        if flags & CLINUX_WRITABLE != 0 { flush(connection) }
        guard flags & (CLINUX_READABLE | CLINUX_HANGUP) != 0 else { return }
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(connection.socket, &chunk, chunk.count, 0)
            if count < 0 && errno == EINTR { continue }
            if count < 0 && errno == EAGAIN { return }
            guard count > 0 else { return disconnected(connection) }
            connection.frames.append(chunk.prefix(count))
            do throws(FormatError) {
                while let message = try connection.frames.next() {
                    received(try MonitorState(decoding: message), on: connection)
                }
            } catch {
                return conclude(connection, otherwise: "its monitor sent nonsense: \(error)")
            }
            if connection.socket < 0 { return }
        }
    }

    private mutating func received(_ state: MonitorState, on connection: Connection) {
        guard state.containerID == connection.containerID else { return }
        guard !connection.isFinished else { return }
        if case .ended = state.phase {
            // The file is the truth; the connection stays for a `quit`.
            connection.isFinished = true
            reportEnd(connection, otherwise: "its monitor reports an end but there is no exit file")
        } else {
            report(.state(containerID: connection.containerID, state))
        }
    }

    private mutating func disconnected(_ connection: Connection) {
        guard !connection.isFinished else { return drop(connection) }
        close(connection.socket)
        connection.socket = -1
        // The kernel closes a dying monitor's socket before its lock; asking again a moment later settles it.
        connection.nextAttempt = HostFacts.monotonicMilliseconds()
    }

    // MARK: Ending

    private func reportEnd(_ connection: Connection, otherwise reason: String) {
        switch Result(catching: { () throws(MonitorError) in try connection.directory.readExit() }) {
        case .success(let exit?): report(.ended(containerID: connection.containerID, exit))
        case .success(nil): report(.lost(containerID: connection.containerID, reason: reason))
        case .failure(let error): report(.lost(containerID: connection.containerID, reason: "\(reason); \(error)"))
        }
    }

    private mutating func conclude(_ connection: Connection, otherwise reason: String) {
        if !connection.isFinished { reportEnd(connection, otherwise: reason) }
        drop(connection)
    }

    private mutating func drop(_ connection: Connection) {
        if connection.socket >= 0 { close(connection.socket) }
        connection.socket = -1
        connection.isFinished = true
        byToken[connection.token] = nil
        byContainer[connection.containerID] = nil
    }
}

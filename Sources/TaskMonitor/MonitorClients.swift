internal import CLinux
import Glibc
import LinuxSystem

/// Connections to the monitor's socket: normally one, from the agent.
struct MonitorClients {
    private struct Client {
        let socket: Int32
        var frames = MonitorFrames(limit: 64)
    }

    /// More would only be a mistake or an attack.
    private static let limit = 8
    private var clients: [Client] = []

    /// Descriptors to wait for.
    var sockets: [Int32] { clients.map(\.socket) }
    /// Nobody listens.
    var isEmpty: Bool { clients.isEmpty }

    /// Takes all waiting connections and greets each with the present state.
    mutating func accept(from listener: Int32, greeting: [UInt8]) {
        while true {
            let socket = clinux_accept(listener)
            guard socket >= 0 else { return }
            guard clients.count < Self.limit, clinux_check_peer(socket, geteuid()) == 0 else {
                close(socket)
                continue
            }
            let client = Client(socket: socket)
            if send(greeting, to: client) { clients.append(client) } else { close(socket) }
        }
    }

    /// Tells everybody; one that does not read is dropped, it can connect again and ask.
    mutating func broadcast(_ message: [UInt8]) {
        let failed = clients.filter { !send(message, to: $0) }.map(\.socket)
        for socket in failed { drop(socket) }
    }

    private func send(_ message: [UInt8], to client: Client) -> Bool {
        let framed = MonitorFrames.frame(message)
        return framed.withUnsafeBytes { Glibc.send(client.socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            == framed.count
    }

    /// Hands one client a terminal; a client that asks for one that is not there is told so by its end.
    mutating func give(_ terminal: Int32?, to socket: Int32) {
        guard clients.contains(where: { $0.socket == socket }) else { return }
        if let terminal, MonitorTerminal.give(terminal, to: socket) { return }
        drop(socket)
    }

    /// Reads the commands that have arrived from one client.
    mutating func receive(from socket: Int32) -> [MonitorCommand] {
        guard let index = clients.firstIndex(where: { $0.socket == socket }) else { return [] }
        var commands: [MonitorCommand] = []
        var chunk = [UInt8](repeating: 0, count: 512)
        let count = recv(socket, &chunk, chunk.count, 0)
        if count < 0 && (errno == EAGAIN || errno == EINTR) { return [] }
        guard count > 0 else {
            drop(socket)
            return []
        }
        clients[index].frames.append(chunk.prefix(count))
        do throws(FormatError) {
            while let message = try clients[index].frames.next() {
                commands.append(try MonitorCommand(decoding: message))
            }
        } catch {
            TaskMonitor.complain("a client sent nonsense: \(error)")
            drop(socket)
        }
        return commands
    }

    private mutating func drop(_ socket: Int32) {
        close(socket)
        clients.removeAll { $0.socket == socket }
    }
}

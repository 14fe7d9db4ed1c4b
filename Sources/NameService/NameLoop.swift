internal import CLinux
internal import ClusterModel
internal import Glibc
internal import LinuxSystem

/// The name server's thread: all sockets, and who waits for what. Everything that others can make it hold is bounded.
final class NameLoop {
    /// Somebody who asks over TCP.
    struct Client {
        var socket: NameSocket
        var address: NetworkAddress
        var incoming: [UInt8] = []
        var outgoing: [UInt8] = []
        /// Its question was passed on; the next one is read when it is answered.
        var isWaiting = false
        var deadline: Int64
    }

    private let settings: NameServerSettings
    private let doors: NameDoors
    private let server: NameServer
    private var clients: [Int: Client] = [:]
    private var lastClient = 0
    private var turn = 0
    private var forwarder: Forwarder

    private static let mostClients = 128
    private static let mostClientsOfOne = 16
    private static let mostPacketsAtOnce = 64
    private static let clientPatience: Int64 = 10_000

    init(_ settings: NameServerSettings, _ doors: NameDoors, server: NameServer) {
        self.settings = settings
        self.doors = doors
        self.server = server
        forwarder = Forwarder(settings, own: doors.port)
    }

    func run() {
        signalsAreForOthers()
        while !server.mustStop {
            let numbers = clients.keys.sorted()
            var entries = [pollfd(fd: server.wakeDescriptor, events: Int16(POLLIN), revents: 0)]
            entries += doors.packets.map { pollfd(fd: $0.raw, events: Int16(POLLIN), revents: 0) }
            entries += doors.listeners.map { pollfd(fd: $0.raw, events: Int16(POLLIN), revents: 0) }
            entries += numbers.map { number in
                let client = clients[number]
                let events = client.map { $0.outgoing.isEmpty ? ($0.isWaiting ? 0 : POLLIN) : POLLOUT } ?? 0
                return pollfd(fd: client?.socket.raw ?? -1, events: Int16(events), revents: 0)
            }
            let beginOfFlights = entries.count
            entries += forwarder.pollEntries
            let now = HostFacts.monotonicMilliseconds()
            let next = min(forwarder.nextDeadline ?? .max, clients.values.map(\.deadline).min() ?? .max)
            let pause = next == .max ? -1 : Int32(clamping: max(0, next - now) + 1)
            guard poll(&entries, nfds_t(entries.count), pause) >= 0 || errno == EINTR else { return }
            if server.mustStop { return }
            work(entries, numbers, beginOfFlights)
        }
    }

    private func work(_ entries: [pollfd], _ numbers: [Int], _ beginOfFlights: Int) {
        let now = HostFacts.monotonicMilliseconds()
        var place = 1
        for socket in doors.packets {
            if entries[place].revents != 0 { readPackets(socket, now) }
            place += 1
        }
        for socket in doors.listeners {
            if entries[place].revents != 0 { accept(socket, now) }
            place += 1
        }
        for number in numbers {
            if entries[place].revents != 0 { serve(number, now) }
            place += 1
        }
        for done in forwarder.work(entries[beginOfFlights...], now) { deliver(done.asker, done.answer, now) }
        for (number, client) in clients where client.deadline <= now { clients[number] = nil }
    }

    private func signalsAreForOthers() {
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, nil)
    }

    // MARK: Packets

    private func readPackets(_ socket: NameSocket, _ now: Int64) {
        for _ in 0..<Self.mostPacketsAtOnce {
            guard let (message, sender) = receive(socket) else { return }
            guard let sender, let address = sender.address, isServed(address) else { continue }
            switch outcome(message, isStream: false) {
            case .silence: continue
            case .answer(let answer): send(answer, socket, sender)
            case .forward(let query):
                if !forwarder.begin(query, for: .packet(socket, sender), from: address, isStream: false, now) {
                    send(Answerer.failure(query, .serverFailure), socket, sender)
                }
            }
        }
    }

    private func receive(_ socket: NameSocket) -> (message: [UInt8], sender: SocketName?)? {
        var name = [UInt8](repeating: 0, count: SocketName.room)
        var length = socklen_t(name.count)
        var sender: SocketName?
        let largest = 4097
        while true {
            var count = 0
            let message = [UInt8](unsafeUninitializedCapacity: largest) { buffer, filled in
                count = name.withUnsafeMutableBytes { raw in
                    recvfrom(
                        socket.raw, buffer.baseAddress, largest, 0,
                        raw.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
                }
                filled = max(0, count)
            }
            if count < 0, errno == EINTR { continue }
            // An error of an earlier answer, as when its asker has gone, is taken off the socket by this.
            if count < 0 { return errno == EAGAIN ? nil : ([], nil) }
            sender = SocketName(name.prefix(Int(length)))
            return (message, sender)
        }
    }

    private func send(_ answer: [UInt8], _ socket: NameSocket, _ to: SocketName) {
        _ = to.with { address, length in
            answer.withUnsafeBytes { Int32(clamping: sendto(socket.raw, $0.baseAddress, $0.count, 0, address, length)) }
        }
    }

    private func isServed(_ address: NetworkAddress) -> Bool { settings.clients.contains { $0.contains(address) } }

    private func outcome(_ message: [UInt8], isStream: Bool) -> Answerer.Outcome {
        turn &+= 1
        return Answerer(table: server.current, turn: turn).outcome(message, isStream: isStream)
    }

    // MARK: Streams

    private func accept(_ listener: NameSocket, _ now: Int64) {
        while true {
            let raw = clinux_accept(listener.raw)
            guard raw >= 0 else { return }
            let socket = NameSocket(owning: raw)
            guard let address = socket.name(getpeername)?.address, isServed(address),
                clients.count < Self.mostClients,
                clients.values.count(where: { $0.address == address }) < Self.mostClientsOfOne
            else { continue }
            lastClient += 1
            clients[lastClient] = Client(socket: socket, address: address, deadline: now + Self.clientPatience)
        }
    }

    private func serve(_ number: Int, _ now: Int64) {
        guard var client = clients[number] else { return }
        if client.outgoing.isEmpty {
            guard !client.isWaiting, read(&client) else {
                clients[number] = nil
                return
            }
        }
        clients[number] = client
        advance(number, now)
    }

    /// False when the other side has ended or says too much.
    private func read(_ client: inout Client) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 4098)
        let count = recv(client.socket.raw, &chunk, chunk.count, 0)
        if count < 0 { return errno == EAGAIN || errno == EINTR }
        client.incoming += chunk.prefix(count)
        return count > 0 && client.incoming.count <= 2 * chunk.count
    }

    /// Sends what is to be sent and takes the next questions, until one has to wait.
    private func advance(_ number: Int, _ now: Int64) {
        while var client = clients[number] {
            if !client.outgoing.isEmpty {
                let bytes = client.outgoing
                let count = Glibc.send(client.socket.raw, bytes, bytes.count, Int32(MSG_NOSIGNAL))
                guard count >= 0 else {
                    if errno != EAGAIN && errno != EINTR { clients[number] = nil }
                    return
                }
                client.outgoing.removeFirst(count)
                clients[number] = client
                if !client.outgoing.isEmpty { return }
                continue
            }
            guard !client.isWaiting, client.incoming.count >= 2 else { return }
            let length = Int(client.incoming[0]) << 8 | Int(client.incoming[1])
            // A longer one is no question that we understand.
            guard length <= 4096 else {
                clients[number] = nil
                return
            }
            guard client.incoming.count >= 2 + length else { return }
            let message = Array(client.incoming[2..<(2 + length)])
            client.incoming.removeFirst(2 + length)
            client.deadline = now + Self.clientPatience
            take(message, &client, number, now)
            clients[number] = client
            if client.isWaiting { return }
        }
    }

    private func take(_ message: [UInt8], _ client: inout Client, _ number: Int, _ now: Int64) {
        switch outcome(message, isStream: true) {
        case .silence: break
        case .answer(let answer): client.outgoing = Self.framed(answer)
        case .forward(let query):
            client.isWaiting = forwarder.begin(query, for: .stream(number), from: client.address, isStream: true, now)
            if !client.isWaiting { client.outgoing = Self.framed(Answerer.failure(query, .serverFailure)) }
        }
    }

    static func framed(_ message: [UInt8]) -> [UInt8] {
        [UInt8(message.count >> 8 & 0xff), UInt8(message.count & 0xff)] + message
    }

    private func deliver(_ asker: Forwarder.Asker, _ answer: [UInt8], _ now: Int64) {
        switch asker {
        case .packet(let socket, let sender): send(answer, socket, sender)
        case .stream(let number):
            guard clients[number] != nil else { return }
            clients[number]?.isWaiting = false
            clients[number]?.outgoing = Self.framed(answer)
            clients[number]?.deadline = now + Self.clientPatience
            advance(number, now)
        }
    }
}

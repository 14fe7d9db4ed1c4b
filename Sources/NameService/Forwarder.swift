internal import ClusterModel
internal import Glibc
internal import LinuxSystem

/// Questions that others answer: the host's own resolvers, each asked in turn until one knows.
struct Forwarder {
    enum Asker {
        case packet(NameSocket, SocketName)
        case stream(Int)
    }

    private struct Flight {
        var query: Answerer.Query
        var asker: Asker
        var source: NetworkAddress
        var isStream: Bool
        var servers: [NetworkAddress]
        /// How often it was asked already.
        var attempts = 0
        var id: UInt16 = 0
        var socket: NameSocket?
        var outgoing: [UInt8] = []
        var incoming: [UInt8] = []
        var deadline: Int64 = 0
        /// What a server said that does not know; the answer when no other does.
        var refusal: [UInt8]?
    }

    private let settings: NameServerSettings
    private let ownPort: UInt16
    private var flights: [Flight] = []
    private var servers: [NetworkAddress] = []
    private var nextLook: Int64 = 0
    private var chance = SystemRandomNumberGenerator()

    private static let mostFlights = 512
    private static let mostFlightsOfOne = 64
    private static let mostServers = 3
    private static let lookEvery: Int64 = 5_000

    init(_ settings: NameServerSettings, own port: UInt16) {
        self.settings = settings
        ownPort = port
    }

    /// The resolvers in the text of a resolv.conf, without those that are this server.
    static func servers(_ text: String, except own: [NetworkAddress]) -> [NetworkAddress] {
        let found = text.split(whereSeparator: \.isNewline).prefix(1000).compactMap { line -> NetworkAddress? in
            let words = line.split { $0 == " " || $0 == "\t" }
            guard words.count >= 2, words[0] == "nameserver" else { return nil }
            return NetworkAddress(words[1])
        }
        return Array(found.filter { !own.contains($0) && !$0.isUnspecified }.prefix(mostServers))
    }

    private mutating func look(_ now: Int64) {
        guard now >= nextLook else { return }
        nextLook = now + Self.lookEvery
        guard let bytes = try? readFile(settings.resolverFile, limit: 1 << 16) else { return }
        let own = settings.resolverPort == ownPort ? settings.addresses : []
        servers = Self.servers(String(decoding: bytes, as: UTF8.self), except: own)
    }

    /// False when it cannot be asked now: there is nobody to ask, or too much is under way.
    mutating func begin(
        _ query: Answerer.Query, for asker: Asker, from source: NetworkAddress, isStream: Bool, _ now: Int64
    ) -> Bool {
        look(now)
        guard !servers.isEmpty, flights.count < Self.mostFlights,
            flights.count(where: { $0.source == source }) < Self.mostFlightsOfOne
        else { return false }
        var flight = Flight(query: query, asker: asker, source: source, isStream: isStream, servers: servers)
        guard ask(&flight, now) else { return false }
        flights.append(flight)
        return true
    }

    private var patience: Int64 {
        let (seconds, fraction) = settings.patience.components
        return seconds * 1000 + fraction / 1_000_000_000_000_000
    }

    /// Asks the next server; false when all were asked as often as they should be.
    private mutating func ask(_ flight: inout Flight, _ now: Int64) -> Bool {
        let most = max(2, flight.servers.count)
        while flight.attempts < most {
            let server = flight.servers[flight.attempts % flight.servers.count]
            flight.attempts += 1
            guard let socket = NameSocket(isIPv6: server.isIPv6, isStream: flight.isStream) else { continue }
            let error = socket.connect(SocketName(server, port: settings.resolverPort))
            guard error == 0 || error == EINPROGRESS else { continue }
            flight.id = UInt16.random(in: .min ... .max, using: &chance)
            let question = Answerer.passedOn(flight.query, id: flight.id)
            flight.socket = socket
            flight.incoming = []
            flight.deadline = now + patience
            if flight.isStream {
                flight.outgoing = NameLoop.framed(question)
            } else if Glibc.send(socket.raw, question, question.count, 0) != question.count {
                continue
            }
            return true
        }
        return false
    }

    // MARK: Waiting

    var pollEntries: [pollfd] {
        flights.map { flight in
            let events = flight.outgoing.isEmpty ? POLLIN : POLLOUT
            return pollfd(fd: flight.socket?.raw ?? -1, events: Int16(events), revents: 0)
        }
    }

    var nextDeadline: Int64? { flights.map(\.deadline).min() }

    /// What is answered now. `entries` are those of `pollEntries`; flights that have begun since are behind them.
    mutating func work(_ entries: ArraySlice<pollfd>, _ now: Int64) -> [(asker: Asker, answer: [UInt8])] {
        var done: [(asker: Asker, answer: [UInt8])] = []
        var remaining: [Flight] = []
        for (place, flight) in flights.enumerated() {
            var flight = flight
            let isReady = place < entries.count && entries[entries.startIndex + place].revents != 0
            if let answer = advance(&flight, isReady: isReady, now) {
                done.append((flight.asker, answer))
            } else {
                remaining.append(flight)
            }
        }
        flights = remaining
        return done
    }

    private enum Step {
        case wait
        case failed
        case answer([UInt8])
    }

    private mutating func advance(_ flight: inout Flight, isReady: Bool, _ now: Int64) -> [UInt8]? {
        var step = Step.wait
        if isReady { step = flight.isStream ? stream(&flight) : packet(flight) }
        if case .wait = step, flight.deadline <= now { step = .failed }
        if case .answer(let answer) = step {
            let code = DNSMessage.header(answer)?.code
            guard code == ResponseCode.serverFailure.rawValue || code == ResponseCode.refused.rawValue
            else { return answer }
            flight.refusal = answer
            step = .failed
        }
        if case .wait = step { return nil }
        if ask(&flight, now) { return nil }
        return flight.refusal ?? Answerer.failure(flight.query, .serverFailure)
    }

    /// Only the server itself can send to a connected socket; what is not the answer all the same is passed over.
    private func packet(_ flight: Flight) -> Step {
        guard let socket = flight.socket else { return .failed }
        var chunk = [UInt8](repeating: 0, count: 65535)
        let count = recv(socket.raw, &chunk, chunk.count, 0)
        if count < 0 { return errno == EAGAIN || errno == EINTR ? .wait : .failed }
        let answer = Answerer.passedBack(Array(chunk.prefix(count)), to: flight.query, id: flight.id)
        return answer.map { .answer($0) } ?? .wait
    }

    private func stream(_ flight: inout Flight) -> Step {
        guard let socket = flight.socket else { return .failed }
        if !flight.outgoing.isEmpty {
            let bytes = flight.outgoing
            let count = Glibc.send(socket.raw, bytes, bytes.count, Int32(MSG_NOSIGNAL))
            if count < 0 { return errno == EAGAIN || errno == EINTR ? .wait : .failed }
            flight.outgoing.removeFirst(count)
            return .wait
        }
        var chunk = [UInt8](repeating: 0, count: 16_384)
        let count = recv(socket.raw, &chunk, chunk.count, 0)
        if count < 0 { return errno == EAGAIN || errno == EINTR ? .wait : .failed }
        guard count > 0 else { return .failed }
        flight.incoming += chunk.prefix(count)
        guard flight.incoming.count >= 2 else { return .wait }
        let length = Int(flight.incoming[0]) << 8 | Int(flight.incoming[1])
        guard flight.incoming.count >= 2 + length else { return .wait }
        let message = Array(flight.incoming[2..<(2 + length)])
        return Answerer.passedBack(message, to: flight.query, id: flight.id).map { .answer($0) } ?? .failed
    }
}

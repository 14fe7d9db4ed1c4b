import GuestChannel

/// The two sides of a virtual machine's channel. What is read can be written again; a session that has ended says
/// nothing more; what a host hears of a guest stays within what it credited.
enum Channelled {
    static func words(_ bytes: [UInt8]) {
        var reader = FrameReader()
        reader.append(bytes)
        // Which stream they are of is not theirs to say.
        while let frame = try? reader.next() {
            precondition((try? GuestHello(frame)).map { $0.frame.payload == frame.payload } ?? true)
            precondition((try? GuestConfiguration(frame)).map { $0.frame?.payload == frame.payload } ?? true)
            precondition((try? GuestProcess(frame)).map { $0.frame(stream: 1)?.payload == frame.payload } ?? true)
            precondition(
                (try? GuestFilePiece(frame)).map {
                    frame.payload.count > ChannelLimits.payloadBytes - 16 || $0.frame?.payload == frame.payload
                } ?? true)
            precondition((try? GuestFigures(frame)).map { $0.frame.payload == frame.payload } ?? true)
        }
    }

    /// The first byte says how far the host has come, the rest is the guest's.
    static func host(_ bytes: [UInt8]) {
        guard let first = bytes.first else { return }
        var session = HostSession()
        _ = session.handle(.opened(clone: nil), now: 0)
        let hello = GuestHello(uptime: 1, clock: 1, release: [])
        if first > 0 { _ = session.handle(.received(hello.frame.bytes), now: 1) }
        if first > 1 {
            let renewal = GuestRenewal(clock: 1, entropy: [])
            _ = session.handle(
                .configure(GuestConfiguration(hostname: [], renewal: renewal, disks: [])), now: 2)
        }
        if first > 2 {
            _ = session.handle(.received(Frame(.ready).bytes), now: 3)
            for _ in 0..<3 { _ = session.handle(.start(GuestProcess(arguments: [[47]])), now: 3) }
            _ = session.handle(.askFigures, now: 3)
        }
        var output = 0
        for piece in pieces(of: Array(bytes.dropFirst())) {
            let isOver = session.end != nil
            let effects = session.handle(.received(piece), now: 4)
            precondition(!isOver || effects.isEmpty, "a session that is over goes on")
            for case .output(_, _, let bytes) in effects { output += bytes.count }
        }
        precondition(output <= 6 * ChannelLimits.windowBytes, "more came than was credited")
        _ = session.handle(.tick, now: .max)
    }

    /// The first byte says how far the guest has come, the rest is the host's.
    static func guest(_ bytes: [UInt8]) {
        guard let first = bytes.first else { return }
        let hello = GuestHello(uptime: 1, clock: 1, release: [])
        var session = GuestSession()
        if first > 0 { _ = session.handle(.opened(hello), now: 0) }
        for piece in pieces(of: Array(bytes.dropFirst())) {
            var events: [GuestSession.Event] = [.received(piece)]
            while let event = events.popLast() {
                let isOver = session.isOver
                let effects = session.handle(event, now: 1)
                precondition(!isOver || effects.isEmpty, "a session that is over goes on")
                for effect in effects {
                    switch effect {
                    case .configure: events.append(.configured)
                    case .freeze: events.append(.frozen)
                    case .renew(_, greetAgain: true): events.append(.renewed(hello))
                    case .start(let id, _): events.append(.started(id, pid: id))
                    case .input(let id, let bytes): events.append(.inputTaken(id, bytes.count))
                    case .file(let piece): events.append(.filed(piece.number, error: 0))
                    default: break
                    }
                }
            }
        }
    }

    /// Bytes as a port may deliver them: a length before each piece.
    private static func pieces(of bytes: [UInt8]) -> [[UInt8]] {
        var rest = bytes[...]
        var pieces: [[UInt8]] = []
        while let length = rest.popFirst() {
            pieces.append(Array(rest.prefix(Int(length))))
            rest = rest.dropFirst(Int(length))
        }
        return pieces
    }

    /// A short life, as each side would hear it.
    static let seeds: [(Parser, [UInt8])] = {
        let renewal = GuestRenewal(clock: 1, entropy: [1, 2, 3])
        let disk = GuestDisk(serial: [65], path: [47, 65], fileSystem: .erofs, isReadOnly: true)
        let process = GuestProcess(
            arguments: [[47, 65]], environment: [[65, 61]], terminal: GuestTerminal(rows: 1, columns: 1))
        let fromHost =
            [
                GuestConfiguration(hostname: [65], renewal: renewal, disks: [disk]).frame,
                process.frame(stream: 1), GuestProcess(arguments: [[47]]).frame(stream: 2), renewal.frame,
                GuestFilePiece(number: 1, mode: 0, path: [47], content: [1]).frame,
            ].compactMap(\.self) + [
                Frame(.stdin, stream: 1, [1, 2]), Frame(.eof, stream: 1, [0]),
                GuestSignal(number: 9, isForGroup: true).frame(stream: 1),
                GuestTerminal(rows: 2, columns: 2).frame(stream: 1), Frame(.stats),
                Frame(.ping, [1, 2, 3, 4, 5, 6, 7, 8]), Frame(.end, [1, 0, 0, 0]),
            ]
        let fromGuest = [
            Frame(.started, stream: 1, [1, 0, 0, 0]), Frame(.stdout, stream: 1, [1, 2]),
            Frame(.eof, stream: 1, [1]), Frame(.eof, stream: 1, [2]), GuestProcessEnd.code(7).frame(stream: 1),
            GuestFigures(uptime: 1, busy: 1, memory: 1, memoryAvailable: 1, processes: 1).frame,
            GuestFault(code: 2, reason: [65]).frame(stream: 2), GuestFault(code: 2, reason: [65]).frame(),
        ]
        func delivered(_ frames: [Frame]) -> [UInt8] {
            frames.flatMap { [UInt8(truncatingIfNeeded: $0.bytes.count)] + $0.bytes }
        }
        return [
            (.channelWords, (fromHost + fromGuest).flatMap(\.bytes)), (.channelGuest, [1] + delivered(fromHost)),
            (.channelHost, [3] + delivered(fromGuest)),
        ]
    }()
}

import GuestChannel
import Testing

/// A host and a guest that talk over two pipes which deliver bytes in any pieces, and processes that echo what they are
/// given: what goes in must come out, in order, whatever the pace of either side.
struct Conversation {
    var host = HostSession()
    var guest = GuestSession()
    var toGuest: [UInt8] = []
    var toHost: [UInt8] = []
    var chance: Chance
    var now: UInt64 = 0

    /// What a process has read and not written yet, and whether its input ended.
    var processes: [UInt32: (waiting: [UInt8], hasEnded: Bool)] = [:]
    var given: [UInt32: [UInt8]] = [:]
    var got: [UInt32: [UInt8]] = [:]
    var unread: [UInt32: Int] = [:]
    var ends: [UInt32: GuestProcessEnd] = [:]
    var isOver = false

    init(seed: UInt64) { chance = Chance(state: seed) }

    mutating func tell(_ event: HostSession.Event) {
        for effect in host.handle(event, now: now) {
            switch effect {
            case .send(let bytes): toGuest += bytes
            case .greeted: tell(.configure(configuration))
            case .output(let id, .output, let bytes):
                got[id, default: []] += bytes
                unread[id, default: 0] += bytes.count
            case .exited(let id, let end): ends[id] = end
            case .over: isOver = true
            default: break
            }
        }
    }

    mutating func tellGuest(_ event: GuestSession.Event) {
        for effect in guest.handle(event, now: now) {
            switch effect {
            case .send(let bytes): toHost += bytes
            case .configure: tellGuest(.configured)
            case .start(let id, _):
                processes[id] = ([], false)
                tellGuest(.started(id, pid: id))
            case .input(let id, let bytes): processes[id]?.waiting += bytes
            case .endOfInput(let id): processes[id]?.hasEnded = true
            case .restart: break
            default: break
            }
        }
    }

    /// A process writes what it has read, as far as it may.
    mutating func echo(_ id: UInt32) {
        guard let process = processes[id] else { return }
        let count = min(
            process.waiting.count, guest.outputCredit(id, .output), Int.random(in: 1...90_000, using: &chance))
        if count > 0 {
            processes[id]?.waiting.removeFirst(count)
            tellGuest(.output(id, .output, Array(process.waiting.prefix(count))))
            tellGuest(.inputTaken(id, count))
        } else if process.hasEnded, process.waiting.isEmpty {
            processes[id] = nil
            tellGuest(.outputEnded(id, .error))
            tellGuest(.exited(id, .code(UInt8(truncatingIfNeeded: id))))
            tellGuest(.outputEnded(id, .output))
        }
    }

    mutating func step() {
        now += 1
        let stream = UInt32.random(in: 1...max(1, host.nextStream), using: &chance)
        switch Int.random(in: 0..<12, using: &chance) {
        case 0: if host.nextStream < 40 { tell(.start(GuestProcess(arguments: [text("/bin/cat")]))) }
        case 1, 2:
            let bytes = (0..<min(host.inputCredit(stream), Int.random(in: 1...100_000, using: &chance))).map {
                UInt8(truncatingIfNeeded: $0 &+ Int(stream))
            }
            guard !bytes.isEmpty else { break }
            given[stream, default: []] += bytes
            tell(.input(stream, bytes))
        case 3: tell(.endOfInput(stream))
        case 4: tell(.tick)
        case 5: tell(.askFigures)
        case 6: for id in processes.keys.sorted() { echo(id) }
        case 7:
            let count = Int.random(in: 0...unread[stream, default: 0], using: &chance)
            unread[stream, default: 0] -= count
            tell(.passedOn(stream, .output, count))
        case 8, 9: deliverToGuest(Int.random(in: 1...200_000, using: &chance))
        default: deliverToHost(Int.random(in: 1...200_000, using: &chance))
        }
    }

    mutating func deliverToGuest(_ count: Int) {
        guard !toGuest.isEmpty else { return }
        let piece = Array(toGuest.prefix(count))
        toGuest.removeFirst(piece.count)
        tellGuest(.received(piece))
    }

    mutating func deliverToHost(_ count: Int) {
        guard !toHost.isEmpty else { return }
        let piece = Array(toHost.prefix(count))
        toHost.removeFirst(piece.count)
        tell(.received(piece))
    }

    /// All inputs end, and everything is delivered and read.
    mutating func finish() {
        for id in 1..<max(host.nextStream, 2) { tell(.endOfInput(id)) }
        for _ in 0..<2_000 where ends.count + 1 < Int(host.nextStream) || !toHost.isEmpty {
            deliverToGuest(.max)
            for id in processes.keys.sorted() { echo(id) }
            deliverToHost(.max)
            for (id, count) in unread where count > 0 {
                unread[id] = 0
                tell(.passedOn(id, .output, count))
            }
        }
    }
}

@Suite("Host and guest together")
struct ConversationTests {
    @Test(arguments: 0..<UInt64(120))
    func `what goes into a process comes out, in order, at any pace`(seed: UInt64) {
        var conversation = Conversation(seed: seed)
        conversation.tell(.opened(clone: nil))
        conversation.tellGuest(.opened(hello))
        for _ in 0..<400 { conversation.step() }
        #expect(conversation.host.end == nil, "\(String(describing: conversation.host.end))")
        #expect(conversation.guest.fault == nil, "\(String(describing: conversation.guest.fault))")
        conversation.finish()
        #expect(conversation.host.end == nil)
        #expect(conversation.guest.fault == nil)
        #expect(conversation.ends.count == Int(conversation.host.nextStream) - 1)
        for (id, end) in conversation.ends {
            #expect(end == .code(UInt8(truncatingIfNeeded: id)))
            #expect(conversation.got[id, default: []] == conversation.given[id, default: []], "stream \(id)")
        }
    }

    /// Either side gets what the other never meant: it goes on or ends once, with a reason, and says nothing after it.
    @Test(arguments: 0..<UInt64(300))
    func `bytes that are damaged on the way end a session once, or do no harm`(seed: UInt64) {
        var conversation = Conversation(seed: seed)
        conversation.tell(.opened(clone: nil))
        conversation.tellGuest(.opened(hello))
        for _ in 0..<200 {
            conversation.step()
            if Int.random(in: 0..<6, using: &conversation.chance) == 0 {
                Self.damage(&conversation.toGuest, &conversation.chance)
                Self.damage(&conversation.toHost, &conversation.chance)
            }
        }
        #expect(conversation.isOver == (conversation.host.end != nil))
        if conversation.host.end != nil {
            #expect(conversation.host.handle(.start(echo), now: 9_999).isEmpty)
            #expect(conversation.host.deadline == nil)
        }
        if conversation.guest.isOver { #expect(conversation.guest.handle(.tick, now: .max).isEmpty) }
    }

    @Test(arguments: 0..<UInt64(100))
    func `noise in any state does no harm, and output never exceeds what was credited`(seed: UInt64) {
        var chance = Chance(state: seed)
        for state in HostState.allCases {
            var session = host(state)
            var output = 0
            var overs = 0
            for _ in 0..<60 {
                for effect in session.handle(.received(Self.noise(&chance)), now: 10) {
                    if case .output(_, _, let bytes) = effect { output += bytes.count }
                    if case .over = effect { overs += 1 }
                }
            }
            #expect(overs <= 1)
            #expect(output <= 2 * ChannelLimits.windowBytes)
        }
        for state in GuestState.allCases {
            var session = guest(state)
            var restarts = 0
            for _ in 0..<60 {
                for effect in session.handle(.received(Self.noise(&chance)), now: 10) where effect == .restart {
                    restarts += 1
                }
            }
            #expect(restarts <= 1)
        }
    }

    private static func damage(_ bytes: inout [UInt8], _ chance: inout Chance) {
        guard !bytes.isEmpty else { return }
        let place = Int.random(in: 0..<bytes.count, using: &chance)
        switch Int.random(in: 0..<3, using: &chance) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &chance)
        case 1: bytes.remove(at: place)
        default: bytes.insert(UInt8.random(in: 0...255, using: &chance), at: place)
        }
    }

    /// A frame whose header is good and whose payload is anything.
    private static func noise(_ chance: inout Chance) -> [UInt8] {
        let kind = FrameKind.allCases.randomElement(using: &chance) ?? .exit
        let payload = (0..<Int.random(in: 0...12, using: &chance)).map { _ in
            UInt8.random(in: 0...3, using: &chance)
        }
        return Frame(kind, stream: UInt32.random(in: 0...2, using: &chance), payload).bytes
    }
}

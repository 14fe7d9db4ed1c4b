import GuestChannel
import Testing

@Suite("The guest's side of the channel")
struct GuestSessionTests {
    /// The guest may not believe the host either: who is at the other end of the port is for the host to see to, what the
    /// guest does with it is not.
    @Test func `a guest greets, is configured, runs a process and says how it ended`() {
        var session = GuestSession()
        #expect(sent(session.handle(.opened(hello), now: 0)) == [hello.frame])
        #expect(session.handle(.received(configuration.frame!.bytes), now: 1) == [.configure(configuration)])
        #expect(sent(session.handle(.configured, now: 2)) == [Frame(.ready)])
        #expect(session.handle(.received(echo.frame(stream: 1)!.bytes), now: 3) == [.start(1, echo)])
        #expect(sent(session.handle(.started(1, pid: 40), now: 4)) == [Frame(.started, stream: 1, [40, 0, 0, 0])])
        #expect(
            sent(session.handle(.output(1, .output, text("hello")), now: 5)) == [
                Frame(.stdout, stream: 1, text("hello"))
            ])
        #expect(sent(session.handle(.outputEnded(1, .output), now: 5)) == [Frame(.eof, stream: 1, [1])])
        #expect(sent(session.handle(.exited(1, .code(7)), now: 6)) == [Frame(.exit, stream: 1, [0, 7])])
        #expect(sent(session.handle(.outputEnded(1, .error), now: 6)) == [Frame(.eof, stream: 1, [2])])
        let end = session.handle(.received(frame(.end, 0, [0, 0, 0, 0])), now: 7)
        #expect(end == [.send(frame(.bye)), .restart])
        #expect(session.isOver)
        #expect(session.handle(.received(frame(.ping, 0, Array(repeating: 0, count: 8))), now: 8).isEmpty)
    }

    @Test(arguments: GuestState.allCases)
    func `what only guests say is refused in every state`(state: GuestState) {
        for kind in [.hello, .ready, .started, .stdout, .stderr, .exit, .filed, .frozen, .pong, .fault, .bye]
            as [FrameKind]
        {
            var session = guest(state)
            let effects = session.handle(.received(frame(kind, 1, [0, 0])), now: 5)
            #expect(session.fault == .unexpected(kind))
            #expect(effects.suffix(2) == [.killAll, .restart])
            #expect(sent(effects).map(\.kind) == [.fault])
        }
    }

    /// Which control frames each state takes.
    private static let taken: [GuestState: Set<FrameKind>] = [
        .closed: [], .waiting: [.config, .clock, .freeze, .ping, .end], .frozen: [.clock, .ping, .end],
        .configuring: [.ping, .end], .running: [.clock, .stats, .file, .ping, .end, .start],
        .ending: [.stats, .ping, .end],
    ]

    @Test(arguments: GuestState.allCases)
    func `a word in a state that does not allow it ends the machine with a reason`(state: GuestState) throws {
        let words: [Frame] = [
            configuration.frame!, renewal.frame, Frame(.freeze), Frame(.stats), piece.frame!,
            Frame(.ping, Array(repeating: 1, count: 8)), Frame(.end, [1, 0, 0, 0]), echo.frame(stream: 2)!,
        ]
        for word in words {
            var session = guest(state)
            let effects = session.handle(.received(word.bytes), now: 5)
            if try #require(Self.taken[state]).contains(word.kind) {
                #expect(session.fault == nil, "\(word.kind) in \(state)")
            } else {
                #expect(session.fault == .unexpected(word.kind), "\(word.kind) in \(state)")
                #expect(session.isOver)
                let reason = try GuestFault(try #require(sent(effects).first))
                #expect(String(decoding: reason.reason, as: UTF8.self).contains(word.kind.word))
            }
        }
    }

    @Test func `control words on a stream are refused`() {
        for kind in [.config, .stats, .file, .clock, .freeze, .ping, .end] as [FrameKind] {
            var session = guest(.running)
            _ = session.handle(.received(frame(kind, 1)), now: 5)
            #expect(session.fault == .malformed(kind))
        }
    }

    @Test func `words about streams that never were are refused, about those that ended they are late`() {
        for kind in [.stdin, .eof, .resize, .signal, .credit] as [FrameKind] {
            for stream in [0, 2, 9] as [UInt32] {
                var session = guest(.running)
                _ = session.handle(.received(frame(kind, stream, [1])), now: 5)
                #expect(session.fault == .unknownStream(stream, kind))
            }
            var session = guest(.running)
            _ = session.handle(.exited(1, .signal(9)), now: 5)
            for channel in [.output, .error] as [StreamChannel] { _ = session.handle(.outputEnded(1, channel), now: 5) }
            #expect(session.handle(.received(frame(kind, 1, [1])), now: 6).isEmpty)
            #expect(session.fault == nil)
        }
    }

    @Test func `input beyond the window is refused, and credit comes as it is taken`() {
        var session = guest(.running)
        let piece = [UInt8](repeating: 1, count: ChannelLimits.pieceBytes)
        for _ in 0..<4 {
            #expect(session.handle(.received(frame(.stdin, 1, piece)), now: 5) == [.input(1, piece)])
        }
        #expect(session.handle(.inputTaken(1, 1_000), now: 5).isEmpty)
        let credit = sent(session.handle(.inputTaken(1, 70_000), now: 5))
        #expect(credit == [Frame(.credit, stream: 1, [0, 0x58, 0x15, 0x01, 0])])
        _ = session.handle(.received(frame(.stdin, 1, [UInt8](repeating: 1, count: 71_000))), now: 6)
        #expect(session.fault == nil)
        _ = session.handle(.received(frame(.stdin, 1, [1])), now: 6)
        #expect(session.fault == .creditOverrun(1))
    }

    @Test func `output stops where credit does, and goes on with it`() {
        var session = guest(.running)
        #expect(session.outputCredit(1, .output) == ChannelLimits.windowBytes)
        #expect(session.outputCredit(2, .output) == 0)
        #expect(session.outputCredit(1, .input) == 0)
        _ = session.handle(.output(1, .output, [UInt8](repeating: 1, count: ChannelLimits.windowBytes)), now: 5)
        #expect(session.outputCredit(1, .output) == 0)
        #expect(session.outputCredit(1, .error) == ChannelLimits.windowBytes)
        #expect(session.handle(.received(frame(.credit, 1, [1, 5, 0, 0, 0])), now: 5) == [.mayRead(1, .output)])
        #expect(session.outputCredit(1, .output) == 5)
    }

    @Test(
        arguments: [
            ([1, 1, 0, 0, 0], ChannelFault.creditOverrun(1)), ([1, 0, 0, 0, 0], .malformed(.credit)),
            ([0, 1, 0, 0, 0], .malformed(.credit)), ([3, 1, 0, 0, 0], .malformed(.credit)),
            ([2, 255, 255, 255, 255], .creditOverrun(1)), ([1], .malformed(.credit)),
        ] as [([UInt8], ChannelFault)])
    func `credit for what was never sent is refused`(payload: [UInt8], fault: ChannelFault) {
        var session = guest(.running)
        _ = session.handle(.received(frame(.credit, 1, payload)), now: 5)
        #expect(session.fault == fault)
    }

    @Test func `streams are numbered upwards, and there are only so many`() {
        for stream in [0, 1] as [UInt32] {
            var session = guest(.running)
            _ = session.handle(.received(frame(.start, stream, echo.frame(stream: 9)!.payload)), now: 5)
            #expect(session.fault == .usedStream(stream))
        }
        var session = guest(.running)
        for stream in 2...UInt32(ChannelLimits.streams) {
            _ = session.handle(.received(echo.frame(stream: stream)!.bytes), now: 5)
        }
        #expect(session.fault == nil)
        _ = session.handle(.received(echo.frame(stream: 900)!.bytes), now: 5)
        #expect(session.fault == .tooManyStreams)
    }

    @Test func `input after its end, empty data and a resize without a terminal are refused`() {
        let cases: [([UInt8], ChannelFault)] = [
            (frame(.eof, 1, [0]) + frame(.stdin, 1, [1]), .unexpected(.stdin)),
            (frame(.eof, 1, [0]) + frame(.eof, 1, [0]), .unexpected(.eof)),
            (frame(.eof, 1, [1]), .malformed(.eof)), (frame(.stdin, 1), .malformed(.stdin)),
            (GuestTerminal(rows: 1, columns: 1).frame(stream: 1).bytes, .unexpected(.resize)),
            (frame(.signal, 1, [0, 0]), .malformed(.signal)),
        ]
        for (bytes, fault) in cases {
            var session = guest(.running)
            _ = session.handle(.received(bytes), now: 5)
            #expect(session.fault == fault)
        }
    }

    @Test func `a template lets go of its disks, and each clone greets again`() {
        var session = guest(.waiting)
        #expect(session.handle(.received(frame(.freeze)), now: 1) == [.freeze])
        #expect(sent(session.handle(.frozen, now: 1)) == [Frame(.frozen)])
        // Everything after this happens in the clone.
        #expect(session.handle(.received(renewal.frame.bytes), now: 2) == [.renew(renewal, greetAgain: true)])
        #expect(sent(session.handle(.renewed(hello), now: 3)) == [hello.frame])
        #expect(session.handle(.received(configuration.frame!.bytes), now: 4) == [.configure(configuration)])
    }

    @Test func `the end waits for processes, and not for ever`() {
        var session = guest(.running)
        #expect(session.handle(.received(frame(.end, 0, [100, 0, 0, 0])), now: 1_000) == [.terminateAll])
        #expect(session.deadline == 1_100)
        #expect(session.handle(.tick, now: 1_099).isEmpty)
        var other = session
        #expect(session.handle(.tick, now: 1_100) == [.killAll, .send(frame(.bye)), .restart])
        _ = other.handle(.exited(1, .signal(15)), now: 1_050)
        _ = other.handle(.outputEnded(1, .output), now: 1_050)
        #expect(other.handle(.outputEnded(1, .error), now: 1_050).last == .restart)
        #expect(other.isOver)
    }

    @Test func `a process that cannot be started, a configuration that cannot be carried out`() {
        var session = guest(.running)
        _ = session.handle(.received(echo.frame(stream: 2)!.bytes), now: 5)
        #expect(sent(session.handle(.startFailed(2, fault), now: 5)) == [fault.frame(stream: 2)])
        #expect(session.outputCredit(2, .output) == 0)
        var other = guest(.configuring)
        let effects = other.handle(.configurationFailed(fault), now: 5)
        #expect(sent(effects) == [fault.frame()])
        #expect(effects.last == .restart)
    }

    @Test func `figures, files and pings are answered once each`() {
        var session = guest(.running)
        #expect(session.handle(.figures(figures), now: 5).isEmpty)
        #expect(session.handle(.received(frame(.stats)), now: 5) == [.readFigures])
        #expect(sent(session.handle(.figures(figures), now: 5)) == [figures.frame])
        #expect(session.handle(.received(piece.frame!.bytes), now: 5) == [.file(piece)])
        #expect(sent(session.handle(.filed(7, error: 28), now: 5)) == [Frame(.filed, [7, 0, 0, 0, 28, 0, 0, 0])])
        let ping = Frame(.ping, [1, 2, 3, 4, 5, 6, 7, 8])
        #expect(sent(session.handle(.received(ping.bytes), now: 5)) == [Frame(.pong, ping.payload)])
    }
}

import GuestChannel
import Testing

@Suite("The host's side of the channel")
struct HostSessionTests {
    @Test func `a host configures, starts, reads output and learns the end`() {
        var session = HostSession()
        #expect(session.handle(.opened(clone: nil), now: 0).isEmpty)
        #expect(session.handle(.received(hello.frame.bytes), now: 400) == [.greeted(hello)])
        #expect(sent(session.handle(.configure(configuration), now: 401)) == [configuration.frame!])
        #expect(session.handle(.received(frame(.ready)), now: 402) == [.ready])
        #expect(session.nextStream == 1)
        #expect(sent(session.handle(.start(echo), now: 403)) == [echo.frame(stream: 1)!])
        let life =
            frame(.started, 1, [40, 0, 0, 0]) + frame(.stdout, 1, text("hello")) + frame(.exit, 1, [0, 7])
            + frame(.eof, 1, [2]) + frame(.eof, 1, [1])
        #expect(
            session.handle(.received(life), now: 404) == [
                .started(1, pid: 40), .output(1, .output, text("hello")), .exited(1, .code(7)),
                .outputEnded(1, .error), .outputEnded(1, .output),
            ])
        #expect(sent(session.handle(.end(grace: 100), now: 405)) == [Frame(.end, [100, 0, 0, 0])])
        #expect(session.handle(.closed, now: 406) == [.over(.ended)])
        #expect(session.handle(.received(frame(.ready)), now: 407).isEmpty)
        #expect(session.end == .ended)
    }

    @Test(arguments: HostState.allCases)
    func `what only hosts say is refused in every state`(state: HostState) {
        for kind in [.config, .start, .stdin, .resize, .signal, .file, .clock, .freeze, .ping, .end] as [FrameKind] {
            var session = host(state)
            let effects = session.handle(.received(frame(kind, 1, [1])), now: 5)
            #expect(effects == [.over(.protocolFault(.unexpected(kind)))])
        }
    }

    /// Which of the guest's control words each state takes when nothing was asked.
    private static let taken: [HostState: Set<FrameKind>] = [
        .closed: [], .greeting: [.hello], .greeted: [], .frozen: [], .configuring: [.ready], .running: [],
        .ending: [.ready, .frozen, .bye],
    ]

    @Test(arguments: HostState.allCases)
    func `answers that nobody asked for are refused`(state: HostState) throws {
        let words = [
            hello.frame, Frame(.ready), Frame(.frozen), figures.frame, Frame(.filed, [7, 0, 0, 0, 0, 0, 0, 0]),
            Frame(.pong, [1, 0, 0, 0, 0, 0, 0, 0]), Frame(.bye),
        ]
        for word in words {
            var session = host(state)
            let effects = session.handle(.received(word.bytes), now: 5)
            if try #require(Self.taken[state]).contains(word.kind) {
                #expect(session.end == nil, "\(word.kind) in \(state)")
            } else {
                #expect(effects == [.over(.protocolFault(.unexpected(word.kind)))], "\(word.kind) in \(state)")
            }
        }
    }

    @Test func `words about streams that are not open are refused`() {
        for kind in [.started, .stdout, .stderr, .eof, .exit, .credit] as [FrameKind] {
            for stream in [0, 2, 77] as [UInt32] {
                var session = host(.running)
                _ = session.handle(.received(frame(kind, stream, [1])), now: 5)
                #expect(session.end == .protocolFault(.unknownStream(stream, kind)))
            }
        }
    }

    /// Stream 1 runs with pipes, stream 2 is not started yet, stream 3 has a terminal.
    @Test(
        arguments: [
            (frame(.started, 1, [1, 0, 0, 0]), ChannelFault.unexpected(.started)),
            (frame(.stdout, 2, [1]), .unexpected(.stdout)), (frame(.exit, 2, [0, 0]), .unexpected(.exit)),
            (frame(.eof, 2, [1]), .unexpected(.eof)), (frame(.stderr, 3, [1]), .unexpected(.stderr)),
            (frame(.eof, 3, [2]), .unexpected(.eof)), (frame(.stdout, 1), .malformed(.stdout)),
            (frame(.eof, 1, [0]), .malformed(.eof)), (frame(.eof, 1, [3]), .malformed(.eof)),
            (frame(.eof, 1, [1]) + frame(.stdout, 1, [1]), .unexpected(.stdout)),
            (frame(.eof, 1, [1]) + frame(.eof, 1, [1]), .unexpected(.eof)),
            (frame(.exit, 1, [0, 0]) + frame(.exit, 1, [0, 0]), .unexpected(.exit)),
            (
                frame(.exit, 1, [0, 0]) + frame(.eof, 1, [1]) + frame(.eof, 1, [2]) + frame(.stdout, 1, [1]),
                .unknownStream(1, .stdout)
            ),
            (fault.frame(stream: 1).bytes, .unexpected(.fault)),
            (frame(.credit, 1, [0, 1, 0, 0, 0]), .creditOverrun(1)),
            (frame(.credit, 1, [1, 1, 0, 0, 0]), .malformed(.credit)),
            ([255, 255, 255, 255, 7, 1, 0, 0, 0], .oversize(bytes: .max)), (frame(.hello, 1), .malformed(.hello)),
            ([0, 0, 0, 0, 99, 1, 0, 0, 0], .unknownKind(99)),
        ] as [([UInt8], ChannelFault)])
    func `what a process' stream may not say ends the session`(bytes: [UInt8], wanted: ChannelFault) {
        var session = host(.running)
        _ = session.handle(.start(echo), now: 1)
        _ = session.handle(.start(shell), now: 1)
        _ = session.handle(.received(frame(.started, 3, [41, 0, 0, 0])), now: 1)
        #expect(session.handle(.received(bytes), now: 5).last == .over(.protocolFault(wanted)))
    }

    @Test func `output beyond what was credited ends the session, also when it is spread over frames`() {
        var session = host(.running)
        let piece = frame(.stdout, 1, [UInt8](repeating: 1, count: ChannelLimits.pieceBytes))
        for _ in 0..<4 { #expect(session.handle(.received(piece), now: 5).count == 1) }
        #expect(session.handle(.received(frame(.stderr, 1, [1])), now: 5).count == 1)
        var other = session
        #expect(other.handle(.received(frame(.stdout, 1, [1])), now: 5) == [.over(.protocolFault(.creditOverrun(1)))])
        let credit = sent(session.handle(.passedOn(1, .output, ChannelLimits.pieceBytes), now: 5))
        #expect(credit == [Frame(.credit, stream: 1, [1, 0, 0, 1, 0])])
        #expect(session.handle(.received(piece), now: 5).count == 1)
    }

    @Test func `input goes out in pieces within its credit`() {
        var session = host(.running)
        #expect(session.inputCredit(1) == ChannelLimits.windowBytes)
        let all = [UInt8](repeating: 3, count: 200_000)
        let sizes = sent(session.handle(.input(1, all), now: 5)).map(\.payload.count)
        #expect(sizes == [65_536, 65_536, 65_536, 3_392])
        #expect(session.inputCredit(1) == ChannelLimits.windowBytes - 200_000)
        #expect(session.handle(.received(frame(.credit, 1, [0, 0, 0, 1, 0])), now: 5) == [.mayWrite(1)])
        #expect(session.inputCredit(1) == ChannelLimits.windowBytes - 200_000 + 65_536)
        #expect(sent(session.handle(.endOfInput(1), now: 5)) == [Frame(.eof, stream: 1, [0])])
        #expect(session.inputCredit(1) == 0)
        #expect(session.handle(.input(1, [1]), now: 5).isEmpty)
    }

    @Test func `a guest that does not greet, answer or end is given up when its time is over`() {
        let rows: [(HostState, HostSession.Event?, UInt64, FrameKind)] = [
            (.greeting, nil, 5_000, .hello), (.configuring, nil, 10_000, .config), (.greeted, .freeze, 10_000, .freeze),
            (.ending, nil, 2_100, .end),
        ]
        for (state, event, time, kind) in rows {
            var session = host(state)
            if let event { _ = session.handle(event, now: 0) }
            #expect(!session.handle(.tick, now: time - 1).contains(.over(.silent(kind))))
            #expect(session.handle(.tick, now: time) == [.over(.silent(kind))])
        }
    }

    @Test func `three pings without an answer are the end, one answer is none`() {
        var session = host(.running)
        var (pings, now) = (0, UInt64(0))
        while session.end == nil, now < 60_000 {
            now = session.deadline ?? 60_000
            pings += sent(session.handle(.tick, now: now)).filter { $0.kind == .ping }.count
        }
        #expect(pings == 3)
        #expect(now == 20_000)
        #expect(session.end == .silent(.ping))

        var living = host(.running)
        for _ in 0..<100 {
            let sent = sent(living.handle(.tick, now: living.deadline!))
            #expect(living.handle(.received(frame(.pong, 0, sent[0].payload)), now: 1).isEmpty)
        }
        #expect(living.end == nil)
        // An answer that was given before is not one.
        _ = living.handle(.received(frame(.pong, 0, [1, 0, 0, 0, 0, 0, 0, 0])), now: 1)
        #expect(living.end == .protocolFault(.unexpected(.pong)))
    }

    @Test func `a frozen machine may be stopped for as long as anybody likes, and is renewed then`() {
        var session = host(.greeted)
        #expect(sent(session.handle(.freeze, now: 1)) == [Frame(.freeze)])
        #expect(session.handle(.received(frame(.frozen)), now: 2) == [.frozen])
        #expect(session.deadline == nil)
        #expect(session.handle(.tick, now: 1_000_000).isEmpty)
        #expect(sent(session.handle(.renew(renewal), now: 1_000_001)) == [renewal.frame])
        #expect(session.handle(.received(hello.frame.bytes), now: 1_000_002) == [.greeted(hello)])
    }

    @Test func `a clone is told the time first and must greet again`() {
        var session = HostSession()
        #expect(sent(session.handle(.opened(clone: renewal), now: 0)) == [renewal.frame])
        #expect(session.handle(.received(hello.frame.bytes), now: 30) == [.greeted(hello)])
    }

    @Test func `what cannot be had in a state is refused and changes nothing`() {
        var session = host(.greeting)
        let wanted: [(HostSession.Event, FrameKind)] = [
            (.configure(configuration), .config), (.freeze, .freeze), (.renew(renewal), .clock), (.start(echo), .start),
            (.file(piece), .file), (.askFigures, .stats), (.end(grace: 1), .end),
        ]
        for (event, kind) in wanted { #expect(session.handle(event, now: 1) == [.refused(kind)]) }
        #expect(session.handle(.received(hello.frame.bytes), now: 2) == [.greeted(hello)])
        var running = host(.running)
        #expect(running.handle(.start(GuestProcess(arguments: [text("sh")])), now: 1) == [.refused(.start)])
        for _ in 1..<ChannelLimits.streams { _ = running.handle(.start(echo), now: 1) }
        #expect(running.handle(.start(echo), now: 1) == [.refused(.start)])
        #expect(running.nextStream == 65)
    }

    @Test func `a channel that closes without END is not a good end`() {
        for state in [.greeting, .greeted, .running] as [HostState] {
            var session = host(state)
            #expect(session.handle(.closed, now: 1) == [.over(.closed)])
        }
        var session = host(.running)
        #expect(session.handle(.received(fault.frame().bytes), now: 1) == [.over(.guestFault(fault))])
        #expect(session.end?.reason == "the guest gave up: no such file (2)")
    }

    @Test func `files and figures are answered as often as they were asked for`() {
        var session = host(.running)
        #expect(sent(session.handle(.file(piece), now: 1)) == [piece.frame!])
        #expect(sent(session.handle(.askFigures, now: 1)) == [Frame(.stats)])
        #expect(session.handle(.received(figures.frame.bytes), now: 1) == [.figures(figures)])
        let filed = frame(.filed, 0, [7, 0, 0, 0, 28, 0, 0, 0])
        #expect(session.handle(.received(filed), now: 1) == [.filed(7, error: 28)])
        #expect(session.handle(.received(filed), now: 1) == [.over(.protocolFault(.unexpected(.filed)))])
    }
}

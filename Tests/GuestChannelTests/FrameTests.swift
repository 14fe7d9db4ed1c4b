import GuestChannel
import Testing

@Suite("Frames of the guest's channel")
struct FrameTests {
    @Test(arguments: FrameKind.allCases)
    func `a frame of each type is read back however its bytes come`(kind: FrameKind) throws {
        var chance = Chance(state: UInt64(kind.rawValue))
        let wanted = (0..<20).map { index in
            Frame(
                kind, stream: UInt32.random(in: 0...UInt32.max, using: &chance),
                [UInt8](repeating: 7, count: index * 37))
        }
        var bytes = wanted.flatMap(\.bytes)[...]
        var reader = FrameReader()
        var found: [Frame] = []
        while !bytes.isEmpty {
            let count = Int.random(in: 1...40, using: &chance)
            reader.append(Array(bytes.prefix(count)))
            bytes = bytes.dropFirst(count)
            while let frame = try reader.next() { found.append(frame) }
        }
        #expect(found == wanted)
        #expect(reader.pendingBytes == 0)
    }

    @Test func `the bytes of a frame are what the protocol says`() {
        #expect(Frame(.stdout, stream: 0x0102_0304, [9, 8]).bytes == [2, 0, 0, 0, 7, 4, 3, 2, 1, 9, 8])
    }

    @Test func `the longest frame is taken, one byte more is refused before it comes`() throws {
        var reader = FrameReader()
        let longest = Frame(.stdout, stream: 1, [UInt8](repeating: 1, count: ChannelLimits.payloadBytes))
        reader.append(longest.bytes)
        #expect(try reader.next() == longest)
        reader.append([1, 0, 16, 0, 7, 1, 0, 0, 0])
        #expect(throws: ChannelFault.oversize(bytes: 0x10_0001)) { try reader.next() }
    }

    @Test(arguments: [0, 25, 100, 255] as [UInt8])
    func `an unknown type is refused with its header`(kind: UInt8) {
        var reader = FrameReader()
        reader.append([200, 0, 0, 0, kind, 0, 0, 0, 0])
        #expect(throws: ChannelFault.unknownKind(kind)) { try reader.next() }
    }

    @Test func `a reader keeps what belongs to one frame and no more`() throws {
        var reader = FrameReader()
        let piece = Frame(.stdout, stream: 1, [UInt8](repeating: 1, count: ChannelLimits.pieceBytes)).bytes
        for _ in 0..<200 {
            reader.append(Array(piece.prefix(1_000)))
            #expect(try reader.next() == nil)
            reader.append(Array(piece.dropFirst(1_000)))
            #expect(try reader.next() != nil)
            #expect(reader.pendingBytes == 0)
        }
    }

    @Test func `every type has a word of its own, and every fault a reason and a number`() {
        #expect(Set(FrameKind.allCases.map(\.word)).count == FrameKind.allCases.count)
        let faults: [ChannelFault] = [
            .oversize(bytes: 1), .unknownKind(1), .unexpected(.exit), .unknownStream(1, .exit), .usedStream(1),
            .tooManyStreams, .creditOverrun(1), .malformed(.exit), .version(theirs: 2),
        ]
        #expect(Set(faults.map(\.code)) == Set(1...9))
        #expect(Set(faults.map(\.reason)).count == faults.count)
    }
}

@Suite("Words of the guest's channel")
struct WordTests {
    /// A good frame of each word that has a payload to read, and what reads it.
    static let words: [(Frame, @Sendable (Frame) throws(ChannelFault) -> Frame?)] = [
        (hello.frame, { frame throws(ChannelFault) in try GuestHello(frame).frame }),
        (configuration.frame!, { frame throws(ChannelFault) in try GuestConfiguration(frame).frame }),
        (renewal.frame, { frame throws(ChannelFault) in try GuestRenewal(frame).frame }),
        (echo.frame(stream: 3)!, { frame throws(ChannelFault) in try GuestProcess(frame).frame(stream: 3) }),
        (shell.frame(stream: 4)!, { frame throws(ChannelFault) in try GuestProcess(frame).frame(stream: 4) }),
        (
            GuestProcessEnd.code(7).frame(stream: 1),
            { frame throws(ChannelFault) in
                try GuestProcessEnd(frame).frame(stream: 1)
            }
        ),
        (
            GuestProcessEnd.signal(9).frame(stream: 1),
            { frame throws(ChannelFault) in
                try GuestProcessEnd(frame).frame(stream: 1)
            }
        ),
        (
            GuestSignal(number: 15, isForGroup: true).frame(stream: 1),
            { frame throws(ChannelFault) in
                try GuestSignal(frame).frame(stream: 1)
            }
        ),
        (
            GuestTerminal(rows: 1, columns: 2).frame(stream: 1),
            { frame throws(ChannelFault) in
                try GuestTerminal(frame).frame(stream: 1)
            }
        ),
        (figures.frame, { frame throws(ChannelFault) in try GuestFigures(frame).frame }),
        (fault.frame(stream: 2), { frame throws(ChannelFault) in try GuestFault(frame).frame(stream: 2) }),
    ]

    @Test(arguments: words.indices)
    func `a word is read back, and is refused with a byte too few or too many`(index: Int) throws {
        let (good, read) = Self.words[index]
        #expect(try read(good) == good)
        for count in 0..<good.payload.count {
            let short = Frame(good.kind, stream: good.stream, Array(good.payload.prefix(count)))
            #expect(throws: ChannelFault.self, "\(count) bytes") { try read(short) }
        }
        let long = Frame(good.kind, stream: good.stream, good.payload + [0])
        #expect(throws: ChannelFault.malformed(good.kind)) { try read(long) }
    }

    @Test func `a piece of a file takes all that follows as its content`() throws {
        #expect(try GuestFilePiece(piece.frame!) == piece)
        var longer = piece.frame!
        longer.payload.append(33)
        #expect(try GuestFilePiece(longer).content == piece.content + [33])
    }

    @Test(arguments: 0..<UInt64(40))
    func `bytes that are changed are refused or mean what they say`(seed: UInt64) {
        var chance = Chance(state: seed)
        for (good, read) in Self.words {
            for _ in 0..<50 {
                var frame = good
                for _ in 0..<Int.random(in: 1...3, using: &chance) {
                    frame.payload[Int.random(in: 0..<frame.payload.count, using: &chance)] = UInt8.random(
                        in: 0...255, using: &chance)
                }
                if let again = try? read(frame) { #expect(again == frame) }
            }
        }
    }

    /// What a well-formed payload may not say.
    static let impossible = [
        GuestProcess(arguments: []), GuestProcess(arguments: [text("echo")]), GuestProcess(arguments: [[]]),
        GuestProcess(arguments: [text("/bin/echo"), [0]]),
        GuestProcess(arguments: [text("/bin/echo")], environment: [text("PATH")]),
        GuestProcess(arguments: [text("/bin/echo")], environment: [text("=x")]),
        GuestProcess(arguments: [text("/bin/echo")], environment: [text("A=\0")]),
        GuestProcess(arguments: [text("/bin/echo")], directory: text("tmp")),
        GuestProcess(arguments: [text("/bin/echo")], directory: []),
        GuestProcess(arguments: [text("/bin/echo")] + Array(repeating: [1], count: ChannelLimits.words)),
        GuestProcess(arguments: [text("/bin/echo"), Array(repeating: 65, count: ChannelLimits.payloadBytes)]),
    ]

    // By its place: some are a megabyte long, which a failing test would print.
    @Test(arguments: impossible.indices)
    func `a process that cannot be has no frame`(index: Int) {
        #expect(Self.impossible[index].frame(stream: 1) == nil)
    }

    @Test func `a configuration that cannot be has no frame`() {
        var wrong: [GuestConfiguration] = []
        func change(_ body: (inout GuestConfiguration) -> Void) {
            var other = configuration
            body(&other)
            wrong.append(other)
        }
        change { $0.hostname = Array(repeating: 65, count: 65) }
        change { $0.hostname = [65, 0] }
        change { $0.disks = Array(repeating: $0.disks[0], count: 9) }
        change { $0.disks[0].serial = [] }
        change { $0.disks[0].serial = text("../rootfs") }
        change { $0.disks[0].serial = text("a b") }
        change { $0.disks[0].serial = Array(repeating: 65, count: 21) }
        change { $0.disks[0].path = text("relative") }
        change { $0.disks[0].path = text("/a\0b") }
        for configuration in wrong { #expect(configuration.frame == nil) }
    }

    @Test func `pieces of files with a path or mode that cannot be have no frame`() {
        for path in [[], text("x"), text("/a\0"), Array(repeating: 47, count: 4_096)] as [[UInt8]] {
            #expect(GuestFilePiece(number: 1, mode: 0, path: path, content: []).frame == nil)
        }
        #expect(GuestFilePiece(number: 1, mode: 0o10000, path: text("/x"), content: []).frame == nil)
        let whole = [UInt8](repeating: 0, count: ChannelLimits.payloadBytes)
        #expect(GuestFilePiece(number: 1, mode: 0, path: text("/x"), content: whole).frame == nil)
    }

    @Test func `a count of words does not make more of them than there are bytes`() {
        #expect(throws: ChannelFault.malformed(.start)) {
            try GuestProcess(Frame(.start, stream: 1, [255, 31, 1, 0, 0, 0, 65]))
        }
    }

    @Test func `signals and ends have numbers that there are`() {
        for number in [0, 65, 255] as [UInt8] {
            #expect(throws: ChannelFault.malformed(.signal)) {
                try GuestSignal(Frame(.signal, stream: 1, [number, 0]))
            }
            #expect(throws: ChannelFault.malformed(.exit)) {
                try GuestProcessEnd(Frame(.exit, stream: 1, [1, number]))
            }
        }
        #expect(throws: ChannelFault.malformed(.signal)) { try GuestSignal(Frame(.signal, stream: 1, [9, 2])) }
        #expect(throws: ChannelFault.malformed(.exit)) { try GuestProcessEnd(Frame(.exit, stream: 1, [2, 0])) }
    }

    @Test func `another version is refused whatever follows it`() {
        #expect(throws: ChannelFault.version(theirs: 2)) { try GuestHello(Frame(.hello, [2, 0, 9, 9, 9])) }
    }

    @Test func `a clock that no kernel takes is refused`() {
        #expect(throws: ChannelFault.malformed(.clock)) {
            try GuestRenewal(Frame(.clock, Array(repeating: 255, count: 8) + [0, 0]))
        }
    }
}

import GuestChannel

func text(_ string: String) -> [UInt8] { Array(string.utf8) }

let hello = GuestHello(uptime: 410, clock: 1_700_000_000_000_000_000, release: text("6.1.0-cloud-amd64"))
let renewal = GuestRenewal(clock: 1_790_000_000_000_000_000, entropy: Array(0..<64))
let configuration = GuestConfiguration(
    hostname: text("web-1"), renewal: renewal,
    disks: [
        GuestDisk(serial: text("rootfs"), path: text("/run/rootfs"), fileSystem: .erofs, isReadOnly: true),
        GuestDisk(serial: text("upper"), path: text("/run/upper"), fileSystem: .ext4, isReadOnly: false),
    ])
let echo = GuestProcess(
    arguments: [text("/bin/echo"), text("hello"), []], environment: [text("PATH=/bin"), text("EMPTY=")])
let shell = GuestProcess(arguments: [text("/bin/sh")], terminal: GuestTerminal(rows: 24, columns: 80))
let figures = GuestFigures(uptime: 1, busy: 2, memory: 3, memoryAvailable: 4, processes: 5)
let piece = GuestFilePiece(number: 7, mode: 0o400, path: text("/run/secret"), content: text("s3cret"))
let fault = GuestFault(code: 2, reason: text("no such file"))

func frame(_ kind: FrameKind, _ stream: UInt32 = 0, _ payload: [UInt8] = []) -> [UInt8] {
    Frame(kind, stream: stream, payload).bytes
}

/// A small generator that gives the same numbers on every machine.
struct Chance: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return (state ^ state >> 33) &* 0xff51_afd7_ed55_8ccd
    }
}

/// A guest in a state.
func guest(_ state: GuestState) -> GuestSession {
    var session = GuestSession()
    guard state != .closed else { return session }
    _ = session.handle(.opened(hello), now: 0)
    switch state {
    case .closed, .waiting: break
    case .frozen:
        _ = session.handle(.received(frame(.freeze)), now: 1)
        _ = session.handle(.frozen, now: 1)
    case .configuring: _ = session.handle(.received(configuration.frame!.bytes), now: 1)
    case .running, .ending:
        _ = session.handle(.received(configuration.frame!.bytes), now: 1)
        _ = session.handle(.configured, now: 1)
        _ = session.handle(.received(echo.frame(stream: 1)!.bytes), now: 1)
        _ = session.handle(.started(1, pid: 40), now: 1)
        if state == .ending { _ = session.handle(.received(frame(.end, 0, [100, 0, 0, 0])), now: 1) }
    }
    return session
}

enum GuestState: CaseIterable { case closed, waiting, frozen, configuring, running, ending }

/// A host in a state; where it runs, stream 1 is a process with pipes.
func host(_ state: HostState) -> HostSession {
    var session = HostSession()
    guard state != .closed else { return session }
    _ = session.handle(.opened(clone: nil), now: 0)
    guard state != .greeting else { return session }
    _ = session.handle(.received(hello.frame.bytes), now: 0)
    switch state {
    case .closed, .greeting, .greeted: break
    case .frozen:
        _ = session.handle(.freeze, now: 0)
        _ = session.handle(.received(frame(.frozen)), now: 0)
    case .configuring: _ = session.handle(.configure(configuration), now: 0)
    case .running, .ending:
        _ = session.handle(.configure(configuration), now: 0)
        _ = session.handle(.received(frame(.ready)), now: 0)
        _ = session.handle(.start(echo), now: 0)
        _ = session.handle(.received(frame(.started, 1, [40, 0, 0, 0])), now: 0)
        if state == .ending { _ = session.handle(.end(grace: 100), now: 0) }
    }
    return session
}

enum HostState: CaseIterable { case closed, greeting, greeted, frozen, configuring, running, ending }

/// The frames that effects send.
func sent(_ effects: [HostSession.Effect]) -> [Frame] {
    frames(effects.flatMap { effect -> [UInt8] in if case .send(let bytes) = effect { bytes } else { [] } })
}

func sent(_ effects: [GuestSession.Effect]) -> [Frame] {
    frames(effects.flatMap { effect -> [UInt8] in if case .send(let bytes) = effect { bytes } else { [] } })
}

func frames(_ bytes: [UInt8]) -> [Frame] {
    var reader = FrameReader()
    reader.append(bytes)
    var frames: [Frame] = []
    while let frame = try? reader.next() { frames.append(frame) }
    return frames
}

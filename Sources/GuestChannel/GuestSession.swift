/// The guest's side of the channel: decides what to do with each frame of the host, and when to say what. Does nothing
/// itself; `rondo-init` feeds it and carries out its effects, in order.
///
///     waiting ──CONFIG──► configuring ──(done)──► running ──END──► ending ──► over
///        │ ▲                                                          ▲
///     FREEZE CLOCK (a clone greets again)                        any fault
///        ▼ │
///      frozen
public struct GuestSession: Sendable {
    /// What happened.
    public enum Event: Equatable, Sendable {
        /// The channel is there for the first time.
        case opened(GuestHello)
        /// Bytes came.
        case received([UInt8])
        /// CONFIG is carried out.
        case configured
        /// CONFIG could not be carried out; the machine ends with this.
        case configurationFailed(GuestFault)
        /// The disks were let go of.
        case frozen
        /// The clock is set and the disks are bound again: the machine is a clone, or its template goes on.
        case renewed(GuestHello)
        /// A process runs.
        case started(UInt32, pid: UInt32)
        /// It could not be started.
        case startFailed(UInt32, GuestFault)
        /// A process wrote; at most as many bytes as `outputCredit` says.
        case output(UInt32, StreamChannel, [UInt8])
        /// It will write no more.
        case outputEnded(UInt32, StreamChannel)
        /// It took bytes of its input, or they were thrown away because it takes none any more.
        case inputTaken(UInt32, Int)
        /// It ended.
        case exited(UInt32, GuestProcessEnd)
        /// Figures were asked for.
        case figures(GuestFigures)
        /// A file's last piece is dealt with; an error of the kernel, or 0.
        case filed(UInt32, error: UInt32)
        /// Time passed.
        case tick
    }

    /// What to do.
    public enum Effect: Equatable, Sendable {
        /// Write these bytes to the channel.
        case send([UInt8])
        /// Set clock, entropy and name, mount; then `configured`.
        case configure(GuestConfiguration)
        /// Run it; then `started` or `startFailed`.
        case start(UInt32, GuestProcess)
        /// Give it these bytes.
        case input(UInt32, [UInt8])
        /// Its input ends when it has what came before.
        case endOfInput(UInt32)
        /// More may be read of its output.
        case mayRead(UInt32, StreamChannel)
        /// Its terminal has another size.
        case resize(UInt32, GuestTerminal)
        /// Send it a signal.
        case signal(UInt32, GuestSignal)
        /// Set clock and mix entropy in. While the machine waits or is frozen, bind the disks and say `renewed`.
        case renew(GuestRenewal, greetAgain: Bool)
        /// Unbind the disks; then `frozen`.
        case freeze
        /// Put it where it belongs; after a last piece `filed`.
        case file(GuestFilePiece)
        /// Say `figures`.
        case readFigures
        /// SIGTERM to every process.
        case terminateAll
        /// SIGKILL to every process.
        case killAll
        /// When all that was to be sent has gone, write back what is not on disk, and stop the machine. Nothing follows.
        case restart
    }

    private enum State: Equatable {
        case closed, waiting, freezing, frozen, renewing, configuring, running
        case ending(deadline: UInt64)
        case over
    }

    private struct Stream: Equatable {
        var id: UInt32
        var hasTerminal: Bool
        var isStarted = false
        var hasExited = false
        var input = ReceivingEnd()
        var output = SendingEnd()
        var error = SendingEnd()

        var isDone: Bool { hasExited && !output.isOpen && !error.isOpen }
    }

    private var state = State.closed
    private var reader = FrameReader()
    private var streams: [Stream] = []
    private var lastStream: UInt32 = 0
    private var figuresWanted = 0
    /// Why the session ended, when it was a fault.
    public private(set) var fault: ChannelFault?

    /// Makes a session whose channel is not open yet.
    public init() {}

    /// Whether the machine is to stop, or has been told to.
    public var isOver: Bool { state == .over }

    /// When `tick` is wanted; nil when nothing is due. Milliseconds, by the clock that `now` is of.
    public var deadline: UInt64? { if case .ending(let deadline) = state { deadline } else { nil } }

    /// How many bytes of a channel may be read and sent now; 0 when none may be, or it is not there any more.
    public func outputCredit(_ id: UInt32, _ channel: StreamChannel) -> Int {
        guard let index = index(of: id) else { return 0 }
        let end = channel == .error ? streams[index].error : streams[index].output
        return end.isOpen && channel != .input ? end.credit : 0
    }

    /// Decides.
    /// - Parameters:
    ///   - event: what happened.
    ///   - now: milliseconds of a clock that never goes back.
    /// - Returns: what to do, in this order.
    public mutating func handle(_ event: Event, now: UInt64) -> [Effect] {
        guard state != .over else { return [] }
        var effects: [Effect] = []
        switch event {
        case .received(let bytes):
            reader.append(bytes)
            do throws(ChannelFault) {
                while state != .over, let frame = try reader.next() { try take(frame, now, &effects) }
            } catch {
                fault = error
                stop(GuestFault(code: error.code, reason: Array(error.reason.utf8)), &effects)
            }
        case .configurationFailed(let fault): stop(fault, &effects)
        case .tick:
            guard case .ending(let deadline) = state, now >= deadline else { break }
            effects.append(.killAll)
            leave(&effects)
        case .opened, .configured, .frozen, .renewed: advance(event, &effects)
        case .started, .startFailed, .output, .outputEnded, .inputTaken, .exited: report(event, &effects)
        case .figures(let figures):
            guard figuresWanted > 0 else { break }
            figuresWanted -= 1
            say(figures.frame, &effects)
        case .filed(let number, let error):
            var writer = ByteWriter(capacity: 8)
            writer.u32(number)
            writer.u32(error)
            say(Frame(.filed, writer.bytes), &effects)
        }
        return effects
    }

    private func say(_ frame: Frame, _ effects: inout [Effect]) { effects.append(.send(frame.bytes)) }

    private mutating func stop(_ fault: GuestFault, _ effects: inout [Effect]) {
        say(fault.frame(), &effects)
        effects += [.killAll, .restart]
        state = .over
    }

    /// The last word comes after all output, so that whoever hears it has missed nothing.
    private mutating func leave(_ effects: inout [Effect]) {
        say(Frame(.bye), &effects)
        effects.append(.restart)
        state = .over
    }

    private func index(of id: UInt32) -> Int? {
        for (index, stream) in streams.enumerated() where stream.id == id { return index }
        return nil
    }

    // MARK: What the machine did

    private mutating func advance(_ event: Event, _ effects: inout [Effect]) {
        switch (event, state) {
        case (.opened(let hello), .closed), (.renewed(let hello), .renewing):
            state = .waiting
            say(hello.frame, &effects)
        case (.configured, .configuring):
            state = .running
            say(Frame(.ready), &effects)
        case (.frozen, .freezing):
            state = .frozen
            say(Frame(.frozen), &effects)
        default: break
        }
    }

    private mutating func report(_ event: Event, _ effects: inout [Effect]) {
        switch event {
        case .started(let id, let pid):
            guard let index = index(of: id) else { return }
            streams[index].isStarted = true
            var writer = ByteWriter(capacity: 4)
            writer.u32(pid)
            say(Frame(.started, stream: id, writer.bytes), &effects)
        case .startFailed(let id, let fault):
            guard let index = index(of: id) else { return }
            say(fault.frame(stream: id), &effects)
            streams.remove(at: index)
            endIfDone(&effects)
        case .output(let id, let channel, let bytes):
            guard let index = index(of: id), !bytes.isEmpty else { return }
            if channel == .error {
                streams[index].error.spend(bytes.count)
            } else {
                streams[index].output.spend(bytes.count)
            }
            say(channel.data(bytes, stream: id), &effects)
        case .outputEnded(let id, let channel):
            guard let index = index(of: id) else { return }
            guard channel == .error ? streams[index].error.isOpen : streams[index].output.isOpen else { return }
            if channel == .error { streams[index].error.isOpen = false } else { streams[index].output.isOpen = false }
            say(channel.ended(stream: id), &effects)
            removeIfDone(index, &effects)
        case .inputTaken(let id, let bytes):
            guard let index = index(of: id), let credit = streams[index].input.passedOn(bytes) else { return }
            say(StreamChannel.input.credit(credit, stream: id), &effects)
        case .exited(let id, let end):
            guard let index = index(of: id), !streams[index].hasExited else { return }
            streams[index].hasExited = true
            say(end.frame(stream: id), &effects)
            removeIfDone(index, &effects)
        default: break
        }
    }

    private mutating func removeIfDone(_ index: Int, _ effects: inout [Effect]) {
        guard streams[index].isDone else { return }
        streams.remove(at: index)
        endIfDone(&effects)
    }

    private mutating func endIfDone(_ effects: inout [Effect]) {
        guard case .ending = state, streams.isEmpty else { return }
        leave(&effects)
    }

    // MARK: What the host says

    private mutating func take(_ frame: Frame, _ now: UInt64, _ effects: inout [Effect]) throws(ChannelFault) {
        switch frame.kind {
        case .hello, .ready, .started, .stdout, .stderr, .exit, .filed, .frozen, .pong, .fault, .bye:
            throw .unexpected(frame.kind)
        case .stdin, .eof, .resize, .signal, .credit:
            try takeStream(frame, &effects)
        case .start:
            try start(frame, &effects)
        case .config, .stats, .file, .clock, .freeze, .ping, .end:
            guard frame.stream == 0 else { throw .malformed(frame.kind) }
            try takeControl(frame, now, &effects)
        }
    }

    private mutating func takeControl(
        _ frame: Frame, _ now: UInt64, _ effects: inout [Effect]
    ) throws(ChannelFault) {
        switch (frame.kind, state) {
        case (.config, .waiting):
            let configuration = try GuestConfiguration(frame)
            state = .configuring
            effects.append(.configure(configuration))
        case (.clock, .waiting), (.clock, .frozen):
            let renewal = try GuestRenewal(frame)
            state = .renewing
            effects.append(.renew(renewal, greetAgain: true))
        case (.clock, .running): effects.append(.renew(try GuestRenewal(frame), greetAgain: false))
        case (.freeze, .waiting):
            guard frame.payload.isEmpty else { throw .malformed(.freeze) }
            state = .freezing
            effects.append(.freeze)
        case (.stats, .running), (.stats, .ending):
            guard frame.payload.isEmpty else { throw .malformed(.stats) }
            figuresWanted += 1
            effects.append(.readFigures)
        case (.file, .running): effects.append(.file(try GuestFilePiece(frame)))
        case (_, .closed): throw .unexpected(frame.kind)
        case (.ping, _):
            guard frame.payload.count == 8 else { throw .malformed(.ping) }
            say(Frame(.pong, frame.payload), &effects)
        case (.end, .ending): break
        case (.end, _):
            var reader = ByteReader(frame)
            let grace = try reader.u32()
            try reader.end()
            if streams.isEmpty {
                leave(&effects)
            } else {
                effects.append(.terminateAll)
                state = .ending(deadline: now &+ UInt64(grace))
            }
        default: throw .unexpected(frame.kind)
        }
    }

    private mutating func start(_ frame: Frame, _ effects: inout [Effect]) throws(ChannelFault) {
        guard state == .running else { throw .unexpected(.start) }
        guard frame.stream > lastStream else { throw .usedStream(frame.stream) }
        guard streams.count < ChannelLimits.streams else { throw .tooManyStreams }
        let process = try GuestProcess(frame)
        lastStream = frame.stream
        var stream = Stream(id: frame.stream, hasTerminal: process.terminal != nil)
        // A terminal has one output.
        stream.error.isOpen = process.terminal == nil
        streams.append(stream)
        effects.append(.start(frame.stream, process))
    }

    private mutating func takeStream(_ frame: Frame, _ effects: inout [Effect]) throws(ChannelFault) {
        guard let index = index(of: frame.stream) else {
            // The host may not know yet that it has ended. What never was is another thing.
            guard frame.stream > 0, frame.stream <= lastStream else {
                throw .unknownStream(frame.stream, frame.kind)
            }
            return
        }
        let id = frame.stream
        switch frame.kind {
        case .stdin:
            guard !frame.payload.isEmpty else { throw .malformed(.stdin) }
            guard streams[index].input.isOpen else { throw .unexpected(.stdin) }
            try streams[index].input.take(frame.payload.count, stream: id)
            effects.append(.input(id, frame.payload))
        case .eof:
            guard try StreamChannel(ended: frame) == .input else { throw .malformed(.eof) }
            guard streams[index].input.isOpen else { throw .unexpected(.eof) }
            streams[index].input.isOpen = false
            effects.append(.endOfInput(id))
        case .resize:
            let size = try GuestTerminal(frame)
            guard streams[index].hasTerminal else { throw .unexpected(.resize) }
            effects.append(.resize(id, size))
        case .signal: effects.append(.signal(id, try GuestSignal(frame)))
        default: try takeCredit(frame, index, &effects)
        }
    }

    private mutating func takeCredit(
        _ frame: Frame, _ index: Int, _ effects: inout [Effect]
    ) throws(ChannelFault) {
        let (channel, bytes) = try StreamChannel.credit(in: frame)
        switch channel {
        case .input: throw .malformed(.credit)
        case .output: try streams[index].output.add(bytes, stream: frame.stream)
        case .error: try streams[index].error.add(bytes, stream: frame.stream)
        }
        effects.append(.mayRead(frame.stream, channel))
    }
}

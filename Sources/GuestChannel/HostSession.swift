/// The host's side of the channel: holds a guest, which may be hostile, to the protocol, and keeps its deadlines. Does
/// nothing itself: whoever owns the channel feeds it and carries out its effects, in order.
public struct HostSession: Sendable {
    /// What happened, or is wanted.
    public enum Event: Equatable, Sendable {
        /// The machine runs. With a renewal it is a clone, which must greet again.
        case opened(clone: GuestRenewal?)
        /// Bytes came.
        case received([UInt8])
        /// The channel is closed: the machine is gone.
        case closed
        /// Tell it what it is.
        case configure(GuestConfiguration)
        /// Have a template let go of its disks.
        case freeze
        /// Renew clock and entropy, after a pause.
        case renew(GuestRenewal)
        /// Run a process; `HostSession.nextStream` says on which stream.
        case start(GuestProcess)
        /// Bytes for a process; at most `inputCredit`.
        case input(UInt32, [UInt8])
        /// No more come.
        case endOfInput(UInt32)
        /// Its terminal has another size.
        case resize(UInt32, GuestTerminal)
        /// A signal for it.
        case signal(UInt32, GuestSignal)
        /// Output was passed on.
        case passedOn(UInt32, StreamChannel, Int)
        /// A piece of a file.
        case file(GuestFilePiece)
        /// Ask for figures.
        case askFigures
        /// End everything, with so many milliseconds between SIGTERM and SIGKILL.
        case end(grace: UInt32)
        /// Time passed.
        case tick
    }

    /// What to do.
    public enum Effect: Equatable, Sendable {
        /// Write these bytes to the channel.
        case send([UInt8])
        /// The guest is up, and can be configured or frozen.
        case greeted(GuestHello)
        /// CONFIG is carried out: processes can be started.
        case ready
        /// It let go of its disks.
        case frozen
        /// A process runs; its pid is one of the guest's.
        case started(UInt32, pid: UInt32)
        /// It could not be started; nothing more comes of its stream.
        case startFailed(UInt32, GuestFault)
        /// Output. Say `passedOn` when it is dealt with.
        case output(UInt32, StreamChannel, [UInt8])
        /// No more output of this channel.
        case outputEnded(UInt32, StreamChannel)
        /// More may be sent.
        case mayWrite(UInt32)
        /// The process ended; output may still come.
        case exited(UInt32, GuestProcessEnd)
        /// Its figures.
        case figures(GuestFigures)
        /// What became of a file: an error of the kernel, or 0.
        case filed(UInt32, error: UInt32)
        /// What was wanted cannot be had in this state, or does not fit into a frame. The session goes on.
        case refused(FrameKind)
        /// The session is over. Nothing follows.
        case over(HostSessionEnd)
    }

    /// How long the host waits for what.
    public struct Patience: Equatable, Sendable {
        /// For HELLO, in milliseconds.
        public var hello: UInt64
        /// For READY and FROZEN, in milliseconds.
        public var answer: UInt64
        /// Between two PINGs, in milliseconds.
        public var ping: UInt64
        /// How many PINGs may stay without an answer.
        public var missedPings: Int
        /// Between the end of END's grace and the channel's, in milliseconds.
        public var end: UInt64

        /// Makes settings.
        public init(
            hello: UInt64 = 5_000, answer: UInt64 = 10_000, ping: UInt64 = 5_000, missedPings: Int = 3,
            end: UInt64 = 2_000
        ) {
            self.hello = hello
            self.answer = answer
            self.ping = ping
            self.missedPings = missedPings
            self.end = end
        }
    }

    enum State: Equatable {
        case closed
        case greeting(deadline: UInt64)
        case greeted
        case configuring(deadline: UInt64)
        case freezing(deadline: UInt64)
        case frozen
        case running
        case ending(deadline: UInt64)
        case over
    }

    struct Stream: Equatable {
        var id: UInt32
        var isStarted = false
        var hasTerminal: Bool
        var hasExited = false
        var input = SendingEnd()
        var output = ReceivingEnd()
        var error = ReceivingEnd()

        var isDone: Bool { hasExited && !output.isOpen && !error.isOpen }
    }

    let patience: Patience
    var state = State.closed
    var reader = FrameReader()
    var streams: [Stream] = []
    var figuresAsked = 0
    var files: [UInt32] = []
    var pingDue: UInt64 = 0
    var pings: UInt64 = 0
    /// The numbers of the PINGs that wait for an answer, oldest first.
    var unanswered: [UInt64] = []

    /// The stream that the next process gets.
    public private(set) var nextStream: UInt32 = 1

    /// Makes a session whose machine does not run yet.
    public init(patience: Patience = Patience()) { self.patience = patience }

    /// How the session ended; nil while it goes on.
    public internal(set) var end: HostSessionEnd?

    /// When `tick` is wanted, in milliseconds; nil when nothing is due.
    public var deadline: UInt64? {
        switch state {
        case .closed, .frozen, .over: nil
        case .greeting(let deadline), .freezing(let deadline): deadline
        case .configuring(let deadline), .ending(let deadline): min(deadline, pingDue)
        case .greeted, .running: pingDue
        }
    }

    /// How many bytes may be written to a process now.
    public func inputCredit(_ id: UInt32) -> Int {
        guard let index = index(of: id), streams[index].input.isOpen else { return 0 }
        return streams[index].input.credit
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
            } catch { stop(.protocolFault(error), &effects) }
        case .closed: stop(isEnding ? .ended : .closed, &effects)
        case .tick: tick(now, &effects)
        case .opened, .configure, .freeze, .renew, .end: advance(event, now, &effects)
        case .start(let process): start(process, &effects)
        case .input, .endOfInput, .resize, .signal, .passedOn: act(event, &effects)
        case .file(let piece):
            guard state == .running, files.count < ChannelLimits.words, let frame = piece.frame else {
                effects.append(.refused(.file))
                break
            }
            if piece.isLast { files.append(piece.number) }
            say(frame, &effects)
        case .askFigures:
            guard state == .running, figuresAsked < ChannelLimits.streams else {
                effects.append(.refused(.stats))
                break
            }
            figuresAsked += 1
            say(Frame(.stats), &effects)
        }
        return effects
    }

    private var isEnding: Bool { if case .ending = state { true } else { false } }

    func say(_ frame: Frame, _ effects: inout [Effect]) { effects.append(.send(frame.bytes)) }

    mutating func stop(_ how: HostSessionEnd, _ effects: inout [Effect]) {
        state = .over
        end = how
        effects.append(.over(how))
    }

    func index(of id: UInt32) -> Int? {
        for (index, stream) in streams.enumerated() where stream.id == id { return index }
        return nil
    }

    private mutating func advance(_ event: Event, _ now: UInt64, _ effects: inout [Effect]) {
        switch (event, state) {
        case (.opened(let renewal), .closed):
            state = .greeting(deadline: now &+ patience.hello)
            if let renewal { say(renewal.frame, &effects) }
        case (.configure(let configuration), .greeted):
            guard let frame = configuration.frame else {
                effects.append(.refused(.config))
                return
            }
            state = .configuring(deadline: now &+ patience.answer)
            say(frame, &effects)
        case (.configure, _): effects.append(.refused(.config))
        case (.freeze, .greeted):
            state = .freezing(deadline: now &+ patience.answer)
            say(Frame(.freeze), &effects)
        case (.freeze, _): effects.append(.refused(.freeze))
        case (.renew(let renewal), .frozen):
            state = .greeting(deadline: now &+ patience.hello)
            say(renewal.frame, &effects)
        case (.renew(let renewal), .running): say(renewal.frame, &effects)
        case (.renew, _): effects.append(.refused(.clock))
        case (.end, .closed), (.end, .greeting): effects.append(.refused(.end))
        case (.end(let grace), _):
            guard !isEnding else { return }
            state = .ending(deadline: now &+ UInt64(grace) &+ patience.end)
            var writer = ByteWriter(capacity: 4)
            writer.u32(grace)
            say(Frame(.end, writer.bytes), &effects)
        default: break
        }
    }

    private mutating func start(_ process: GuestProcess, _ effects: inout [Effect]) {
        guard state == .running, streams.count < ChannelLimits.streams, nextStream < .max,
            let frame = process.frame(stream: nextStream)
        else {
            effects.append(.refused(.start))
            return
        }
        var stream = Stream(id: nextStream, hasTerminal: process.terminal != nil)
        stream.error.isOpen = process.terminal == nil
        streams.append(stream)
        nextStream += 1
        say(frame, &effects)
    }

    /// What is wanted of a stream that has ended meanwhile is no mistake, and nothing.
    private mutating func act(_ event: Event, _ effects: inout [Effect]) {
        switch event {
        case .input(let id, let bytes):
            guard let index = index(of: id), streams[index].input.isOpen, !bytes.isEmpty else { return }
            streams[index].input.spend(bytes.count)
            // In pieces, so that nothing waits long behind it.
            var start = 0
            while start < bytes.count {
                let end = min(start + ChannelLimits.pieceBytes, bytes.count)
                say(Frame(.stdin, stream: id, Array(bytes[start..<end])), &effects)
                start = end
            }
        case .endOfInput(let id):
            guard let index = index(of: id), streams[index].input.isOpen else { return }
            streams[index].input.isOpen = false
            say(StreamChannel.input.ended(stream: id), &effects)
        case .resize(let id, let size):
            guard let index = index(of: id), streams[index].hasTerminal else { return }
            say(size.frame(stream: id), &effects)
        case .signal(let id, let signal):
            guard index(of: id) != nil else { return }
            say(signal.frame(stream: id), &effects)
        case .passedOn(let id, let channel, let bytes):
            guard let index = index(of: id) else { return }
            let credit =
                channel == .error
                ? streams[index].error.passedOn(bytes) : streams[index].output.passedOn(bytes)
            if let credit { say(channel.credit(credit, stream: id), &effects) }
        default: break
        }
    }

    private mutating func tick(_ now: UInt64, _ effects: inout [Effect]) {
        switch state {
        case .greeting(let deadline) where now >= deadline: return stop(.silent(.hello), &effects)
        case .configuring(let deadline) where now >= deadline: return stop(.silent(.config), &effects)
        case .freezing(let deadline) where now >= deadline: return stop(.silent(.freeze), &effects)
        case .ending(let deadline) where now >= deadline: return stop(.silent(.end), &effects)
        // A PONG that crosses FROZEN would be an answer from another life.
        case .closed, .greeting, .freezing, .frozen, .over: return
        default: break
        }
        guard now >= pingDue else { return }
        guard unanswered.count < patience.missedPings else { return stop(.silent(.ping), &effects) }
        pings += 1
        unanswered.append(pings)
        pingDue = now &+ patience.ping
        var writer = ByteWriter(capacity: 8)
        writer.u64(pings)
        say(Frame(.ping, writer.bytes), &effects)
    }
}

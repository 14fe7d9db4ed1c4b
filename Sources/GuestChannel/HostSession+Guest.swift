/// How a session ended, as the host sees it. Only `ended` is what was wanted; what it means for a workload is decided
/// where the ends of its processes are known, too.
public enum HostSessionEnd: Equatable, Sendable {
    /// The guest stopped after END.
    case ended
    /// The channel closed without END.
    case closed
    /// The guest broke the protocol.
    case protocolFault(ChannelFault)
    /// The guest says that it cannot go on.
    case guestFault(GuestFault)
    /// It did not answer this in time.
    case silent(FrameKind)

    /// What to write down: lower case, no full stop.
    public var reason: String {
        switch self {
        case .ended: "the guest ended"
        case .closed: "the guest's channel closed without a word"
        case .protocolFault(let fault): "the guest broke the protocol: " + fault.reason
        case .guestFault(let fault):
            "the guest gave up: " + String(decoding: fault.reason, as: UTF8.self) + " (\(fault.code))"
        case .silent(.hello): "the guest did not greet in time"
        case .silent(let kind): "the guest did not answer \(kind.word) in time"
        }
    }
}

/// What the guest says. Everything is bounded by what the host said first: a PONG answers a PING, figures and files were
/// asked for, output was credited.
extension HostSession {
    mutating func take(_ frame: Frame, _ now: UInt64, _ effects: inout [Effect]) throws(ChannelFault) {
        switch frame.kind {
        case .config, .start, .stdin, .resize, .signal, .file, .clock, .freeze, .ping, .end:
            throw .unexpected(frame.kind)
        case .started, .stdout, .stderr, .eof, .exit, .credit: try takeStream(frame, &effects)
        case .fault where frame.stream != 0: try takeStream(frame, &effects)
        case .hello, .ready, .stats, .filed, .frozen, .pong, .fault, .bye:
            guard frame.stream == 0 else { throw .malformed(frame.kind) }
            try takeControl(frame, now, &effects)
        }
    }

    private mutating func takeControl(
        _ frame: Frame, _ now: UInt64, _ effects: inout [Effect]
    ) throws(ChannelFault) {
        switch (frame.kind, state) {
        case (_, .closed): throw .unexpected(frame.kind)
        case (.hello, .greeting):
            let hello = try GuestHello(frame)
            state = .greeted
            unanswered = []
            pingDue = now &+ patience.ping
            effects.append(.greeted(hello))
        case (.ready, .configuring):
            guard frame.payload.isEmpty else { throw .malformed(.ready) }
            state = .running
            effects.append(.ready)
        case (.frozen, .freezing):
            guard frame.payload.isEmpty else { throw .malformed(.frozen) }
            // It may be stopped for as long as anybody likes from now on.
            state = .frozen
            unanswered = []
            effects.append(.frozen)
        // END may cross READY or FROZEN on the way.
        case (.ready, .ending), (.frozen, .ending): break
        case (.bye, .ending):
            guard frame.payload.isEmpty else { throw .malformed(.bye) }
        case (.stats, _):
            let figures = try GuestFigures(frame)
            guard figuresAsked > 0 else { throw .unexpected(.stats) }
            figuresAsked -= 1
            effects.append(.figures(figures))
        case (.filed, _):
            var reader = ByteReader(frame)
            let (number, error) = (try reader.u32(), try reader.u32())
            try reader.end()
            guard let place = files.firstIndex(of: number) else { throw .unexpected(.filed) }
            files.remove(at: place)
            effects.append(.filed(number, error: error))
        case (.pong, _):
            var reader = ByteReader(frame)
            let number = try reader.u64()
            try reader.end()
            guard unanswered.first == number else { throw .unexpected(.pong) }
            unanswered.removeFirst()
        case (.fault, _): stop(.guestFault(try GuestFault(frame)), &effects)
        default: throw .unexpected(frame.kind)
        }
    }

    private mutating func takeStream(_ frame: Frame, _ effects: inout [Effect]) throws(ChannelFault) {
        let id = frame.stream
        guard let index = index(of: id) else { throw .unknownStream(id, frame.kind) }
        if frame.kind == .fault {
            guard !streams[index].isStarted else { throw .unexpected(.fault) }
            let fault = try GuestFault(frame)
            streams.remove(at: index)
            effects.append(.startFailed(id, fault))
            return
        }
        guard streams[index].isStarted != (frame.kind == .started) else { throw .unexpected(frame.kind) }
        switch frame.kind {
        case .started:
            var reader = ByteReader(frame)
            let pid = try reader.u32()
            try reader.end()
            streams[index].isStarted = true
            effects.append(.started(id, pid: pid))
        case .stdout:
            guard streams[index].output.isOpen else { throw .unexpected(.stdout) }
            guard !frame.payload.isEmpty else { throw .malformed(.stdout) }
            try streams[index].output.take(frame.payload.count, stream: id)
            effects.append(.output(id, .output, frame.payload))
        case .stderr:
            guard streams[index].error.isOpen else { throw .unexpected(.stderr) }
            guard !frame.payload.isEmpty else { throw .malformed(.stderr) }
            try streams[index].error.take(frame.payload.count, stream: id)
            effects.append(.output(id, .error, frame.payload))
        case .eof: try takeEnd(frame, index, &effects)
        case .exit:
            let end = try GuestProcessEnd(frame)
            guard !streams[index].hasExited else { throw .unexpected(.exit) }
            streams[index].hasExited = true
            effects.append(.exited(id, end))
        default:
            let (channel, bytes) = try StreamChannel.credit(in: frame)
            guard channel == .input else { throw .malformed(.credit) }
            try streams[index].input.add(bytes, stream: id)
            effects.append(.mayWrite(id))
        }
        if streams[index].isDone { streams.remove(at: index) }
    }

    private mutating func takeEnd(
        _ frame: Frame, _ index: Int, _ effects: inout [Effect]
    ) throws(ChannelFault) {
        let channel = try StreamChannel(ended: frame)
        switch channel {
        case .input: throw .malformed(.eof)
        case .output:
            guard streams[index].output.isOpen else { throw .unexpected(.eof) }
            streams[index].output.isOpen = false
        case .error:
            guard streams[index].error.isOpen else { throw .unexpected(.eof) }
            streams[index].error.isOpen = false
        }
        effects.append(.outputEnded(frame.stream, channel))
    }
}

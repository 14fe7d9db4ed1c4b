import CGuest
import GuestChannel

/// Process 1: carries out what the session decides, with one `poll` over everything.
struct Guest {
    private var session = GuestSession()
    private var machine = Machine()
    private var children: [Child] = []
    private let port: Int32
    private let childEnds: Int32
    /// Bytes for the host that the port did not take yet.
    private var outbound: [UInt8] = []
    private var mustRestart = false

    /// Output is read only while less than this waits for the port: what the host does not take stays in the pipes.
    private static let outboundBytes = 256 << 10

    init(port: Int32, childEnds: Int32) {
        self.port = port
        self.childEnds = childEnds
    }

    private var now: UInt64 { cguest_clock(0) / 1_000_000 }

    /// Greets, and serves until the machine is to stop.
    mutating func run() {
        tell(.opened(machine.hello))
        while !mustRestart {
            var waits = [
                cguest_wait(
                    descriptor: port,
                    wanted: Int16(CGUEST_READABLE) | (outbound.isEmpty ? 0 : Int16(CGUEST_WRITABLE)),
                    found: 0),
                cguest_wait(descriptor: childEnds, wanted: Int16(CGUEST_READABLE), found: 0),
            ]
            let mayRead = outbound.count < Self.outboundBytes
            for child in children {
                waits.append(child.inputWait)
                for channel in [StreamChannel.output, .error] {
                    let isWanted = mayRead && session.outputCredit(child.id, channel) > 0
                    waits.append(child.outputWait(channel, isWanted: isWanted))
                }
            }
            let timeout = session.deadline.map { Int32(clamping: $0 > now ? min($0 - now, 60_000) : 0) } ?? -1
            _ = waits.withUnsafeMutableBufferPointer { cguest_poll($0.baseAddress, $0.count, timeout) }
            if session.deadline != nil { tell(.tick) }
            if waits[1].found != 0 { reap() }
            serve(waits[0].found)
            // Children that begin meanwhile are at the end, those that are done go at the end of the turn.
            for (number, child) in children.enumerated() where 4 + 3 * number < waits.count {
                let base = 2 + 3 * number
                if waits[base].found != 0 { feed(child.id) }
                if waits[base + 1].found != 0 { drain(child.id, .output) }
                if waits[base + 2].found != 0 { drain(child.id, .error) }
            }
            flush()
            removeDone()
        }
        finish()
    }

    // MARK: The port

    private mutating func serve(_ found: Int16) {
        if found & Int16(CGUEST_READABLE) != 0, let bytes = try? Kernel.read(port, atMost: 64 << 10), !bytes.isEmpty {
            tell(.received(bytes))
        } else if found & Int16(CGUEST_HANGUP) != 0 {
            // Nobody is at the other end: poll comes back at once each time.
            cguest_sleep(20)
        }
    }

    private mutating func flush() {
        var sent = 0
        while sent < outbound.count {
            // EAGAIN is not an error here: the rest goes when the port takes more.
            guard let count = try? Kernel.write(port, outbound[sent...].prefix(32 << 10)), count > 0 else { break }
            sent += count
        }
        if sent > 0 { outbound.removeFirst(sent) }
    }

    /// The last words wait until the host has them.
    private mutating func finish() {
        _ = cguest_set_blocking(port)
        try? Kernel.writeAll(port, outbound)
        cguest_restart()
    }

    // MARK: The session

    private mutating func tell(_ event: GuestSession.Event) {
        for effect in session.handle(event, now: now) { perform(effect) }
    }

    private mutating func perform(_ effect: GuestSession.Effect) {
        switch effect {
        case .send(let bytes): outbound += bytes
        case .configure(let configuration):
            do throws(Machine.Failure) {
                try machine.configure(configuration)
                tell(.configured)
            } catch { tell(.configurationFailed(error.fault)) }
        case .renew(let renewal, let greetAgain):
            do throws(KernelError) { try machine.renew(renewal) } catch {
                Kernel.log(bytes("cannot renew clock and entropy: ") + error.text)
                // A clone with another's chance must not go on.
                mustRestart = true
                return
            }
            guard greetAgain else { return }
            machine.bindDisks()
            tell(.renewed(machine.hello))
        case .freeze:
            machine.unbindDisks()
            tell(.frozen)
        case .start(let id, let process): start(id, process)
        case .input(let id, let bytes):
            guard let index = index(of: id) else { return }
            let thrownAway = children[index].take(bytes)
            if thrownAway > 0 { tell(.inputTaken(id, thrownAway)) }
            feed(id)
        case .endOfInput(let id):
            guard let index = index(of: id) else { return }
            children[index].inputEnds()
        // What may be read is asked for in the next turn.
        case .mayRead: break
        case .resize(let id, let size):
            guard let index = index(of: id) else { return }
            _ = cguest_resize(children[index].output, size.rows, size.columns)
        case .signal(let id, let signal):
            // The id of a process that has ended may be another's.
            guard let index = index(of: id), !children[index].hasExited else { return }
            let pid = children[index].pid
            _ = cguest_kill(signal.isForGroup ? -pid : pid, Int32(signal.number))
        case .file(let piece):
            var failure: UInt32 = 0
            do throws(KernelError) { try machine.write(piece) } catch { failure = UInt32(error.number) }
            if piece.isLast || failure != 0 { tell(.filed(piece.number, error: failure)) }
        case .readFigures: tell(.figures(machine.figures))
        case .terminateAll: _ = cguest_kill(-1, 15)
        case .killAll: _ = cguest_kill(-1, 9)
        case .restart: mustRestart = true
        }
    }

    // MARK: Processes

    private func index(of id: UInt32) -> Int? {
        for (index, child) in children.enumerated() where child.id == id { return index }
        return nil
    }

    private mutating func start(_ id: UInt32, _ process: GuestProcess) {
        do throws(KernelError) {
            let child = try Child(id, process)
            children.append(child)
            tell(.started(id, pid: UInt32(child.pid)))
        } catch {
            let reason = (process.arguments.first ?? []) + bytes(": ") + error.text
            tell(.startFailed(id, GuestFault(code: UInt16(truncatingIfNeeded: error.number), reason: reason)))
        }
    }

    private mutating func feed(_ id: UInt32) {
        guard let index = index(of: id) else { return }
        let taken = children[index].feed()
        if taken > 0 { tell(.inputTaken(id, taken)) }
    }

    private mutating func drain(_ id: UInt32, _ channel: StreamChannel) {
        let credit = session.outputCredit(id, channel)
        guard credit > 0, let index = index(of: id) else { return }
        switch children[index].read(channel, atMost: min(credit, ChannelLimits.pieceBytes)) {
        case .bytes(let bytes): tell(.output(id, channel, bytes))
        case .ended: tell(.outputEnded(id, channel))
        case .nothing: break
        }
    }

    private mutating func reap() {
        // What the signal's descriptor says is only that there may be one.
        _ = try? Kernel.read(childEnds, atMost: 128 * 16)
        var (isSignal, number) = (Int32(0), Int32(0))
        while true {
            let pid = cguest_reap(&isSignal, &number)
            guard pid > 0 else { return }
            // Most are orphans that nobody asks for.
            for index in children.indices where children[index].pid == pid && !children[index].hasExited {
                children[index].hasExited = true
                let end = UInt8(truncatingIfNeeded: number)
                tell(.exited(children[index].id, isSignal != 0 ? .signal(end) : .code(end)))
                break
            }
        }
    }

    private mutating func removeDone() {
        children.removeAll { child in
            guard child.isDone else { return false }
            child.close()
            return true
        }
    }
}

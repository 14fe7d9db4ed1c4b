import CGuest
import GuestChannel

/// A process that the host started, and its pipes or terminal.
struct Child {
    let id: UInt32
    let pid: Int32
    let hasTerminal: Bool
    /// The ends that this side has; -1 when closed. With a terminal the first two are the same.
    private(set) var input: Int32
    private(set) var output: Int32
    private(set) var error: Int32
    var hasExited = false
    /// What it did not take yet; never more than the channel's window.
    private var waiting: [UInt8] = []
    private var inputHasEnded = false

    /// What a read gave.
    enum Reading {
        case bytes([UInt8])
        case ended
        case nothing
    }

    /// Starts it.
    /// - Throws: what failed, the start of its program too.
    init(_ id: UInt32, _ process: GuestProcess) throws(KernelError) {
        self.id = id
        hasTerminal = process.terminal != nil
        if let size = process.terminal {
            var (controller, terminal) = (Int32(-1), Int32(-1))
            try Kernel.check(cguest_open_terminal(&controller, &terminal))
            defer { cguest_close(terminal) }
            _ = cguest_resize(controller, size.rows, size.columns)
            let started = Self.spawn(process, terminal, terminal, terminal, hasTerminal: true)
            if started < 0 { cguest_close(controller) }
            pid = Int32(try Kernel.check(started))
            (input, output, error) = (controller, controller, -1)
            return
        }
        var pipes: [(reading: Int32, writing: Int32)] = []
        defer {
            for number in pipes.indices { cguest_close(number == 0 ? pipes[number].reading : pipes[number].writing) }
        }
        for number in 0..<3 {
            var (reading, writing) = (Int32(-1), Int32(-1))
            let made = cguest_pipe(&reading, &writing, number == 0 ? 1 : 0)
            if made < 0 { for pipe in pipes { cguest_close(pipe.writing) } }
            try Kernel.check(made)
            pipes.append((reading, writing))
        }
        let started = Self.spawn(process, pipes[0].reading, pipes[1].writing, pipes[2].writing, hasTerminal: false)
        if started < 0 {
            cguest_close(pipes[0].writing)
            cguest_close(pipes[1].reading)
            cguest_close(pipes[2].reading)
        }
        pid = Int32(try Kernel.check(started))
        (input, output, error) = (pipes[0].writing, pipes[1].reading, pipes[2].reading)
    }

    private static func spawn(
        _ process: GuestProcess, _ input: Int32, _ output: Int32, _ error: Int32, hasTerminal: Bool
    ) -> Int32 {
        withVector(process.arguments) { arguments in
            withVector(process.environment) { environment in
                Kernel.withText(process.directory) { directory in
                    cguest_spawn(arguments, environment, directory, input, output, error, hasTerminal ? 1 : 0)
                }
            }
        }
    }

    /// A vector of texts as exec wants it: all of them in one piece of memory.
    private static func withVector(
        _ words: [[UInt8]], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Int32
    ) -> Int32 {
        var all: [CChar] = [0]
        var places: [Int] = []
        for word in words {
            places.append(all.count)
            all += word.map { CChar(bitPattern: $0) } + [0]
        }
        return all.withUnsafeMutableBufferPointer { buffer in
            guard let start = buffer.baseAddress else { preconditionFailure("a vector without an address") }
            let pointers = places.map { UnsafeMutablePointer<CChar>?(start + $0) } + [nil]
            return pointers.withUnsafeBufferPointer { vector in
                guard let first = vector.baseAddress else { preconditionFailure("a vector without an address") }
                return body(first)
            }
        }
    }

    /// Whether it has ended, and all of its output was read.
    var isDone: Bool { hasExited && output < 0 && error < 0 }

    /// What poll shall say of its input.
    var inputWait: cguest_wait {
        let isWanted = input >= 0 && !waiting.isEmpty
        return cguest_wait(descriptor: isWanted ? input : -1, wanted: Int16(CGUEST_WRITABLE), found: 0)
    }

    /// What poll shall say of its output.
    func outputWait(_ channel: StreamChannel, isWanted: Bool) -> cguest_wait {
        let descriptor = channel == .error ? error : output
        return cguest_wait(
            descriptor: isWanted ? descriptor : -1, wanted: Int16(CGUEST_READABLE), found: 0)
    }

    /// Keeps input for it.
    /// - Returns: how many bytes were thrown away because it takes none any more.
    mutating func take(_ bytes: [UInt8]) -> Int {
        guard input >= 0 else { return bytes.count }
        waiting += bytes
        return 0
    }

    mutating func inputEnds() {
        inputHasEnded = true
        // A terminal's line ends with the character for it; the terminal itself stays.
        if hasTerminal, input >= 0 { waiting.append(4) }
        _ = feed()
    }

    /// Gives it what waits.
    /// - Returns: how many bytes it took, or never will.
    mutating func feed() -> Int {
        guard input >= 0 else { return 0 }
        var taken = 0
        var isGone = false
        while taken < waiting.count, !isGone {
            do throws(KernelError) {
                let count = try Kernel.write(input, waiting[taken...].prefix(32 << 10))
                guard count > 0 else { break }
                taken += count
            } catch {
                // EAGAIN is 11: it takes more later. Anything else means that nobody reads any more.
                if error.number == 11 { break }
                isGone = true
            }
        }
        if isGone { taken = waiting.count }
        waiting.removeFirst(taken)
        if !hasTerminal, isGone || (inputHasEnded && waiting.isEmpty) { closeInput() }
        if hasTerminal, inputHasEnded { return max(0, taken - (waiting.isEmpty ? 1 : 0)) }
        return taken
    }

    mutating func read(_ channel: StreamChannel, atMost count: Int) -> Reading {
        let descriptor = channel == .error ? error : output
        guard descriptor >= 0 else { return .nothing }
        do throws(KernelError) {
            let bytes = try Kernel.read(descriptor, atMost: count)
            if !bytes.isEmpty { return .bytes(bytes) }
        } catch {
            if error.number == 11 { return .nothing }
            // A terminal that nobody has open says EIO.
        }
        if channel == .error {
            cguest_close(error)
            error = -1
        } else {
            if hasTerminal { input = -1 }
            cguest_close(output)
            output = -1
        }
        return .ended
    }

    private mutating func closeInput() {
        cguest_close(input)
        input = -1
    }

    /// Closes what is left.
    func close() {
        if input != output { cguest_close(input) }
        cguest_close(output)
        cguest_close(error)
    }
}

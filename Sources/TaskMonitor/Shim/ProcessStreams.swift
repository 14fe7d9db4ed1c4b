internal import CLinux
internal import Glibc
internal import LinuxSystem

/// The standard streams of one process: the fifos of containerd on one side, pipes or a terminal on the other.
final class ProcessStreams {
    let input: String
    let output: String
    let errors: String
    let isTerminal: Bool
    /// Called when all output has been carried over.
    var whenDrained: (() -> Void)?

    private var targets: [Int: StreamTarget.Opened] = [:]
    private var reader: StreamCopier?
    private var writers: [StreamCopier] = []
    /// The writing end of the input's fifo: while it is open, a client that goes does not end the input.
    private var inputWriter: Int32 = -1
    private var console: Int32 = -1

    init(input: String, output: String, errors: String, isTerminal: Bool) {
        self.input = input
        self.output = output
        self.errors = errors
        self.isTerminal = isTerminal
    }

    deinit { end() }

    /// What is to be copied at present.
    var copiers: [StreamCopier] { (reader.map { [$0] } ?? []) + writers }

    var isDrained: Bool { !writers.contains(where: \.isOpen) }

    /// Opens where output goes.
    ///
    /// - Parameters:
    ///   - id: the container, for a program that takes the output.
    ///   - namespace: containerd's namespace, likewise.
    /// - Returns: false while nobody reads a fifo yet; what is written to it then could be lost.
    /// - Throws: why something cannot be opened.
    func openTargets(id: String, namespace: String) throws(ShimFailure) -> Bool {
        if output.hasPrefix("binary://") {
            guard targets.isEmpty else { return true }
            for (index, target) in try StreamTarget.startLogger(output, id: id, namespace: namespace).enumerated() {
                targets[index] = target
            }
            return true
        }
        // With a file for output, errors go there too.
        let paths = [output, isTerminal ? "" : output.hasPrefix("file://") ? output : errors]
        for (index, path) in paths.enumerated() where !path.isEmpty && targets[index] == nil {
            guard let target = try StreamTarget.open(path) else { return false }
            targets[index] = target
        }
        return true
    }

    /// Makes the pipes of a process without a terminal.
    ///
    /// - Parameters:
    ///   - user: owner of the pipes.
    ///   - group: group of the pipes.
    /// - Returns: the process's ends, to be closed by the caller.
    /// - Throws: why they cannot be made.
    func makePipes(user: UInt32, group: UInt32) throws(ShimFailure) -> RuntimeCall.Streams {
        do throws(SystemError) {
            let null = try FileDescriptor.open("/dev/null", flags: O_RDWR).release()
            var streams = RuntimeCall.Streams(input: null, output: null, errors: null)
            guard !isTerminal else { return streams }
            if !input.isEmpty {
                let pipe = try FileDescriptor.pipe()
                for end in [pipe.reading.raw, pipe.writing.raw] { _ = fchown(end, user, group) }
                streams.input = fcntl(pipe.reading.raw, F_DUPFD_CLOEXEC, 3)
                try copyInput(to: pipe.takeWriting())
            }
            for (index, target) in targets.sorted(by: { $0.key < $1.key }) {
                let pipe = try FileDescriptor.pipe()
                for end in [pipe.reading.raw, pipe.writing.raw] { _ = fchown(end, user, group) }
                let writing = fcntl(pipe.writing.raw, F_DUPFD_CLOEXEC, 3)
                if index == 0 { streams.output = writing } else { streams.errors = writing }
                copyOutput(from: pipe.takeReading(), to: target)
            }
            targets = [:]
            if ![streams.input, streams.output, streams.errors].contains(null) { close(null) }
            return streams
        } catch {
            end()
            throw .unknown("cannot make the standard streams: \(error)")
        }
    }

    /// Goes on with a terminal.
    ///
    /// - Parameter descriptor: the controlling end, which is taken over.
    /// - Throws: why the input cannot be opened.
    func attach(console descriptor: Int32) throws(ShimFailure) {
        console = descriptor
        _ = clinux_set_nonblocking(console)
        do throws(SystemError) {
            if let target = targets[0] {
                copyOutput(from: fcntl(console, F_DUPFD_CLOEXEC, 3), to: target)
            } else {
                let null = try FileDescriptor.open("/dev/null", flags: O_WRONLY).release()
                copyOutput(from: fcntl(console, F_DUPFD_CLOEXEC, 3), to: StreamTarget.Opened(sink: null))
            }
            targets = [:]
            if !input.isEmpty { try copyInput(to: fcntl(console, F_DUPFD_CLOEXEC, 3)) }
        } catch {
            throw .unknown("cannot attach the terminal: \(error)")
        }
    }

    private func copyInput(to sink: Int32) throws(SystemError) {
        let fifo = clinux_open(input, O_RDONLY | O_NONBLOCK, 0)
        guard fifo >= 0 else {
            let failure = errno
            close(sink)
            throw SystemError(call: "open", path: input, errno: failure)
        }
        inputWriter = clinux_open(input, O_WRONLY | O_NONBLOCK, 0)
        _ = clinux_set_nonblocking(sink)
        reader = StreamCopier(source: fifo, sink: sink, kept: [], discards: false) { [unowned self] in
            // A terminal cannot be closed in one direction: that its client is gone is a hang-up.
            guard isTerminal else { return }
            closeConsole()
            for each in writers { each.end() }
        }
    }

    private func copyOutput(from source: Int32, to target: StreamTarget.Opened) {
        _ = clinux_set_nonblocking(source)
        writers.append(
            StreamCopier(source: source, sink: target.sink, kept: target.kept, discards: true) { [unowned self] in
                if isDrained { whenDrained?() }
            })
    }

    /// From now on the input ends when its clients have closed it.
    func closeInput() {
        if inputWriter >= 0 { close(inputWriter) }
        inputWriter = -1
    }

    /// Sets the size of the terminal, if there is one.
    func resize(width: UInt32, height: UInt32) throws(ShimFailure) {
        guard console >= 0 else { return }
        let setWindowSize: UInt = 0x5414
        var size = winsize()
        size.ws_row = UInt16(clamping: height)
        size.ws_col = UInt16(clamping: width)
        let result = clinux_ioctl(console, setWindowSize, &size)
        guard result == 0 else { throw .unknown("cannot resize the terminal: \(SystemError.text(of: -result))") }
    }

    private func closeConsole() {
        if console >= 0 { close(console) }
        console = -1
    }

    /// The process has ended: it reads no more.
    func endInput() {
        closeInput()
        guard !isTerminal else { return }
        reader?.end()
    }

    /// Closes everything; what was not carried over is lost.
    func end() {
        whenDrained = nil
        closeInput()
        closeConsole()
        for target in targets.values { for each in [target.sink] + target.kept { close(each) } }
        targets = [:]
        for each in copiers { each.end() }
        reader = nil
        writers = []
    }
}

/// The socket over which a runtime hands out the controlling end of a new terminal.
struct ConsoleSocket {
    /// The name of a task's in its directory.
    static let taskName = "console.sock"

    let path: String
    private let listener: Int32

    /// Listens at a path that is free.
    init(path: String) throws(ShimFailure) {
        self.path = path
        unlink(path)
        listener = clinux_listen_unix(path, 1)
        guard listener >= 0 else {
            throw .unknown("\(SystemError(call: "listen", path: path, errno: errno))")
        }
    }

    /// Listens in the directory of a task.
    init(in directory: MonitorDirectory) throws(SystemError) {
        do throws(ShimFailure) { try self.init(path: "\(directory.path)/\(Self.taskName)") } catch {
            throw SystemError(call: "listen", path: Self.taskName, errno: errno)
        }
    }

    /// Takes the terminal that the runtime, which has ended by now, has sent; the socket is done with then.
    func take() throws(ShimFailure) -> Int32 {
        defer { close() }
        let connection = clinux_accept(listener)
        guard connection >= 0 else { throw .unknown("the runtime has sent no terminal") }
        defer { Glibc.close(connection) }
        var name = [UInt8](repeating: 0, count: 4096)
        var descriptor: Int32 = -1
        let count = clinux_receive_descriptor(connection, &name, name.count, &descriptor)
        guard count >= 0, descriptor >= 0 else { throw .unknown("the runtime has sent no terminal") }
        return descriptor
    }

    func close() {
        Glibc.close(listener)
        unlink(path)
    }
}

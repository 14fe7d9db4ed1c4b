internal import CLinux
internal import Glibc

/// Joins this process's terminal to that of a container: the master arrives over a socket in a private directory, then
/// bytes go both ways, with our terminal in raw mode, and changes of its size go on.
final class ConsoleRelay {
    let path: String
    private let directory: String
    private var listener: Int32
    private var connection: Int32 = -1
    private var master: Int32 = -1
    private var input: Int32 = 0
    /// What the container has not read yet.
    private var pending: [UInt8] = []
    /// Which of our standard streams is a terminal, and how it was.
    private var terminal: Int32?
    private var before = termios()
    private var isRaw = false

    var isAttached: Bool { master >= 0 }

    init() throws(RuntimeFailure) {
        guard let made = Self.makeDirectory() else { throw RuntimeFailure("mkdtemp /tmp/rondo-console", errno: errno) }
        directory = made
        path = directory + "/socket"
        listener = clinux_listen_unix(path, 1)
        if listener < 0 {
            let code = errno
            rmdir(directory)
            throw RuntimeFailure("listen on \(path)", errno: code)
        }
    }

    deinit { finish() }

    private static func makeDirectory() -> String? {
        for parent in ["/run", "/tmp", "/dev/shm"] {
            var template = Array("\(parent)/rondo-console.XXXXXX".utf8CString)
            let made = mkdtemp(&template) != nil
            if made { return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self) }
        }
        return nil
    }

    /// Puts our terminal back as it was, and removes the socket.
    func finish() {
        if isRaw, let terminal { tcsetattr(terminal, TCSANOW, &before) }
        isRaw = false
        for descriptor in [listener, connection, master] where descriptor >= 0 { close(descriptor) }
        if listener >= 0 { removeSocket() }
        (listener, connection, master) = (-1, -1, -1)
    }

    private func removeSocket() {
        unlink(path)
        rmdir(directory)
    }

    /// What to wait for; the answers go to ``handle(_:)`` in the same order.
    var waits: [pollfd] {
        if connection >= 0 { return [pollfd(fd: connection, events: Int16(POLLIN), revents: 0)] }
        guard isAttached else { return [pollfd(fd: listener, events: Int16(POLLIN), revents: 0)] }
        let forMaster = Int16(POLLIN) | (pending.isEmpty ? 0 : Int16(POLLOUT))
        return [
            pollfd(fd: master, events: forMaster, revents: 0),
            pollfd(fd: pending.isEmpty ? input : -1, events: Int16(POLLIN), revents: 0),
        ]
    }

    func handle(_ answers: ArraySlice<pollfd>) throws(RuntimeFailure) {
        guard let first = answers.first, let last = answers.last else { return }
        if first.fd == listener && first.revents != 0 && connection < 0 {
            connection = clinux_accept(listener)
            return
        }
        if connection >= 0 {
            if first.revents != 0 { try receive() }
            return
        }
        guard isAttached else { return }
        if first.revents & Int16(POLLOUT) != 0 { flush() }
        // A hang-up without data is for the end of the container to judge: others may open the terminal again.
        if first.revents & Int16(POLLIN) != 0 {
            copyOut()
        } else if first.revents != 0 {
            pause()
        }
        if last.fd == input && last.revents != 0 { copyIn() }
    }

    /// The last words of a container that has ended: until its terminal has nobody else, for a second at most.
    func drain() {
        // It may have ended before its terminal was taken up.
        for _ in 0..<2 where !isAttached {
            var waiting = waits
            if poll(&waiting, nfds_t(waiting.count), 0) <= 0 { break }
            try? handle(waiting[...])
        }
        guard isAttached else { return }
        for _ in 0..<1000 {
            var wait = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
            guard poll(&wait, 1, 20) > 0, wait.revents & Int16(POLLIN) != 0, copyOut() else { return }
        }
    }

    private func receive() throws(RuntimeFailure) {
        var name = [UInt8](repeating: 0, count: 256)
        var received: Int32 = -1
        let count = clinux_receive_descriptor(connection, &name, name.count, &received)
        if count == -Int(EAGAIN) { return }
        close(connection)
        connection = -1
        guard received >= 0 else {
            throw RuntimeFailure("the container's terminal did not arrive on the console socket")
        }
        removeSocket()
        close(listener)
        listener = -1
        master = received
        _ = clinux_set_nonblocking(master)
        attach()
    }

    private func attach() {
        terminal = (0...2).first { isatty($0) == 1 }
        guard let terminal, tcgetattr(terminal, &before) == 0 else { return }
        var raw = before
        cfmakeraw(&raw)
        raw.c_oflag |= tcflag_t(OPOST)
        isRaw = tcsetattr(terminal, TCSANOW, &raw) == 0
        resize()
    }

    /// The container's terminal gets the size of ours.
    func resize() {
        guard let terminal else { return }
        let (get, set): (UInt, UInt) = (0x5413, 0x5414)  // TIOCGWINSZ, TIOCSWINSZ
        var size: (UInt16, UInt16, UInt16, UInt16) = (0, 0, 0, 0)
        if clinux_ioctl(terminal, get, &size) == 0 { _ = clinux_ioctl(master, set, &size) }
    }

    /// - Returns: whether there may be more.
    @discardableResult
    private func copyOut() -> Bool {
        guard let bytes = Self.read(master) else {
            return errno == EAGAIN || errno == EINTR
        }
        // Our reader gone is no reason to stop the container.
        if !bytes.isEmpty { _ = RuntimeFiles.writeAll(1, bytes) }
        return !bytes.isEmpty
    }

    private func copyIn() {
        guard let bytes = Self.read(input) else {
            if errno != EAGAIN && errno != EINTR { input = -1 }
            return
        }
        // The end of our input ends only that.
        if bytes.isEmpty { input = -1 }
        pending = bytes
        flush()
    }

    private func flush() {
        guard !pending.isEmpty else { return }
        let count = write(master, pending, pending.count)
        if count > 0 { pending.removeFirst(count) }
        if count < 0 && errno != EAGAIN && errno != EINTR { pending = [] }
    }

    /// A terminal nobody has open reads as hung up; this keeps the loop from spinning on that.
    private func pause() {
        var pause = timespec(tv_sec: 0, tv_nsec: 10_000_000)
        nanosleep(&pause, nil)
    }

    /// nil with errno set when that failed.
    private static func read(_ descriptor: Int32) -> [UInt8]? {
        var failed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: 32 << 10) { buffer, count in
            let got = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            failed = got < 0
            count = max(0, got)
        }
        return failed ? nil : bytes
    }
}

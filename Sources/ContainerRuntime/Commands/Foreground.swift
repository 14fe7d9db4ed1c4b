internal import CLinux
internal import Glibc

/// This process in front of a container's: signals go through to it, its terminal is ours, its end gives our status.
///
/// Made before the container's process, so that no signal is lost; what is forked begins with an empty mask again.
final class Foreground {
    private let signals: Int32
    private var console: ConsoleRelay?

    /// All but those that stop this process, tell of its own faults, or are the C library's.
    private static let relayed: [Int32] = (1...63).filter { number in
        switch number {
        case SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, 32, 33: false
        default: true
        }
    }

    init() throws(RuntimeFailure) {
        signals = Self.relayed.withUnsafeBufferPointer { clinux_signal_descriptor($0.baseAddress, $0.count) }
        guard signals >= 0 else { throw RuntimeFailure("signalfd", errno: errno) }
        // The caller may ignore it, and then ends would go unseen.
        signal(SIGCHLD, SIG_DFL)
    }

    deinit {
        if signals >= 0 { close(signals) }
    }

    /// - Returns: the socket that the container's terminal is to be sent to.
    func openConsole() throws(RuntimeFailure) -> String {
        let relay = try ConsoleRelay()
        console = relay
        return relay.path
    }

    /// Waits for a child of this process.
    ///
    /// Meanwhile a service manager may hear from `notify`; what goes wrong with that is told to `warn`. The manager goes
    /// on watching this process, which stays as long as the container does.
    /// Returns its exit status, 128 + n for signal n.
    func wait(
        for pid: Int32, notify: NotifySocket? = nil, warn: (String) -> Void = { _ in }
    ) throws(RuntimeFailure) -> Int32 {
        defer { console?.finish() }
        while true {
            if let status = Self.reap(pid) {
                console?.drain()
                return status
            }
            let isAwaited = notify?.isDone == false
            var waits = [
                pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
                pollfd(fd: isAwaited ? notify?.descriptor.raw ?? -1 : -1, events: Int16(POLLIN), revents: 0),
            ]
            waits += console?.waits ?? []
            if poll(&waits, nfds_t(waits.count), -1) < 0 {
                if errno == EINTR { continue }
                throw RuntimeFailure("poll", errno: errno)
            }
            if waits[0].revents != 0 { relay(clinux_drain_signals(signals), to: pid) }
            if waits[1].revents != 0 { notify?.handle(mainPid: getpid(), warn: warn) }
            try console?.handle(waits.dropFirst(2))
        }
    }

    /// Passes on what a container that did not start has said.
    func finish() {
        console?.drain()
        console?.finish()
    }

    private func relay(_ seen: UInt64, to pid: Int32) {
        for number in Self.relayed where seen & 1 << UInt64(number) != 0 {
            switch number {
            // Ours: the end of a child, the output's reader gone, and news of our own descriptors.
            case SIGCHLD, SIGPIPE, SIGURG: continue
            case SIGWINCH where console?.isAttached == true: console?.resize()
            // Not reaped yet, so the pid is still this process's.
            default: kill(pid, number)
            }
        }
    }

    /// Takes leave of all children that have ended, among them strays that came to us.
    private static func reap(_ pid: Int32) -> Int32? {
        while true {
            var status: Int32 = 0
            let ended = waitpid(-1, &status, WNOHANG)
            if ended == pid { return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f) }
            if ended > 0 || ended < 0 && errno == EINTR { continue }
            // No children at all: somebody else reaped it, and its status is lost.
            return ended < 0 ? 255 : nil
        }
    }
}

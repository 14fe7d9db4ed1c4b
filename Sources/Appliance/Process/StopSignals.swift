internal import Glibc
internal import Synchronization

/// SIGINT, SIGTERM and SIGHUP as events that commands wait for.
///
/// The signals are blocked in every thread and taken by the main thread with `sigwait`, so no handler ever runs in the
/// middle of anything. A command that does not listen is ended at once; one that does decides itself, but the third
/// signal ends it in any case.
public enum StopSignals {
    private struct State {
        var listeners: [AsyncStream<Int32>.Continuation] = []
        var count = 0
    }

    private static let state = Mutex(State())

    /// Blocks the signals. Must come before the first thread, because threads inherit the mask.
    public static func block() {
        var set = signals()
        // Changes of the terminal's size go to whoever reads them from a descriptor, and to nobody else.
        sigaddset(&set, SIGWINCH)
        pthread_sigmask(SIG_BLOCK, &set, nil)
        // A reader that has gone is an error of the write, not the end of a daemon.
        signal(SIGPIPE, SIG_IGN)
    }

    /// Takes signals until the process ends; the main thread parks here.
    public static func wait() -> Never {
        var set = signals()
        while true {
            var number: Int32 = 0
            guard sigwait(&set, &number) == 0 else { continue }
            let (listeners, count) = state.withLock { state in
                state.count += 1
                return (state.listeners, state.count)
            }
            if listeners.isEmpty || count > 2 { exit(128 + number) }
            for listener in listeners { listener.yield(number) }
        }
    }

    /// The signals from now on; the process no longer ends by itself at the first one.
    public static func listen() -> AsyncStream<Int32> {
        let (stream, continuation) = AsyncStream.makeStream(of: Int32.self, bufferingPolicy: .bufferingNewest(8))
        state.withLock { $0.listeners.append(continuation) }
        return stream
    }

    private static func signals() -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for number in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&set, number) }
        return set
    }
}

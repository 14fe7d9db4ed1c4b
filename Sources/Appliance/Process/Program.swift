internal import ClusterModel
internal import MasterNode

/// The program's own facts.
public enum Program {
    /// The release. The only place where it stands.
    public static let version = "0.1.0"
}

/// Waiting, for commands that watch something.
public enum Pause {
    /// Returns after a while.
    ///
    /// - Parameter time: how long.
    /// - Throws: `CancellationError` when the task is cancelled first.
    public static func wait(_ time: Duration) async throws {
        let clock = SystemClock()
        try await clock.sleep(until: clock.now().elapsed + time)
    }
}

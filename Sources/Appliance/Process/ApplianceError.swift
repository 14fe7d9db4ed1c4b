/// Why a command of the appliance ends without success.
public struct ApplianceError: Error, Equatable, Sendable, CustomStringConvertible {
    /// How the process ends because of it.
    public var exitCode: ExitCode
    /// What happened, why, and what to do.
    public var description: String

    /// An error with its exit code and message.
    ///
    /// - Parameters:
    ///   - exitCode: how the process ends.
    ///   - message: lower case, no full stop.
    public init(_ exitCode: ExitCode = .failure, _ message: String) {
        self.exitCode = exitCode
        description = message
    }
}

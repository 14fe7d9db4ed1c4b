internal import Glibc
internal import LinuxSystem

/// Why something could not be done with an image.
public struct ImageError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What kind of failure it is; codes are public: they are added and never reused.
    public enum Code: String, Sendable, CaseIterable {
        /// A name, tag or digest that cannot be one.
        case invalidName = "image.invalid-name"
        /// A manifest, configuration or archive that is not what it should be.
        case invalidContent = "image.invalid-content"
        /// Something valid that this program does not do.
        case unsupported = "image.unsupported"
        /// Bytes that have another digest or size than they were said to have.
        case digestMismatch = "image.digest-mismatch"
        /// A layer that tries to leave its directory, or to do what layers may not.
        case hostileLayer = "image.hostile-layer"
        /// More than a limit allows.
        case tooLarge = "image.too-large"
        /// There is no such image, or not for this platform.
        case notFound = "image.not-found"
        /// The registry wants other credentials.
        case unauthorized = "image.unauthorized"
        /// The registry cannot be reached or does not answer in time.
        case unreachable = "image.unreachable"
        /// The registry answers, but not with what was asked for.
        case registry = "image.registry"
        /// The image runs, or another process works on the store.
        case inUse = "image.in-use"
        /// No room is left.
        case diskFull = "image.disk-full"
        /// The system refuses.
        case system = "image.system"
        /// The caller gave up.
        case cancelled = "image.cancelled"
    }

    /// What kind of failure it is.
    public let code: Code
    /// One sentence for people: what was attempted, why it failed, what to do.
    public let message: String
    /// Whether the same may go well a little later.
    let isPassing: Bool

    /// A failure.
    ///
    /// - Parameters:
    ///   - code: what kind of failure it is.
    ///   - message: one sentence for people.
    public init(_ code: Code, _ message: String) {
        self.init(code, message, isPassing: false)
    }

    init(_ code: Code, _ message: String, isPassing: Bool) {
        self.code = code
        self.message = message
        self.isPassing = isPassing
    }

    /// The same after it was tried several times.
    func tried(_ times: Int) -> ImageError {
        isPassing && times > 1 ? ImageError(code, message + " (tried \(times) times)", isPassing: true) : self
    }

    init(_ error: SystemError) {
        if error.errno == ENOSPC || error.errno == EDQUOT {
            self.init(.diskFull, "\(error); free some room, for example with `rondo image prune`")
        } else {
            self.init(.system, "\(error)")
        }
    }

    /// What any error is here.
    init(wrapping error: any Error) {
        switch error {
        case let error as ImageError: self = error
        case let error as SystemError: self.init(error)
        case is CancellationError: self.init(.cancelled, "it was cancelled")
        default: self.init(.system, "\(error)")
        }
    }

    /// The same with more said of where it happened.
    func with(_ place: String) -> ImageError { ImageError(code, "\(place): \(message)", isPassing: isPassing) }

    /// The message.
    public var description: String { message }
}

/// Runs calls of the system and gives their errors the form of this module.
func system<Result: ~Copyable>(_ body: () throws(SystemError) -> Result) throws(ImageError) -> Result {
    do throws(SystemError) { return try body() } catch { throw ImageError(error) }
}

/// The call that has just failed in this thread.
func failure(_ call: String, _ path: String? = nil) -> ImageError {
    ImageError(SystemError(call: call, path: path, errno: errno))
}

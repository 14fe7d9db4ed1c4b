internal import Appliance

/// What reaches a running `rondo run`, in order.
enum RunInput: Sendable {
    /// A new event stream was opened, with its id.
    case connected(streamID: String)
    /// An event of the stream.
    case event(JSONValue)
    /// The stream is over, and why; another is opened.
    case disconnected(String)
    /// The stream is over, and there is no use in another.
    case refused(ApplianceError)
    /// All output of an instance was written.
    case logged(Int)
    /// A signal.
    case signal(Int32)
    /// A second has passed.
    case tick
    /// The time given with --timeout is over.
    case timeout
}

/// One inbox for all of it.
struct RunInbox: Sendable {
    let stream: AsyncStream<RunInput>
    let post: @Sendable (RunInput) -> Void

    init() {
        let (stream, continuation) = AsyncStream.makeStream(of: RunInput.self)
        self.stream = stream
        post = { continuation.yield($0) }
    }
}

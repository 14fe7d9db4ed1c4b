/// The limits of a server, which keep a hostile or broken client from costing more than its share, and how it works.
public struct HTTPServerSettings: Sendable {
    /// Connections open at once; further ones get 503 and are closed. Each open file counts, so raise it together with
    /// the process's limit of open files.
    public var connectionLimit = 8192
    /// Bytes of a request line and its header fields together; more is answered with 431.
    public var headBytesLimit = 64 << 10
    /// Header fields of a request; more is answered with 431.
    public var headFieldsLimit = 128
    /// Requests that one HTTP/2 connection may have open at once; a client that knows opens no more.
    public var streamLimit = 128
    /// Requests that one HTTP/2 connection may take back within ten seconds; more closes it.
    public var resetLimit = 100
    /// PING, SETTINGS and PRIORITY frames of one HTTP/2 connection within ten seconds; more closes it.
    public var controlFrameLimit = 500
    /// Time for the first request head of a connection, however slowly it drips.
    public var headTimeout = Duration.seconds(10)
    /// Time a kept connection may idle, including the arrival of its next request head.
    public var idleTimeout = Duration.seconds(75)
    /// Time a client may take nothing of a response that waits for it.
    public var writeTimeout = Duration.seconds(60)
    /// Time without a byte of a request body while a handler waits for it.
    public var bodyTimeout = Duration.seconds(60)
    /// Time for a client that was too slow for its event stream to read the last record.
    public var overflowTimeout = Duration.seconds(10)
    /// Time the rest of an unwanted request is read and thrown away, so that its sender sees the response.
    public var lingerTimeout = Duration.seconds(2)
    /// Bytes of an unwanted request body that are read for the sake of keeping the connection.
    public var discardLimit = 256 << 10

    /// Whether handlers run on the threads that carry the connections, which spares short handlers most of their cost.
    /// Such a handler must neither block nor compute for long: all connections of its thread wait meanwhile. Long work
    /// goes elsewhere, as with `withTaskExecutorPreference(globalConcurrentExecutor)`.
    public var handlersRunOnLoop = false

    /// The defaults.
    public init() {}
}

internal import Glibc

/// A process that containerd knows: the first of a container, or one that was added to it.
final class ShimProcess {
    /// As in `containerd.v1.types.Status`.
    enum Status: UInt64 {
        case created = 1
        case running = 2
        case stopped = 3
        case paused = 4
        case pausing = 5
    }

    /// Empty for the first process of a container.
    let execID: String
    let streams: ProcessStreams
    /// What an added process is to be, for the runtime.
    let spec: [UInt8]
    var status = Status.created
    var pid: Int32 = 0
    var exitStatus: Int32 = 0
    var exitedAt: ShimTime?
    /// Requests that wait for the end.
    var waiters: [TTRPCReply] = []
    /// While the runtime starts it, its end is kept back: it must not be told before the start.
    var isStarting = false
    var earlyEnd: Int32?
    /// The kernel may give its number to another process by now.
    var isReaped = false

    private var isBusy = false
    private var queue: [(@escaping () -> Void) -> Void] = []

    init(execID: String, streams: ProcessStreams, spec: [UInt8] = []) {
        self.execID = execID
        self.streams = streams
        self.spec = spec
    }

    var hasEnded: Bool { exitedAt != nil }

    /// Does something that no other such thing may overlap: commands of the runtime for one process come one after
    /// the other, in the order of the requests.
    ///
    /// - Parameter work: gets what it must call when it is done.
    func exclusively(_ work: @escaping (_ done: @escaping () -> Void) -> Void) {
        guard !isBusy else { return queue.append(work) }
        isBusy = true
        work { [self] in
            isBusy = false
            if !queue.isEmpty { exclusively(queue.removeFirst()) }
        }
    }

    /// Whether so much waits already that more is refused.
    var isOverloaded: Bool { queue.count >= 256 || waiters.count >= 1024 }
}

/// A container.
final class ShimContainer {
    let id: String
    let bundle: String
    let options: ShimOptions
    let first: ShimProcess
    /// Whether its root was mounted by this process.
    let hasMounts: Bool
    var added: [String: ShimProcess] = [:]
    var groups: CgroupPlaces?
    var memoryWatch: MemoryWatch?
    /// It has no pid namespace of its own, so its other processes outlive the first one.
    var sharesProcesses = false

    init(id: String, bundle: String, options: ShimOptions, first: ShimProcess, hasMounts: Bool) {
        self.id = id
        self.bundle = bundle
        self.options = options
        self.first = first
        self.hasMounts = hasMounts
    }

    var rootfs: String { bundle + "/rootfs" }

    /// A process by its name; the first for none.
    func process(_ execID: String) throws(ShimFailure) -> ShimProcess {
        if execID.isEmpty { return first }
        guard let process = added[execID] else { throw .notFound("process \(execID) does not exist") }
        return process
    }

    /// Names become parts of paths.
    static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 128 && text != "." && text != ".."
            && text.utf8.allSatisfy {
                UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= $0
                    || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || [0x2D, 0x2E, 0x5F].contains($0)
            }
    }
}

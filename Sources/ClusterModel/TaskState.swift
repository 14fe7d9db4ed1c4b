/// Where a task stands. Names are Mesos' without the prefix `TASK_`, which `wireName` adds.
public enum TaskState: String, Hashable, Sendable, Codable, CaseIterable {
    // Before the command runs.
    case staging = "TASK_STAGING"
    case starting = "TASK_STARTING"
    case running = "TASK_RUNNING"
    case killing = "TASK_KILLING"
    // The agent is out of reach; what became of the task is not known.
    case unreachable = "TASK_UNREACHABLE"
    case lost = "TASK_LOST"
    // The end.
    case finished = "TASK_FINISHED"
    case failed = "TASK_FAILED"
    case killed = "TASK_KILLED"
    case error = "TASK_ERROR"
    case dropped = "TASK_DROPPED"
    case gone = "TASK_GONE"
    case goneByOperator = "TASK_GONE_BY_OPERATOR"
    case unknown = "TASK_UNKNOWN"

    /// The name on the wire.
    public var wireName: String { rawValue }

    /// Whether nothing can come after it. `lost`, `unreachable` and `unknown` can be followed by the truth when a
    /// partitioned agent returns, as partition-aware Mesos has it; `lost` is what a framework without that
    /// capability is told, and Mesos treats it as an end.
    public var isTerminal: Bool {
        switch self {
        case .finished, .failed, .killed, .error, .dropped, .gone, .goneByOperator, .lost: true
        case .staging, .starting, .running, .killing, .unreachable, .unknown: false
        }
    }

    /// How far along its life a live task is; a later status never has a smaller rank.
    public var rank: Int {
        switch self {
        case .staging: 0
        case .starting: 1
        case .running: 2
        case .killing: 3
        case .unreachable, .unknown: 4
        case .finished, .failed, .killed, .error, .dropped, .gone, .goneByOperator, .lost: 5
        }
    }
}

/// Who made a status.
public enum StatusSource: String, Hashable, Sendable, Codable, CaseIterable {
    case master = "SOURCE_MASTER"
    case agent = "SOURCE_AGENT"
    case executor = "SOURCE_EXECUTOR"
}

/// Why a task is in its state: those reasons of Mesos that this system can give.
public enum StatusReason: String, Hashable, Sendable, Codable, CaseIterable {
    case agentDisconnected = "REASON_AGENT_DISCONNECTED"
    case agentRemoved = "REASON_AGENT_REMOVED"
    case agentRemovedByOperator = "REASON_AGENT_REMOVED_BY_OPERATOR"
    case agentReregistered = "REASON_AGENT_REREGISTERED"
    case agentRestarted = "REASON_AGENT_RESTARTED"
    case agentUnknown = "REASON_AGENT_UNKNOWN"
    case commandExecutorFailed = "REASON_COMMAND_EXECUTOR_FAILED"
    case containerLaunchFailed = "REASON_CONTAINER_LAUNCH_FAILED"
    case containerLimitation = "REASON_CONTAINER_LIMITATION"
    case containerLimitationDisk = "REASON_CONTAINER_LIMITATION_DISK"
    case containerLimitationMemory = "REASON_CONTAINER_LIMITATION_MEMORY"
    case executorRegistrationTimeout = "REASON_EXECUTOR_REGISTRATION_TIMEOUT"
    case executorTerminated = "REASON_EXECUTOR_TERMINATED"
    case executorUnregistered = "REASON_EXECUTOR_UNREGISTERED"
    case frameworkRemoved = "REASON_FRAMEWORK_REMOVED"
    case garbageCollected = "REASON_GC_ERROR"
    case invalidFrameworkID = "REASON_INVALID_FRAMEWORKID"
    case invalidOffers = "REASON_INVALID_OFFERS"
    case ioSwitchboardExited = "REASON_IO_SWITCHBOARD_EXITED"
    case maxCompletionTimeReached = "REASON_MAX_COMPLETION_TIME_REACHED"
    case masterDisconnected = "REASON_MASTER_DISCONNECTED"
    case reconciliation = "REASON_RECONCILIATION"
    case resourcesUnknown = "REASON_RESOURCES_UNKNOWN"
    case taskCheckStatusUpdated = "REASON_TASK_CHECK_STATUS_UPDATED"
    case taskGroupInvalid = "REASON_TASK_GROUP_INVALID"
    case taskGroupUnauthorized = "REASON_TASK_GROUP_UNAUTHORIZED"
    case taskHealthCheckStatusUpdated = "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED"
    case taskInvalid = "REASON_TASK_INVALID"
    case taskKilledDuringLaunch = "REASON_TASK_KILLED_DURING_LAUNCH"
    case taskUnauthorized = "REASON_TASK_UNAUTHORIZED"
    case taskUnknown = "REASON_TASK_UNKNOWN"
}

/// Sixteen random bytes that tell one status update from another, so that it is acknowledged exactly.
public struct StatusUUID: Hashable, Sendable, Codable {
    /// The bytes; anything but sixteen never matches an update.
    public var bytes: [UInt8]

    /// Wraps bytes as they came.
    public init(bytes: [UInt8]) { self.bytes = bytes }

    /// Draws a version-4 UUID.
    public init(using generator: inout some RandomNumberGenerator) {
        var drawn = [UInt8](repeating: 0, count: 16)
        for half in 0..<2 {
            var word = generator.next()
            for byte in 0..<8 {
                drawn[half * 8 + byte] = UInt8(truncatingIfNeeded: word)
                word >>= 8
            }
        }
        drawn[6] = (drawn[6] & 0x0f) | 0x40
        drawn[8] = (drawn[8] & 0x3f) | 0x80
        bytes = drawn
    }

    /// Reads the text form back.
    ///
    /// - Returns: nil for anything else than 32 hexadecimal digits with hyphens where ``text`` has them.
    public init?(text: String) {
        var read: [UInt8] = []
        read.reserveCapacity(16)
        var high: UInt8?
        for (index, byte) in text.utf8.enumerated() {
            if index == 8 || index == 13 || index == 18 || index == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: return nil
            }
            if let first = high.take() { read.append(first << 4 | digit) } else { high = digit }
            guard read.count <= 16 else { return nil }
        }
        guard read.count == 16, high == nil else { return nil }
        bytes = read
    }

    /// Reads the text form.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let read = StatusUUID(text: try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a UUID")
        }
        self = read
    }

    /// Writes the text form.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }

    /// The usual text form, `8-4-4-4-12` in lower-case hexadecimal.
    public var text: String {
        let digits = Array("0123456789abcdef".utf8)
        var result: [UInt8] = []
        for (index, byte) in bytes.enumerated() {
            if index == 4 || index == 6 || index == 8 || index == 10 { result.append(UInt8(ascii: "-")) }
            result.append(digits[Int(byte >> 4)])
            result.append(digits[Int(byte & 15)])
        }
        return String(decoding: result, as: UTF8.self)
    }
}

/// What is known of a task at one moment: the body of a status update.
public struct TaskStatus: Hashable, Sendable, Codable {
    /// Whose status it is.
    public var taskID: TaskID
    /// Where the task stands.
    public var state: TaskState
    /// Who says so.
    public var source: StatusSource
    /// Why.
    public var reason: StatusReason?
    /// The same for people.
    public var message: String?
    /// Where the task runs, when it got that far.
    public var agentID: AgentID?
    /// Its executor; for a command task the id of the task.
    public var executorID: ExecutorID?
    /// When it was so.
    public var timestamp: UnixTime
    /// Set when the update must be acknowledged; absent on statuses that the master makes.
    public var uuid: StatusUUID?
    /// The verdict of the task's health check, if it has one.
    public var isHealthy: Bool?
    /// What the task's check has found last, if it has one.
    public var checkResult: CheckResult?
    /// What the task's readiness check has found last, if it has one.
    public var readiness: TaskReadiness?
    /// Bytes from the executor, handed on unread.
    public var data: [UInt8]?
    /// The task's container, once there is one.
    public var containerID: ContainerID?
    /// Addresses under which the task can be reached.
    public var addresses: [String]

    /// Makes a status.
    public init(
        taskID: TaskID, state: TaskState, source: StatusSource, reason: StatusReason? = nil, message: String? = nil,
        agentID: AgentID? = nil, executorID: ExecutorID? = nil, timestamp: UnixTime, uuid: StatusUUID? = nil,
        isHealthy: Bool? = nil, data: [UInt8]? = nil, containerID: ContainerID? = nil, addresses: [String] = []
    ) {
        self.taskID = taskID
        self.state = state
        self.source = source
        self.reason = reason
        self.message = message
        self.agentID = agentID
        self.executorID = executorID
        self.timestamp = timestamp
        self.uuid = uuid
        self.isHealthy = isHealthy
        self.data = data
        self.containerID = containerID
        self.addresses = addresses
    }
}

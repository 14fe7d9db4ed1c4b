public import ClusterModel
import FoundationEssentials

extension TaskState {
    /// Reads a state.
    public init(_ wire: WireTaskState) {
        self =
            switch wire {
            case .taskStaging: .staging
            case .taskStarting: .starting
            case .taskRunning: .running
            case .taskKilling: .killing
            case .taskUnreachable: .unreachable
            case .taskLost: .lost
            case .taskFinished: .finished
            case .taskFailed: .failed
            case .taskKilled: .killed
            case .taskError: .error
            case .taskDropped: .dropped
            case .taskGone: .gone
            case .taskGoneByOperator: .goneByOperator
            case .taskUnknown: .unknown
            }
    }

    /// The state on the wire.
    public var wire: WireTaskState {
        switch self {
        case .staging: .taskStaging
        case .starting: .taskStarting
        case .running: .taskRunning
        case .killing: .taskKilling
        case .unreachable: .taskUnreachable
        case .lost: .taskLost
        case .finished: .taskFinished
        case .failed: .taskFailed
        case .killed: .taskKilled
        case .error: .taskError
        case .dropped: .taskDropped
        case .gone: .taskGone
        case .goneByOperator: .taskGoneByOperator
        case .unknown: .taskUnknown
        }
    }
}

extension StatusSource {
    /// Reads a source.
    public init(_ wire: WireTaskStatus.Source) {
        self =
            switch wire {
            case .master: .master
            case .agent: .agent
            case .executor: .executor
            }
    }

    /// The source on the wire.
    public var wire: WireTaskStatus.Source {
        switch self {
        case .master: .master
        case .agent: .agent
        case .executor: .executor
        }
    }
}

extension StatusReason {
    private static let byNumber = Dictionary(uniqueKeysWithValues: allCases.map { ($0.wire.rawValue, $0) })

    /// Reads a reason; nil for those that this system has no word for.
    public init?(_ wire: WireTaskStatus.Reason) {
        guard let known = Self.byNumber[wire.rawValue] else { return nil }
        self = known
    }

    /// The reason on the wire.
    public var wire: WireTaskStatus.Reason {
        switch self {
        case .agentDisconnected: .agentDisconnected
        case .agentRemoved: .agentRemoved
        case .agentRemovedByOperator: .agentRemovedByOperator
        case .agentReregistered: .agentReregistered
        case .agentRestarted: .agentRestarted
        case .agentUnknown: .agentUnknown
        case .commandExecutorFailed: .commandExecutorFailed
        case .containerLaunchFailed: .containerLaunchFailed
        case .containerLimitation: .containerLimitation
        case .containerLimitationDisk: .containerLimitationDisk
        case .containerLimitationMemory: .containerLimitationMemory
        case .executorRegistrationTimeout: .executorRegistrationTimeout
        case .executorTerminated: .executorTerminated
        case .executorUnregistered: .executorUnregistered
        case .frameworkRemoved: .frameworkRemoved
        case .garbageCollected: .gcError
        case .invalidFrameworkID: .invalidFrameworkid
        case .invalidOffers: .invalidOffers
        case .ioSwitchboardExited: .ioSwitchboardExited
        case .maxCompletionTimeReached: .maxCompletionTimeReached
        case .masterDisconnected: .masterDisconnected
        case .reconciliation: .reconciliation
        case .resourcesUnknown: .resourcesUnknown
        case .taskCheckStatusUpdated: .taskCheckStatusUpdated
        case .taskGroupInvalid: .taskGroupInvalid
        case .taskGroupUnauthorized: .taskGroupUnauthorized
        case .taskHealthCheckStatusUpdated: .taskHealthCheckStatusUpdated
        case .taskInvalid: .taskInvalid
        case .taskKilledDuringLaunch: .taskKilledDuringLaunch
        case .taskUnauthorized: .taskUnauthorized
        case .taskUnknown: .taskUnknown
        }
    }
}

extension TaskStatus {
    /// Reads a status. A reason that this system has no word for is dropped; the message says it, too.
    /// - Throws: `.invalidField` with the path in the message.
    public init(_ wire: WireTaskStatus) throws(WireError) {
        self.init(
            taskID: try within("task_id") { () throws(WireError) in try wire.taskID.checked() },
            state: TaskState(wire.state),
            source: wire.hasSource ? StatusSource(wire.source) : .executor,
            reason: wire.hasReason ? StatusReason(wire.reason) : nil,
            message: wire.hasMessage ? wire.message : nil,
            agentID: wire.hasAgentID ? wire.agentID.unchecked() : nil,
            executorID: wire.hasExecutorID ? wire.executorID.unchecked() : nil,
            timestamp: UnixTime(seconds: wire.timestamp),
            uuid: try wire.hasUuid
                ? within("uuid") { () throws(WireError) in try StatusUUID.checked(wire.uuid) } : nil,
            isHealthy: wire.hasHealthy ? wire.healthy : nil,
            data: wire.hasData ? [UInt8](wire.data) : nil,
            containerID: wire.containerStatus.hasContainerID
                ? ContainerID(wire.containerStatus.containerID.value) : nil,
            addresses: wire.containerStatus.networkInfos.flatMap(\.ipAddresses).map(\.ipAddress))
    }
}

extension WireTaskStatus {
    /// Makes the message for a status.
    public init(_ status: TaskStatus) {
        self.init()
        taskID = WireTaskID(status.taskID)
        state = status.state.wire
        source = status.source.wire
        if let reason = status.reason { self.reason = reason.wire }
        if let message = status.message { self.message = message }
        if let agentID = status.agentID { self.agentID = WireAgentID(agentID) }
        if let executorID = status.executorID { self.executorID = WireExecutorID(executorID) }
        timestamp = status.timestamp.seconds
        if let uuid = status.uuid { self.uuid = Data(uuid.bytes) }
        if let isHealthy = status.isHealthy { healthy = isHealthy }
        if let result = status.checkResult { checkStatus = WireCheckStatusInfo(result) }
        if let data = status.data { self.data = Data(data) }
        if status.containerID == nil, status.addresses.isEmpty { return }
        if let containerID = status.containerID { containerStatus.containerID = WireContainerID(containerID) }
        if status.addresses.isEmpty { return }
        var network = WireNetworkInfo()
        network.ipAddresses = status.addresses.map { text in
            var address = WireNetworkInfo.IPAddress()
            address.protocol = text.contains(":") ? .ipv6 : .ipv4
            address.ipAddress = text
            return address
        }
        containerStatus.networkInfos = [network]
    }
}

extension WireCheckStatusInfo {
    /// Makes the message for what a check has found; the part of its type is there also when that is nothing.
    fileprivate init(_ result: CheckResult) {
        self.init()
        switch result {
        case .command(let status):
            type = .command
            command = .init()
            if let status { command.exitCode = status }
        case .http(let status):
            type = .http
            http = .init()
            if let status { http.statusCode = UInt32(status) }
        case .tcp(let accepted):
            type = .tcp
            tcp = .init()
            if let accepted { tcp.succeeded = accepted }
        }
    }
}

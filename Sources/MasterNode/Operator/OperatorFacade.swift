internal import Access
internal import ClusterModel
internal import FoundationEssentials
internal import HTTPGateway
internal import HTTPTypes
internal import MasterCore
internal import MesosWire
internal import NIOCore

/// `/api/v1` and `/api/v1/operator`: Mesos' v1 operator interface of a master.
struct OperatorFacade: Sendable {
    let node: MasterNode
    let visitor: Visitor

    func respond(to request: GatewayRequest) async throws -> GatewayResponse {
        let call: WireOperatorCall
        let answerMedia: MediaType
        do {
            let media = try MediaType(contentType: request.headers[.contentType])
            let body = try await request.body.collect(upTo: node.settings.bodyLimit)
            call = try WireCodec.decode(WireOperatorCall.self, from: [UInt8](body.readableBytesView), as: media)
            answerMedia = try MediaType(accept: request.headers[.accept])
        } catch let error as WireError {
            throw GatewayError(error)
        }
        guard call.hasType, call.type != .unknown else {
            throw GatewayError(
                .badRequest,
                "field 'type' is missing or unknown; send a call such as GET_STATE, GET_AGENTS or SUBSCRIBE")
        }
        if Self.changes.contains(call.type) { try await node.trail.check(visitor) }
        if call.type == .subscribe {
            try visitor.require(.view(.state, of: nil))
            return try await OperatorStream(node: node).open(answerMedia)
        }
        if let response = try await write(call) { return response }
        let isOfLog = call.type == .listFiles || call.type == .readFile
        try visitor.require(.view(isOfLog ? .logs : .state, of: nil))
        let answer = try await read(call)
        return .complete(
            .ok, headers: [.contentType: answerMedia.headerValue],
            bytes: ByteBuffer(bytes: try WireCodec.encode(answer, as: answerMedia)))
    }

    // MARK: calls that change something

    private static let changes: Set<WireOperatorCall.TypeEnum> = [.markAgentGone, .teardown, .updateWeights]

    private func write(_ call: WireOperatorCall) async throws -> GatewayResponse? {
        switch call.type {
        case .markAgentGone:
            guard call.hasMarkAgentGone else { throw Self.missing("mark_agent_gone") }
            let id = AgentID(call.markAgentGone.agentID.value)
            visitor.noteChange(.changeNode(.markGone, id.value))
            try visitor.require(.changeNode(.markGone, id.value))
            return try await node.ask { .command($0, .markAgentGone(id)) }.response()
        case .teardown:
            guard call.hasTeardown else { throw Self.missing("teardown") }
            let id = FrameworkID(call.teardown.frameworkID.value)
            try await FrameworkAccess(node: node, visitor: visitor).mayTearDown(id)
            return try await node.ask { .command($0, .teardown(id)) }.response()
        case .updateWeights: return try await updateWeights(call)
        default: break
        }
        guard let name = Self.later[call.type] else { return nil }
        throw GatewayError(.notImplemented, "\(name) is not supported by this release")
    }

    /// Writes of Mesos 1.11 that come with a later release.
    private static let later: [WireOperatorCall.TypeEnum: String] = [
        .reserveResources: "RESERVE_RESOURCES", .unreserveResources: "UNRESERVE_RESOURCES",
        .createVolumes: "CREATE_VOLUMES", .destroyVolumes: "DESTROY_VOLUMES", .growVolume: "GROW_VOLUME",
        .shrinkVolume: "SHRINK_VOLUME", .setQuota: "SET_QUOTA", .removeQuota: "REMOVE_QUOTA",
        .updateQuota: "UPDATE_QUOTA", .updateMaintenanceSchedule: "UPDATE_MAINTENANCE_SCHEDULE",
        .startMaintenance: "START_MAINTENANCE", .stopMaintenance: "STOP_MAINTENANCE", .drainAgent: "DRAIN_AGENT",
        .deactivateAgent: "DEACTIVATE_AGENT", .reactivateAgent: "REACTIVATE_AGENT",
        .setLoggingLevel: "SET_LOGGING_LEVEL",
    ]

    /// All weights are checked before the first is set; the core checks each again.
    private func updateWeights(_ call: WireOperatorCall) async throws -> GatewayResponse {
        guard call.hasUpdateWeights else { throw Self.missing("update_weights") }
        let infos = call.updateWeights.weightInfos
        if infos.isEmpty { throw Self.missing("update_weights.weight_infos") }
        guard infos.count <= 100 else {
            throw GatewayError(.badRequest, "field 'update_weights.weight_infos' has more than 100 entries; send fewer")
        }
        visitor.noteChange("role.weight", infos.map { "\($0.role)=\($0.weight)" }.joined(separator: " "))
        for info in infos { try visitor.require(.setWeight(RoleName(info.role))) }
        for (index, info) in infos.enumerated() {
            let path = "update_weights.weight_infos[\(index)]"
            guard info.hasRole else { throw Self.missing(path + ".role") }
            if let defect = RoleName(info.role).defect {
                throw GatewayError(.badRequest, "field '\(path).role' \(defect)")
            }
            guard info.weight.isFinite, info.weight > 0, info.weight <= 1_000_000 else {
                throw GatewayError(.badRequest, "field '\(path).weight' must be larger than 0 and at most 1000000")
            }
        }
        for info in infos {
            let role = RoleName(info.role)
            _ = try await node.ask { .command($0, .setWeight(role, info.weight)) }.response()
        }
        return .complete(.ok)
    }

    private static func missing(_ field: String) -> GatewayError {
        GatewayError(.badRequest, "field '\(field)' is missing and is required")
    }

    // MARK: calls that read

    private func read(_ call: WireOperatorCall) async throws -> WireOperatorResponse {
        if let answer = try ofThisMaster(call) { return answer }
        let core = try await node.snapshot()
        let documents = OperatorDocuments(view: ClusterView(core))
        var answer = WireOperatorResponse()
        switch call.type {
        case .getState:
            answer.type = .getState
            answer.getState = documents.state()
        case .getAgents:
            answer.type = .getAgents
            answer.getAgents = documents.agents()
        case .getFrameworks:
            answer.type = .getFrameworks
            answer.getFrameworks = documents.frameworks()
        case .getTasks:
            answer.type = .getTasks
            answer.getTasks = documents.tasks()
        case .getExecutors:
            answer.type = .getExecutors
            answer.getExecutors = documents.executors()
        case .getRoles:
            answer.type = .getRoles
            answer.getRoles = documents.roles()
        case .getWeights:
            answer.type = .getWeights
            answer.getWeights = documents.weights()
        case .getMetrics:
            answer.type = .getMetrics
            answer.getMetrics.metrics = MesosMetrics.values(of: core, node).map { name, value in
                var metric = WireMetric()
                metric.name = name
                metric.value = value
                return metric
            }
        default: throw GatewayError(.notImplemented, "this call is not supported by this release")
        }
        return answer
    }

    /// What needs no copy of the core.
    private func ofThisMaster(_ call: WireOperatorCall) throws -> WireOperatorResponse? {
        var answer = WireOperatorResponse()
        switch call.type {
        case .getHealth:
            answer.type = .getHealth
            answer.getHealth.healthy = true
        case .getVersion:
            answer.type = .getVersion
            answer.getVersion.versionInfo.version = MasterNode.mesosVersion
        case .getFlags:
            answer.type = .getFlags
            answer.getFlags.flags = node.settings.flags.sorted { $0.key < $1.key }.map { name, value in
                var flag = WireFlag()
                flag.name = name
                flag.value = value
                return flag
            }
        case .getLoggingLevel:
            answer.type = .getLoggingLevel
            answer.getLoggingLevel.level = 0
        case .getMaster:
            answer.type = .getMaster
            answer.getMaster.masterInfo = WireMasterInfo(node.master)
            answer.getMaster.startTime = node.startedAt.seconds
            answer.getMaster.electedTime = node.startedAt.seconds
        case .getOperations:
            answer.type = .getOperations
            answer.getOperations = .init()
        case .getQuota:
            answer.type = .getQuota
            answer.getQuota.status = .init()
        case .getMaintenanceStatus:
            answer.type = .getMaintenanceStatus
            answer.getMaintenanceStatus.status = .init()
        case .getMaintenanceSchedule:
            answer.type = .getMaintenanceSchedule
            answer.getMaintenanceSchedule.schedule = .init()
        case .listFiles: return try listFiles(call)
        case .readFile: return try readFile(call)
        default: return nil
        }
        return answer
    }

    private func listFiles(_ call: WireOperatorCall) throws -> WireOperatorResponse {
        guard call.hasListFiles else { throw Self.missing("list_files") }
        let wanted = call.listFiles.path == "/master" ? LogFile.name : call.listFiles.path
        let facts = try LogFile(path: node.settings.logPath).facts(of: wanted)
        var file = WireFileInfo()
        file.path = LogFile.name
        file.nlink = Int32(clamping: facts.links)
        file.size = UInt64(clamping: facts.size)
        file.mtime.nanoseconds = Int64(facts.modifiedSeconds) &* 1_000_000_000
        file.mode = facts.mode
        file.uid = "root"
        file.gid = "root"
        var answer = WireOperatorResponse()
        answer.type = .listFiles
        answer.listFiles.fileInfos = [file]
        return answer
    }

    private func readFile(_ call: WireOperatorCall) throws -> WireOperatorResponse {
        guard call.hasReadFile else { throw Self.missing("read_file") }
        let log = LogFile(path: node.settings.logPath)
        let facts = try log.facts(of: call.readFile.path)
        let length = call.readFile.hasLength ? Int(clamping: call.readFile.length) : -1
        let bytes = try log.read(offset: Int(clamping: call.readFile.offset), length: length, size: facts.size)
        var answer = WireOperatorResponse()
        answer.type = .readFile
        answer.readFile.size = UInt64(clamping: facts.size)
        answer.readFile.data = Data(bytes)
        return answer
    }
}

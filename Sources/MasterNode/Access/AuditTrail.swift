internal import Access
internal import ClusterModel
internal import HTTPGateway
internal import HTTPTypes
internal import Logging
internal import Synchronization

/// Writes down who changed what.
///
/// It has two parts, so that busy frameworks cannot push out what administrators did: `audit` has logins, operators,
/// users, tokens and all refusals, and is on disk before the answer leaves; `work` has what frameworks do (SUBSCRIBE,
/// launches, kills, TEARDOWN) and is written a moment later. While `audit` cannot be written, changes of that part are
/// refused before they are made.
struct AuditTrail: Sendable {
    let audit: AuditLog?
    let work: AuditLog?
    private let clock: any NodeClock
    /// Refusals are written with restraint, or strangers could push everything else out.
    private let refusals: RefusalBudget

    /// - Throws: ``MasterNodeError/audit(_:)`` when a directory is named and cannot be used.
    init(_ settings: AccessSettings, clock: any NodeClock, logger: Logger) throws(MasterNodeError) {
        self.clock = clock
        refusals = RefusalBudget()
        guard let directory = settings.auditDirectory else {
            audit = nil
            work = nil
            return
        }
        do throws(AuditLogError) {
            audit = try AuditLog(
                directory: directory, name: "audit", segmentBytes: settings.auditSegmentBytes,
                segmentLimit: settings.auditSegments, logger: logger)
            work = try AuditLog(
                directory: directory, name: "work", segmentBytes: settings.auditSegmentBytes,
                segmentLimit: settings.auditSegments, logger: logger)
        } catch { throw .audit(error.description) }
    }

    /// Makes sure that a change can be written down.
    ///
    /// - Throws: ``GatewayError`` 507 when it could not.
    func check(_ visitor: Visitor) async throws {
        guard let audit, audit.isFailing else { return }
        if await audit.write(entry(visitor, "audit.probe", "", .done).line) { return }
        throw GatewayError(
            HTTPResponse.Status(code: 507, reasonPhrase: "Insufficient Storage"),
            "the audit log cannot be written, so nothing is changed; make room on the master's disk")
    }

    /// Writes down a credential that is nobody's.
    func refused(_ request: GatewayRequest, _ error: GatewayError, source: String) async {
        let visitor = Visitor(caller: .anonymous, grants: .none, source: source, mode: .enforced, isProven: false)
        let name = request.headers[.authorization].flatMap { Authentication.basic($0)?.name }
        visitor.note.set(
            AuditNote.Content(
                action: "login", object: "\(request.method.rawValue) \(request.path)",
                who: name.map { "user:" + $0.prefix(96) }, isWork: false))
        await record(visitor, nil, status: error.status.code, reason: error.message)
    }

    /// Writes down what a request did, as far as its facade has noted that it changes something, or that it was refused.
    func record(_ visitor: Visitor, _ request: GatewayRequest?, status: Int, reason: String? = nil) async {
        guard let audit, let work else { return }
        let note = visitor.note.take()
        let result: AuditEntry.Result =
            switch status {
            case ..<400: .done
            case 401, 403, 429: .denied
            default: .failed(status)
            }
        if result == .denied {
            // Strangers who look around change nothing; there is a reason for them to log in.
            if note == nil, !visitor.isKnown, request?.method == .get || request?.method == .head { return }
            guard refusals.admits(visitor, now: clock.now().elapsed) else { return }
            let target = request.map { "\($0.method.rawValue) \($0.path)" } ?? ""
            audit.append(
                entry(visitor, note?.action ?? "request", note?.object ?? target, result, note?.who, reason).line)
            return
        }
        guard let note else { return }
        let line = entry(visitor, note.action, note.object, result, note.who, reason).line
        if note.isWork { work.append(line) } else { _ = await audit.write(line) }
    }

    func close() {
        audit?.close()
        work?.close()
    }

    private func entry(
        _ visitor: Visitor, _ action: String, _ object: String, _ result: AuditEntry.Result, _ who: String? = nil,
        _ reason: String? = nil
    ) -> AuditEntry {
        AuditEntry(
            time: clock.now().wall, who: who ?? visitor.caller.name, from: visitor.source, action: action,
            object: object, result: result, reason: reason)
    }
}

/// How many refusals of one place, and of one visitor, are written down.
final class RefusalBudget: Sendable {
    private let limiter: Mutex<LoginLimiter>

    init() {
        var settings = LoginLimiter.Settings()
        settings.userBurst = 100
        settings.userInterval = .seconds(1)
        limiter = Mutex(LoginLimiter(settings))
    }

    func admits(_ visitor: Visitor, now: Duration) -> Bool {
        let source = PasswordDesk.network(of: visitor.source)
        return limiter.withLock { $0.admit(source: source, user: visitor.caller.name, now: now) } == nil
    }
}

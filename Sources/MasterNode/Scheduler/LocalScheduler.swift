internal import Access
internal import ClusterModel
internal import FrameworkRuntime
internal import HTTPGateway
internal import HTTPTypes
internal import MasterCore

/// The scheduler interface for frameworks of this program: the same way as over HTTP from the moment at which bytes have
/// become values, with the same checks, the same inbox and the same bound on what a slow reader may hold.
///
/// The framework is the program itself, so it is looked at as root is. What people ask of it was looked at where they
/// asked.
struct LocalScheduler: SchedulerConnector {
    let node: MasterNode

    func subscribe(_ subscription: Subscription) async throws(SchedulerCallError) -> any SchedulerSession {
        let visitor = Visitor(
            caller: .root, grants: .none, source: "local", mode: node.settings.access, isProven: true)
        do {
            return try await SchedulerFacade(node: node, visitor: visitor).subscribe(subscription)
        } catch {
            throw SchedulerCallError(error)
        }
    }
}

/// The stream of a framework of this program.
struct LocalSession: SchedulerSession {
    let facade: SchedulerFacade
    let queue: SchedulerEventQueue
    let name: String
    let connection: ConnectionID

    func next() async -> SchedulerEvent? { await queue.next() }

    func call(_ call: SchedulerCall, of framework: FrameworkID) async throws(SchedulerCallError) {
        facade.node.metrics.called(call.name)
        do throws(SchedulerCallError) { try await perform(call, of: framework) } catch {
            await record(framework, status: error.status, reason: error.message)
            throw error
        }
        await record(framework, status: 202, reason: nil)
    }

    private func perform(_ call: SchedulerCall, of framework: FrameworkID) async throws(SchedulerCallError) {
        let reply: Reply
        do { reply = try await facade.perform(call, of: framework, name) } catch { throw SchedulerCallError(error) }
        if case .refused(let refusal, let message) = reply {
            throw SchedulerCallError(status: refusal.rawValue, message: message)
        }
    }

    /// Writes down what the framework launched or ended, as is done for those that come over HTTP. Nobody asked for it by
    /// name at this moment, so it is the framework itself that did it.
    private func record(_ framework: FrameworkID, status: Int, reason: String?) async {
        guard var note = facade.visitor.note.take() else { return }
        note.who = "framework:\(framework)"
        facade.visitor.note.set(note)
        await facade.node.trail.record(facade.visitor, nil, status: status == 0 ? 500 : status, reason: reason)
    }

    func close() async {
        queue.finish()
        facade.node.inbox.notify(.closed(connection))
    }
}

extension SchedulerCallError {
    init(_ error: any Error) {
        if let error = error as? GatewayError {
            self.init(status: error.status.code, message: error.message)
        } else {
            self.init(status: 0, message: "\(error)")
        }
    }
}

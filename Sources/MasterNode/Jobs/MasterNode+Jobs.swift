internal import Access
internal import ClusterModel
internal import FrameworkRuntime
internal import HTTPGateway
internal import HTTPTypes
internal import JobsFramework
internal import Logging

/// The frameworks of this program that live on a master, from the master's start to its end.
struct BuiltInFrameworks: Sendable {
    let jobs: JobsFramework
    let work: Task<Void, any Error>

    /// Starts them. `failed` is called when the process must end because a commit may or may not be on disk.
    init(on node: MasterNode, failed: @escaping @Sendable (String) -> Void) {
        var generator = SystemRandomNumberGenerator()
        let settings = JobsFramework.Settings(
            user: node.settings.builtInUser, address: node.master.authority,
            version: node.settings.version, seed: generator.next(),
            newID: { FrameworkID("rondo-jobs-" + RandomName.uuid()) })
        let clock = node.clock
        let jobs = JobsFramework(
            settings, store: node.store, connector: LocalScheduler(node: node),
            clock: FrameworkClock(now: { clock.now() }, sleep: { try await clock.sleep(until: $0) }),
            logger: node.logger)
        self.jobs = jobs
        work = Task.detached {
            do throws(FrameworkFailure) { try await jobs.run() } catch {
                failed(error.description)
                throw error
            }
        }
    }

    func stop() async {
        jobs.stop()
        _ = await work.result
    }
}

extension MasterNode {
    /// `/service/metronome/…`.
    func jobs(
        _ path: [String], _ request: GatewayRequest, _ visitor: Visitor
    ) async throws -> GatewayResponse {
        guard let jobs = builtIns?.jobs else {
            throw GatewayError(.notFound, "this master has no jobs; they are served where `frameworks.jobs` is on")
        }
        return try await jobs.respond(to: request, path: path, visitor: visitor)
    }
}

extension Visitor: JobsVisitor {
    func note(_ action: String, _ object: String) { noteChange(action, object) }
}

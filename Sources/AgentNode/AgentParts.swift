internal import AgentCore
internal import ClusterModel
internal import Dispatch
internal import HTTPGateway
internal import LinuxSystem
internal import Logging
internal import NIOCore
internal import Synchronization

/// What the driver works with. All of it may be used from any thread.
struct AgentParts: Sendable {
    let files: AgentFiles
    let layout: CgroupLayout?
    let hub: MonitorHub
    let caller: HTTPCaller
    let inbox: AgentInbox
    let fetcher: Fetcher
    let starter: TaskStart
    let vault = SecretVault()
    let images = ProvidedImages()
    let provider: (any ImageProvider)?
    let prober: Prober
    let handler: HTTPServer.Handler
    let streams = StreamTasks()
    let loop: any EventLoop
    let names: AgentNames
    let networks: AgentNetworks
    let logger: Logger
    private let queues: [DispatchQueue]

    init(
        files: AgentFiles, layout: CgroupLayout?, hub: MonitorHub, caller: HTTPCaller, inbox: AgentInbox,
        fetcher: Fetcher, starter: TaskStart, handler: @escaping HTTPServer.Handler, loop: any EventLoop,
        names: AgentNames, networks: AgentNetworks, provider: (any ImageProvider)?, prober: Prober, logger: Logger
    ) {
        self.files = files
        self.layout = layout
        self.hub = hub
        self.caller = caller
        self.inbox = inbox
        self.fetcher = fetcher
        self.starter = starter
        self.handler = handler
        self.loop = loop
        self.names = names
        self.networks = networks
        self.provider = provider
        self.prober = prober
        self.logger = logger
        // Several, because a disk takes the syncs of several writers in one go.
        queues = (0..<16).map { DispatchQueue(label: "rondo.agent.disk.\($0)") }
    }

    /// Does blocking work for a container, after all that was asked for it before.
    func enqueue(_ effect: AgentEffect) {
        let key =
            switch effect {
            case .storeTask(let task), .launch(let task): task.containerID.value
            case .storeUpdates(let id, _), .destroy(let id), .releaseGroup(let id), .forgetTask(let id): id.value
            // The container's id is the directory's name, so this comes after the task was forgotten.
            case .removeWorkDirectory(let path): path.split(separator: "/").last.map(String.init) ?? path
            default: ""
            }
        let parts = self
        queue(for: key).async { parts.carryOut(effect) }
    }

    private func queue(for key: String) -> DispatchQueue {
        // Not `hashValue`, which may be the smallest number, whose magnitude traps. Containers of a group have its name
        // and a number: what they share is made and taken away in order.
        queues[key.utf8.prefix { $0 != UInt8(ascii: ".") }.reduce(0) { ($0 &* 31 &+ Int($1)) & 0xffff } % queues.count]
    }

    private func carryOut(_ effect: AgentEffect) {
        switch effect {
        case .storeTask(let task):
            do {
                try files.store(task)
                inbox.post(.taskStored(task.containerID))
            } catch {
                try? files.forget(task.containerID, layout: nil)
                inbox.post(.taskStoreFailed(task.containerID, reason: "\(error)"))
            }
        case .storeUpdates(let id, let updates):
            do {
                try files.append(updates, to: id)
                inbox.post(.updatesStored(id))
            } catch {
                inbox.post(.updatesStoreFailed(id, reason: "\(error)"))
            }
        case .launch(let task): launch(task)
        case .destroy(let id):
            hub.detach(containerID: id.value)
            attempt("destroy container \(id)") {
                try MonitorRecovery.destroyTask(containerID: id.value, directory: files.monitor(id), layout: layout)
            }
            vault.drop(id)
            dropImage(id)
            networks.disconnect(id)
            inbox.post(.destroyed(id))
        case .releaseGroup(let id): networks.disconnect(id)
        case .forgetTask(let id):
            networks.disconnect(id)
            vault.drop(id)
            dropImage(id)
            hub.detach(containerID: id.value)
            attempt("remove the files of container \(id)") { try files.forget(id, layout: layout) }
        case .removeWorkDirectory(let path):
            attempt("remove \(path)") { try WorkDirectory(path: path).remove(below: files.workRoot) }
        default: break
        }
    }

    private func launch(_ task: StoredTask) {
        do throws(TaskError) {
            let addresses = try starter.start(
                task, vault.take(task.launch.task.secrets.count, for: task.containerID),
                images.take(task.containerID))
            if !addresses.isEmpty {
                inbox.post(.connected(task.containerID, addresses: addresses.map(\.description)))
            }
            hub.attach(containerID: task.containerID.value, directory: files.monitor(task.containerID))
        } catch {
            attempt("clean up after a failed launch") {
                try MonitorRecovery.destroyTask(
                    containerID: task.containerID.value, directory: files.monitor(task.containerID), layout: layout)
            }
            networks.disconnect(task.containerID)
            inbox.post(.launchFailed(task.containerID, reason: error.description))
        }
    }

    /// Has the image of a task's container, if it has one.
    func provideImage(of task: StoredTask, master: MasterDoor?) async throws {
        guard let container = task.launch.task.container, let name = container.image else { return }
        guard let provider else { throw TaskError("this agent has no images; it does not run as root") }
        do {
            let image = try await provider.provide(
                name, isFresh: container.pullsAlways, credential: vault.takeCredential(for: task.containerID),
                master: master, for: task.containerID)
            images.put(image, for: task.containerID)
            // Whoever cancelled this drops the image too, but maybe did so before it was here.
            if Task.isCancelled { dropImage(task.containerID) }
            try Task.checkCancellation()
        } catch let error as CancellationError {
            throw error
        } catch {
            throw TaskError("cannot have the image \(name): \(error)")
        }
    }

    /// Keeps the images of containers of an earlier life that are not over, and no others.
    func keepImages(of tasks: [StoredTask]) {
        let those = Set(tasks.filter { $0.launch.task.container?.image != nil }.map(\.containerID))
        let parts = self
        queues[0].async { parts.provider?.keep(only: those) }
    }

    /// Lets go of a container's image, if it has one.
    private func dropImage(_ id: ContainerID) {
        images.take(id)
        provider?.release(id)
    }

    private func attempt(_ what: String, _ action: () throws -> Void) {
        do { try action() } catch { logger.error("cannot \(what): \(error)") }
    }

    /// Hands the monitors' news to the inbox, until the hub is closed.
    func listen() async {
        for await event in hub.events {
            switch event {
            case .state(let id, let state):
                switch state.phase {
                case .starting, .ended: break
                case .running, .killing: inbox.post(.started(ContainerID(id)))
                }
            case .ended(let id, let exit):
                // The exit file is on disk, so the monitor has nothing left to do.
                hub.send(.quit, to: id)
                let parts = self
                queue(for: id).async { parts.dropImage(ContainerID(id)) }
                end(ContainerID(id), exit)
            case .lost(let id, let reason): inbox.post(.monitorLost(ContainerID(id), reason: reason))
            }
        }
    }

    /// A container has ended: what it held goes before its end is told, so that the next one can have it.
    private func end(_ id: ContainerID, _ exit: MonitorExit) {
        guard networks.holds(id) else { return inbox.post(exit.asEvent) }
        let parts = self
        queue(for: id.value).async {
            parts.networks.disconnect(id)
            parts.inbox.post(exit.asEvent)
        }
    }

    /// Waits until all blocking work is done.
    func settle() async {
        streams.cancel()
        for queue in queues {
            await withCheckedContinuation { waiting in queue.async { waiting.resume() } }
        }
    }
}

/// The streams that the master has asked for, at most so many at a time.
final class StreamTasks: Sendable {
    private static let limit = 256
    private let tasks = Mutex<[Int: Task<Void, Never>]>([:])
    private let numbers = Atomic<Int>(0)

    func run(logger: Logger, _ work: @escaping @Sendable () async throws -> Void) {
        let number = numbers.wrappingAdd(1, ordering: .relaxed).newValue
        tasks.withLock { tasks in
            guard tasks.count < Self.limit else {
                logger.warning("a stream of the master is refused: \(Self.limit) are open")
                return
            }
            tasks[number] = Task {
                do { try await work() } catch { logger.debug("a stream of the master ended: \(error)") }
                self.tasks.withLock { $0[number] = nil }
            }
        }
    }

    func cancel() {
        for task in tasks.withLock({ Array($0.values) }) { task.cancel() }
    }
}

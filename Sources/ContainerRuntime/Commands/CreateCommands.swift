internal import CLinux
internal import Glibc

/// `create`, `start` and `run`: how a container comes to life.
enum CreateCommands {
    static let create = RuntimeCommand(
        name: "create", summary: "make a container whose program waits for start", arguments: "<container-id>",
        arity: .exactly(1), flags: ContainerCreation.flags + [ContainerCreation.hostRoot],
        examples: [
            ("create --bundle /bundles/web web", "make the container web out of a bundle"),
            ("create -b /bundles/web --pid-file web.pid web", "and tell a supervisor the pid of its init"),
        ],
        run: { context throws(RuntimeFailure) in
            try named(context) { () throws(RuntimeFailure) in
                if !context.flags.flag("host-root") { try protect(context) }
                try ContainerCreation(context: context, isDetached: true).perform().lock.release()
                return 0
            }
        })

    static let start = RuntimeCommand(
        name: "start", summary: "let the program of a created container go", arguments: "<container-id>",
        arity: .exactly(1), flags: [], examples: [("start web", "start the container web")],
        run: { context throws(RuntimeFailure) in
            let state = context.state
            let lock = try state.lock(context.id)
            defer { lock.release() }
            let record = try state.load(context.id)
            switch state.status(of: record) {
            case .created: break
            case .stopped: throw RuntimeFailure("cannot start a container that has stopped")
            case .running: throw RuntimeFailure("cannot start an already running container")
            case let status: throw RuntimeFailure("cannot start a container in the \(status.rawValue) state")
            }
            let config = try state.config(of: context.id)
            let notify = try NotifySocket(in: state.path(context.id))
            try Launcher.start(directory: state.path(context.id), pid: record.initPid)
            // Hooks may use the runtime on this container.
            lock.release()
            do throws(RuntimeFailure) {
                try Hooks.run(config.hooks.poststart, "poststart", state: record.hookState(.running))
            } catch {
                // The specification: an error, and the end of the container.
                if let lock = try? state.lock(record.id) {
                    defer { lock.release() }
                    end(record, context)
                }
                throw error
            }
            notify?.wait(for: record) { context.log.warn($0) }
            return 0
        })

    static let run = RuntimeCommand(
        name: "run", summary: "create and start a container, wait for it and delete it", arguments: "<container-id>",
        arity: .exactly(1),
        flags: ContainerCreation.flags + [
            Flag("detach", "d", kind: .switched, help: "do not wait for the container"),
            Flag("keep", kind: .switched, help: "keep the container when it has ended"),
            Flag("no-subreaper", kind: .switched, hidden: true, help: "ignored"),
        ],
        examples: [
            ("run --bundle /bundles/job job", "run a bundle to its end, with its exit status"),
            ("run -d -b /bundles/web web", "leave the container running in the background"),
        ],
        run: { context throws(RuntimeFailure) in
            try named(context) { () throws(RuntimeFailure) in
                try protect(context)
                return try context.flags.flag("detach") ? runDetached(context) : runInForeground(context)
            }
        })

    private static func runDetached(_ context: CommandContext) throws(RuntimeFailure) -> Int32 {
        let container = try ContainerCreation(context: context, isDetached: true).perform()
        defer { container.lock.release() }
        let notify = try begin(context, container.record, container.config)
        // Others may signal, pause or delete the container from here on.
        container.lock.release()
        notify?.wait(for: container.record) { context.log.warn($0) }
        return 0
    }

    private static func runInForeground(_ context: CommandContext) throws(RuntimeFailure) -> Int32 {
        let foreground = try Foreground()
        let (record, config, lock) = try ContainerCreation(context: context, isDetached: false)
            .perform { () throws(RuntimeFailure) in try foreground.openConsole() }
        defer { lock.release() }
        let notify: NotifySocket?
        do throws(RuntimeFailure) {
            notify = try begin(context, record, config) { foreground.finish() }
        } catch  where error.isTold {
            // Our standard error, or the terminal on it, was the container's.
            return 255
        }
        // Others may signal, pause or delete the container from here on.
        lock.release()
        let status = try foreground.wait(for: record.initPid, notify: notify) { context.log.warn($0) }
        if !context.flags.flag("keep") {
            let state = context.state
            // A delete by somebody else got there first.
            guard let lock = try? state.lock(record.id) else { return status }
            defer { lock.release() }
            if (try? state.load(record.id)) == record {
                try ContainerRemoval(state: state, log: context.log).destroy(record)
            }
        }
        return status
    }

    /// Starts what was just created; should that fail, nothing is left.
    private static func begin(
        _ context: CommandContext, _ record: ContainerRecord, _ config: ContainerConfig,
        failed: () -> Void = {}
    ) throws(RuntimeFailure) -> NotifySocket? {
        let state = context.state
        do throws(RuntimeFailure) {
            let notify = try NotifySocket(in: state.path(record.id))
            try Launcher.start(directory: state.path(record.id), pid: record.initPid)
            try Hooks.run(config.hooks.poststart, "poststart", state: record.hookState(.running))
            return notify
        } catch {
            end(record, context)
            failed()
            throw error
        }
    }

    /// Ends and deletes a container that could not be started in full; why has precedence over what fails here.
    private static func end(_ record: ContainerRecord, _ context: CommandContext) {
        let removal = ContainerRemoval(state: context.state, log: context.log)
        try? removal.kill(record)
        do throws(RuntimeFailure) { try removal.destroy(record) } catch { try? context.state.remove(record.id) }
    }

    /// Containers must not reach the file of this program through the process that enters them.
    static func protect(_ context: CommandContext) throws(RuntimeFailure) {
        try SelfProtection.ensure(arguments: context.invocation)
    }

    /// Failures begin with the command's name, as callers know them from runc.
    private static func named(
        _ context: CommandContext, _ body: () throws(RuntimeFailure) -> Int32
    ) throws(RuntimeFailure) -> Int32 {
        do throws(RuntimeFailure) {
            return try body()
        } catch {
            let prefix = "\(context.program) \(context.command.name) failed: "
            throw RuntimeFailure(prefix + error.message, status: error.status)
        }
    }
}

extension ContainerRecord {
    /// What hooks read on their standard input.
    func hookState(_ status: ContainerStatus) -> JSONValue {
        HookState.json(
            id: id, status: status.rawValue, pid: status == .stopped ? 0 : initPid, bundle: bundle,
            annotations: annotations)
    }
}

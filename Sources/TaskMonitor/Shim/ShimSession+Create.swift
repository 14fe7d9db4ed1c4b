internal import CLinux
internal import Glibc
internal import LinuxSystem

/// Making containers.
extension ShimSession {
    /// Options of a container, kept in its bundle.
    static let optionsFile = "rondo-options"

    func create(_ message: ProtobufMessage, _ reply: TTRPCReply) throws(ShimFailure) {
        let id = try message.text(1)
        let bundle = try message.text(2)
        guard ShimContainer.isName(id), bundle.hasPrefix("/") else {
            throw .invalid("a container needs a plain name and the whole path of its bundle")
        }
        guard try message.text(8).isEmpty else { throw .unimplemented("checkpoints are not supported by this runtime") }
        guard containers[id] == nil, !reserved.contains(id) else { throw .exists("container \(id) exists already") }
        let options = try ShimOptions(any: try message.bytes(10))
        let mounts = try message.all(3)
        let streams = ProcessStreams(
            input: try message.text(5), output: try message.text(6), errors: try message.text(7),
            isTerminal: try message.flag(4))
        let container = ShimContainer(
            id: id, bundle: bundle, options: options, first: ShimProcess(execID: "", streams: streams),
            hasMounts: !mounts.isEmpty)
        try prepare(container, mounts)
        reserved.insert(id)
        self.streams.append(streams)
        let flags = (options.noPivotRoot ? ["--no-pivot"] : []) + (options.noNewKeyring ? ["--no-new-keyring"] : [])
        let arguments = ["create", "--bundle", bundle] + flags
        launch(container.first, of: container, arguments, pidFile: "init.pid", log: "log.json") { [self] failure in
            reserved.remove(id)
            if let failure { return abandon(container, reply, failure) }
            containers[id] = container
            container.groups = CgroupPlaces.of(pid: container.first.pid)
            container.sharesProcesses = !Self.leadsNamespace(container.first.pid)
            publish("create", "TaskCreate", of: container) { event in
                event.put(2, bundle)
                for mount in mounts { event.put(3, raw: mount) }
                var paths = ProtobufWriter()
                paths.put(1, streams.input)
                paths.put(2, streams.output)
                paths.put(3, streams.errors)
                paths.put(4, streams.isTerminal)
                event.put(4, paths)
                event.put(6, container.first.pid)
            }
            answer(reply, pid: container.first.pid)
            settleStray(container.first, of: container)
        }
    }

    /// `CreateTaskResponse` and `StartResponse`.
    func answer(_ reply: TTRPCReply, pid: Int32) {
        var answer = ProtobufWriter()
        answer.put(1, pid)
        server.send(reply, answer)
    }

    /// Makes the root and writes down what whoever cleans up must know.
    private func prepare(_ container: ShimContainer, _ mounts: [ArraySlice<UInt8>]) throws(ShimFailure) {
        do throws(SystemError) {
            try writeFileAtomically(
                container.bundle + "/" + Self.optionsFile, container.options.encoded, durable: false)
            if container.hasMounts, mkdir(container.rootfs, 0o711) != 0, errno != EEXIST {
                throw SystemError(call: "mkdir", path: container.rootfs, errno: errno)
            }
        } catch { throw .unknown("\(error)") }
        do throws(ShimFailure) {
            for mount in mounts { try RootMount(mount).mount(on: container.rootfs) }
        } catch {
            _ = RootMount.unmountAll(container.rootfs)
            throw error
        }
    }

    /// Takes back what there is of a container that could not be made.
    private func abandon(_ container: ShimContainer, _ reply: TTRPCReply, _ failure: ShimFailure) {
        forget(container.first.streams)
        guard container.first.pid > 0 || container.first.isStarting else { return refuse(container, reply, failure) }
        // The runtime has made it, but its terminal or number did not come.
        command(["delete", "--force", container.id], for: container) { [self] _ in refuse(container, reply, failure) }
    }

    private func refuse(_ container: ShimContainer, _ reply: TTRPCReply, _ failure: ShimFailure) {
        if container.hasMounts { _ = RootMount.unmountAll(container.rootfs) }
        server.send(reply, failure)
    }

    /// Closes streams for good.
    func forget(_ closed: ProcessStreams) {
        closed.end()
        streams.removeAll { $0 === closed }
    }

    /// Runs a command of the runtime that starts a process with streams and tells its number in a file.
    ///
    /// - Parameters:
    ///   - process: gets the number, and its streams are opened.
    ///   - container: where it is.
    ///   - arguments: the command with its flags, without those for streams and number.
    ///   - pidFile: name of the file for the number, in the bundle.
    ///   - log: name of the command's log.
    ///   - then: called with the failure, or nil.
    func launch(
        _ process: ShimProcess, of container: ShimContainer, _ arguments: [String], pidFile: String, log: String,
        then: @escaping (ShimFailure?) -> Void
    ) {
        let deadline = HostFacts.monotonicMilliseconds() + 30_000
        awaitTargets(process.streams, container.id, until: deadline) { [self] failure in
            if let failure { return then(failure) }
            let path = container.bundle + "/" + pidFile
            do throws(ShimFailure) {
                var words = arguments + ["--pid-file", path]
                let ends = try process.streams.makePipes(
                    user: container.options.ioUser, group: container.options.ioGroup)
                var socket: ConsoleSocket?
                if process.streams.isTerminal {
                    do throws(ShimFailure) {
                        sockets += 1
                        socket = try ConsoleSocket(path: "\(settings.socketPath).\(sockets)")
                    } catch {
                        Self.closeAll(ends)
                        throw error
                    }
                    words += ["--console-socket", socket?.path ?? ""]
                }
                command(words + [container.id], for: container, log: log, streams: ends) { [self] outcome in
                    guard outcome.status == 0 else {
                        socket?.close()
                        return then(.unknown("OCI runtime \(arguments[0]) failed: \(outcome.complaint ?? "")"))
                    }
                    then(adopt(process, socket, path))
                }
            } catch {
                then(error)
            }
        }
    }

    /// Takes the terminal and the number of a process that the runtime has started.
    private func adopt(_ process: ShimProcess, _ socket: ConsoleSocket?, _ path: String) -> ShimFailure? {
        do throws(ShimFailure) {
            let text = (try? readFile(path, limit: 64)) ?? []
            let number = Int32(String(decoding: text.prefix { $0 != 0x0A && $0 != 0x20 }, as: UTF8.self))
            guard let number, number > 0 else {
                process.isStarting = true
                socket?.close()
                throw .unknown("the runtime has written no process number into \(path)")
            }
            process.pid = number
            if let socket { try process.streams.attach(console: try socket.take()) }
            return nil
        } catch { return error }
    }

    /// Waits until a client reads what is to be written.
    private func awaitTargets(
        _ streams: ProcessStreams, _ id: String, until deadline: Int64, then: @escaping (ShimFailure?) -> Void
    ) {
        do throws(ShimFailure) {
            if try streams.openTargets(id: id, namespace: settings.namespace) { return then(nil) }
        } catch { return then(error) }
        guard HostFacts.monotonicMilliseconds() < deadline else {
            return then(.unknown("nobody has opened the output \(streams.output) for reading"))
        }
        after(5) { [self] in awaitTargets(streams, id, until: deadline, then: then) }
    }

    /// Whether a process is the first of a pid namespace, with which the kernel ends all others in it.
    private static func leadsNamespace(_ pid: Int32) -> Bool {
        guard let text = try? readFile("/proc/\(pid)/status", limit: 1 << 16) else { return true }
        let line = text.split(separator: UInt8(ascii: "\n")).first { $0.starts(with: "NSpid:".utf8) } ?? []
        return line.split(separator: 0x09).last?.elementsEqual([UInt8(ascii: "1")]) ?? false
    }
}

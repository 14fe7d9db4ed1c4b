internal import Glibc

/// `features`, `spec`, `checkpoint` and `restore`.
enum OtherCommands {
    static let features = RuntimeCommand(
        name: "features", summary: "print what this runtime can do", arguments: "", arity: .exactly(0), flags: [],
        examples: [("features", "as JSON (runtime-spec, features.md)")],
        run: { context throws(RuntimeFailure) in
            try Output.write(Features.current.text(indent: 4) + "\n")
        })

    static let spec = RuntimeCommand(
        name: "spec", summary: "write a config.json to begin with", arguments: "", arity: .exactly(0),
        flags: [
            Flag("bundle", "b", help: "directory of the bundle (default: the current one)"),
            Flag("rootless", kind: .switched, help: "for a user without privileges"),
        ],
        examples: [
            ("spec --bundle /bundles/web", "a config.json in the bundle, whose root filesystem goes to rootfs"),
            ("spec --rootless", "for a container of your own user"),
        ],
        run: { context throws(RuntimeFailure) in
            if let path = context.flags.text("bundle"), chdir(path) != 0 {
                throw RuntimeFailure("chdir to the bundle \(path)", errno: errno)
            }
            let text = SpecTemplate.json(rootless: context.flags.flag("rootless")).text(indentation: "\t")
            // No look before: the file may come in between.
            let descriptor: Int32
            do throws(RuntimeFailure) {
                descriptor = try RuntimeFiles.open("config.json", O_WRONLY | O_CREAT | O_EXCL, mode: 0o666)
            } catch {
                if access("config.json", F_OK) == 0 {
                    throw RuntimeFailure("File config.json exists. Remove it first")
                }
                throw error
            }
            defer { close(descriptor) }
            guard RuntimeFiles.writeAll(descriptor, Array((text + "\n").utf8)) else {
                throw RuntimeFailure("write config.json", errno: errno)
            }
            return 0
        })

    static let checkpoint = refused("checkpoint", summary: "save a running container (not supported)")
    static let restore = refused("restore", summary: "bring a saved container back (not supported)")

    /// Every flag of runc's is one that cannot be followed, so none is looked at.
    private static func refused(_ name: String, summary: String) -> RuntimeCommand {
        RuntimeCommand(
            name: name, summary: summary, arguments: "<container-id>", arity: .atLeast(0), flags: [],
            examples: [("\(name) web", "says that it cannot be done")], ignoresFlags: true,
            run: { context throws(RuntimeFailure) in
                throw RuntimeFailure(
                    "\(name) is not supported: saving processes needs CRIU, which this runtime does not use; stop the"
                        + " container and start a new one")
            })
    }
}

extension Features {
    /// Of this program on this host.
    static var current: JSONValue {
        json(
            seccomp: Seccomp(
                actions: SeccompFeatures.actions, operators: SeccompFeatures.operators,
                architectures: SeccompFeatures.architectures, knownFlags: SeccompFeatures.knownFlags,
                supportedFlags: SeccompFeatures.supportedFlags),
            annotations: [
                (name: "io.github.seccomp.libseccomp.version", value: SeccompFeatures.libraryVersion),
                (name: "org.opencontainers.runc.checkpoint.enabled", value: "false"),
            ])
    }
}

/// All commands.
enum CommandTable {
    static let all: [RuntimeCommand] = [
        OtherCommands.checkpoint, CreateCommands.create, LifeCommands.delete, EventsCommand.events, ExecCommand.exec,
        OtherCommands.features, LifeCommands.kill, QueryCommands.list, LifeCommands.pause, QueryCommands.ps,
        OtherCommands.restore, LifeCommands.resume, CreateCommands.run, OtherCommands.spec, CreateCommands.start,
        QueryCommands.state, UpdateCommand.update,
    ]

    static func command(_ name: String) -> RuntimeCommand? { all.first { $0.name == name } }
}

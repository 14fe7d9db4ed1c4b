internal import ClusterModel
internal import FoundationEssentials
internal import Glibc
internal import LinuxSystem
internal import Synchronization

/// Containers on networks of CNI configurations. Plugins may take seconds: nothing else waits for them.
extension NetworkManager {
    private enum Command: String {
        case add = "ADD"
        case remove = "DEL"
        case check = "CHECK"
    }

    func attachByPlugins(
        _ container: String, _ namespacePath: String, _ network: String, _ mappings: [PortMapping]
    ) throws(NetworkError) -> Attachment {
        let configuration = try PluginConfiguration.find(network, in: settings.pluginConfigurations)
        if !mappings.isEmpty, !configuration.plugins.contains(where: { $0.takes("portMappings") }) {
            throw NetworkError(
                .invalidRequest,
                "cannot publish ports on the network \(network): none of its plugins has the capability portMappings")
        }
        let new = PluginAttachment(
            container: container, network: network, portMappings: mappings, namespacePath: namespacePath,
            configuration: configuration.bytes)
        // Before the first is called: one that cannot be called could not undo anything either.
        for plugin in configuration.plugins { _ = try program(of: plugin, network) }
        if let present = try begin(new) { return present }
        do throws(NetworkError) {
            var result: JSONValue?
            for plugin in configuration.plugins {
                let input = configuration.input(of: plugin, previous: result, mappings: mappings)
                let output = try call(.add, plugin, new, input)
                result = try PluginResult.parse(output, of: plugin.type)
            }
            let attachment = try PluginResult.attachment(
                result ?? .object([:]), interface: Self.interface, mappings: mappings)
            var done = new
            done.result = result.map(PluginResult.encode)
            try keep(done)
            return attachment
        } catch {
            try? detachFromPlugins(container)
            throw error
        }
    }

    /// Writes down what is about to be done. Returns what the container has when it has that already.
    private func begin(_ new: PluginAttachment) throws(NetworkError) -> Attachment? {
        let present = try locked { (state) throws(NetworkError) -> PluginAttachment? in
            if let present = state.plugged[new.container], present.network == new.network,
                present.portMappings == new.portMappings, present.namespacePath == new.namespacePath,
                present.result != nil
            {
                return present
            }
            guard state.bridged[new.container] == nil, state.plugged[new.container] == nil else {
                throw NetworkError(
                    .invalidRequest,
                    "cannot connect container \(new.container): it is connected in another way; detach it first")
            }
            try store.prepare()
            try store.write(AttachmentRecord(plugin: new))
            state.plugged[new.container] = new
            return nil
        }
        guard let result = present?.result else { return nil }
        return try PluginResult.attachment(
            try PluginResult.parse(result, of: new.network), interface: Self.interface, mappings: new.portMappings)
    }

    private func keep(_ attachment: PluginAttachment) throws(NetworkError) {
        try locked { (state) throws(NetworkError) in
            try store.write(AttachmentRecord(plugin: attachment))
            state.plugged[attachment.container] = attachment
        }
    }

    /// Calls the plugins in the opposite order; each is called even when one before it has failed.
    func detachFromPlugins(_ container: String) throws(NetworkError) {
        guard let attachment = state.withLock({ $0.plugged[container] }) else { return }
        let configuration = try PluginConfiguration(parsing: attachment.configuration, file: attachment.network)
        let previous = attachment.result.flatMap { try? PluginResult.parse($0, of: attachment.network) }
        var failure: NetworkError?
        for plugin in configuration.plugins.reversed() {
            let input = configuration.input(of: plugin, previous: previous, mappings: attachment.portMappings)
            do throws(NetworkError) {
                _ = try call(.remove, plugin, attachment, input)
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        try locked { (state) throws(NetworkError) in
            try store.remove(container)
            state.plugged[container] = nil
        }
    }

    /// Removes what belongs to no container, and asks plugins whether the rest is as they made it. What is not cannot be
    /// made anew without taking its address away from a running container, and is told.
    func reconcilePlugins(_ namespaces: [String: String], _ report: inout Report) {
        for attachment in state.withLock({ $0.plugged.values.sorted { $0.container < $1.container } }) {
            do throws(NetworkError) {
                if namespaces[attachment.container] == nil || attachment.result == nil {
                    report.repairs.append(
                        "container \(attachment.container) does not run: its connection to \(attachment.network) is "
                            + "removed")
                    try detachFromPlugins(attachment.container)
                } else {
                    try check(attachment)
                }
            } catch {
                report.problems.append(error.description)
            }
        }
    }

    private func check(_ attachment: PluginAttachment) throws(NetworkError) {
        let configuration = try PluginConfiguration(parsing: attachment.configuration, file: attachment.network)
        guard configuration.mayBeChecked, let bytes = attachment.result else { return }
        let result = try PluginResult.parse(bytes, of: attachment.network)
        for plugin in configuration.plugins {
            let input = configuration.input(of: plugin, previous: result, mappings: attachment.portMappings)
            _ = try call(.check, plugin, attachment, input)
        }
    }

    private func call(
        _ command: Command, _ plugin: PluginConfiguration.Plugin, _ attachment: PluginAttachment, _ input: [UInt8]
    ) throws(NetworkError) -> [UInt8] {
        let path = try program(of: plugin, attachment.network)
        let environment = [
            "CNI_COMMAND=\(command.rawValue)", "CNI_CONTAINERID=\(attachment.container)",
            "CNI_NETNS=\(attachment.namespacePath)", "CNI_IFNAME=\(Self.interface)",
            "CNI_PATH=\(settings.pluginDirectories.joined(separator: ":"))",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ]
        let process = PluginProcess(path: path, environment: environment, patience: settings.pluginPatience)
        let outcome = try process.run(input)
        guard outcome.isSuccess else {
            throw NetworkError(
                .plugin,
                "the plugin \(plugin.type) of the network \(attachment.network) has failed to "
                    + "\(command.rawValue): \(PluginResult.reason(outcome.output, errors: outcome.errors))")
        }
        return outcome.output
    }

    private func program(of plugin: PluginConfiguration.Plugin, _ network: String) throws(NetworkError) -> String {
        let paths = settings.pluginDirectories.lazy.map { "\($0)/\(plugin.type)" }
        if let path = paths.first(where: Self.isProgram) { return path }
        throw NetworkError(
            .plugin,
            "cannot use the network \(network): there is no plugin \(plugin.type) in "
                + settings.pluginDirectories.joined(separator: ", "))
    }

    private static func isProgram(_ path: String) -> Bool {
        var facts = stat()
        return stat(path, &facts) == 0 && facts.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
    }
}

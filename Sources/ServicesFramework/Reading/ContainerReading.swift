internal import Deployments
internal import FrameworkRuntime

/// The container of an app.
enum ContainerReading {
    /// Reads a container; `network` is what it says of the network in the form of Marathon before 1.5.
    static func container(_ reader: inout FieldReader, network: inout Network?) -> Container? {
        let kind = reader.has("type") ? reader.choice("type", Container.Kind.self) : .mesos
        var container = Container(kind: kind ?? .mesos)
        var inner: [PortMapping]?
        var legacy: Network?
        let image = reader.one("docker") { Self.image(&$0, ports: &inner, network: &legacy) }
        network = legacy
        container.image = image
        if reader.has("appc") {
            reader.note("appc", "is not supported; use docker with an image of Docker's or OCI's kind")
        }
        reader.ignore("appc")
        if let mappings = reader.each("portMappings", { mapping(&$0) }) ?? inner { container.portMappings = mappings }
        container.volumes = reader.each("volumes") { volume(&$0) } ?? []
        container.linux = reader.one("linuxInfo") { PartReading.linux(&$0) }
        return kind == nil ? nil : container
    }

    private static func image(
        _ reader: inout FieldReader, ports: inout [PortMapping]?, network: inout Network?
    ) -> Container.Image? {
        reader.require("image")
        var image = Container.Image(reference: reader.text("image") ?? "")
        reader.read("forcePullImage", into: &image.forcePull)
        reader.read("privileged", into: &image.isPrivileged)
        let parameters = reader.each("parameters") { reader -> Container.Parameter? in
            reader.require("key")
            reader.require("value")
            return Container.Parameter(key: reader.text("key") ?? "", value: reader.text("value") ?? "")
        }
        if let parameters { image.parameters = parameters }
        image.pullSecret = reader.one("pullConfig") { reader in
            reader.require("secret")
            return reader.text("secret")
        }
        if reader.has("credential") { reader.note("credential", "is not supported; use pullConfig with a secret") }
        reader.ignore("credential")
        ports = reader.each("portMappings") { mapping(&$0) }
        switch reader.text("network") {
        case nil: break
        case "HOST"?: network = Network(mode: .host)
        case "BRIDGE"?: network = Network(mode: .bridge)
        case "USER"?: network = Network(mode: .container)
        case let other?: reader.note("network", "'\(other.prefix(64))' is not one of HOST, BRIDGE, USER")
        }
        return image
    }

    private static func mapping(_ reader: inout FieldReader) -> PortMapping? {
        var mapping = PortMapping()
        reader.read("containerPort", into: &mapping.containerPort)
        reader.read("hostPort", into: &mapping.hostPort)
        reader.read("servicePort", into: &mapping.servicePort)
        reader.read("name", into: &mapping.name)
        reader.read("protocol", into: &mapping.networkProtocol)
        if let labels = reader.texts("labels") { mapping.labels = labels }
        if let names = reader.strings("networkNames") { mapping.networkNames = names }
        return mapping
    }

    private static func volume(_ reader: inout FieldReader) -> Volume? {
        reader.require("containerPath")
        let path = reader.text("containerPath") ?? ""
        let mode = reader.has("mode") ? reader.choice("mode", Volume.Mode.self) : nil
        let host = reader.text("hostPath")
        let secret = reader.text("secret")
        let persistent = reader.one("persistent") { Self.persistent(&$0) }
        let external = reader.one("external") { Self.external(&$0) }
        let sources = [
            host.map(Volume.Source.host), secret.map(Volume.Source.secret),
            persistent.map(Volume.Source.persistent), external.map(Volume.Source.external),
        ].compactMap { $0 }
        guard sources.count == 1, let source = sources.first else {
            reader.note("", "must have exactly one of hostPath, secret, persistent and external")
            return nil
        }
        return Volume(containerPath: path, source: source, mode: mode)
    }

    static func persistent(_ reader: inout FieldReader) -> Volume.Persistent? {
        var volume = Volume.Persistent(size: 0)
        reader.read("type", into: &volume.type)
        reader.read("size", into: &volume.size)
        reader.read("maxSize", into: &volume.maxSize)
        reader.read("profileName", into: &volume.profileName)
        for (index, value) in (reader.list("constraints") ?? []).prefix(64).enumerated() {
            if case .list(let parts) = value {
                volume.constraints.append(parts.compactMap { if case .text(let text) = $0 { text } else { nil } })
            } else {
                reader.note("constraints(\(index))", "Wrong type. Expected array, was \(value.kind).")
            }
        }
        return volume
    }

    private static func external(_ reader: inout FieldReader) -> Volume.External? {
        var volume = Volume.External()
        reader.read("name", into: &volume.name)
        reader.read("provider", into: &volume.provider)
        reader.read("size", into: &volume.size)
        reader.read("shared", into: &volume.isShared)
        if let options = reader.texts("options") { volume.options = options }
        return volume
    }
}

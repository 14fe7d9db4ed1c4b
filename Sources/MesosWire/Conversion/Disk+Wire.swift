public import ClusterModel

extension DiskDetails {
    /// Reads what makes an amount of disk special.
    /// - Throws: `.invalidField` for what this release has no word for: disks with an id or a profile.
    public init(_ wire: WireResource.DiskInfo) throws(WireError) {
        self.init()
        if wire.hasPersistence {
            let id = Identifier<IdentifierScope.Container>(wire.persistence.id)
            if let defect = id.defect { throw .invalidField(path: "persistence.id", problem: defect) }
            persistenceID = wire.persistence.id
            principal = wire.persistence.hasPrincipal ? wire.persistence.principal : nil
        }
        if wire.hasVolume {
            if wire.volume.hasHostPath || wire.volume.hasImage || wire.volume.hasSource {
                throw .invalidField(path: "volume", problem: "may only have 'container_path' and 'mode'")
            }
            containerPath = wire.volume.containerPath
            isReadOnly = wire.volume.mode == .ro
        }
        guard wire.hasSource else { return }
        if wire.source.hasID || wire.source.hasProfile || wire.source.hasVendor || wire.source.hasMetadata {
            throw .invalidField(path: "source", problem: "has an id or a profile, which is not supported")
        }
        switch wire.source.type {
        case .path:
            sourceKind = "PATH"
            sourceRoot = wire.source.path.hasRoot ? wire.source.path.root : nil
        case .mount:
            sourceKind = "MOUNT"
            sourceRoot = wire.source.mount.hasRoot ? wire.source.mount.root : nil
        case .block: sourceKind = "BLOCK"
        case .raw: sourceKind = "RAW"
        case .unknown: throw .invalidField(path: "source.type", problem: "must be PATH, MOUNT, BLOCK or RAW")
        }
    }
}

extension WireResource.DiskInfo {
    /// Makes the message for disk details.
    public init(_ details: DiskDetails) {
        self.init()
        if let id = details.persistenceID {
            persistence.id = id
            if let principal = details.principal { persistence.principal = principal }
        }
        if let path = details.containerPath {
            volume.containerPath = path
            volume.mode = details.isReadOnly ? .ro : .rw
        }
        switch details.sourceKind {
        case "PATH":
            source.type = .path
            if let root = details.sourceRoot { source.path.root = root }
        case "MOUNT":
            source.type = .mount
            if let root = details.sourceRoot { source.mount.root = root }
        case "BLOCK": source.type = .block
        case "RAW": source.type = .raw
        default: break
        }
    }
}

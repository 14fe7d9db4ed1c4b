internal import Deployments
internal import FrameworkRuntime

/// What a body wants to make of a group.
enum GroupReading {
    /// What a body asks for.
    struct Wish {
        var update: GroupUpdate
        var factor: Double?
        var version: ServiceVersion?
    }

    /// Groups in groups; deeper ones are refused.
    private static let depthMax = 32

    /// Reads the body of a new group below `base`, which the body must name.
    static func read(_ reader: inout FieldReader, newIn base: ServiceID) -> Wish {
        read(&reader, id: nil, in: base)
    }

    /// Reads the body of a change of the group at `path`. As in Marathon it may name a group below, which then is the
    /// one that changes: `PUT /v2/groups` with the id `/shop` leaves the rest of the root alone.
    static func read(_ reader: inout FieldReader, changing path: ServiceID) -> Wish {
        var place = path
        if let text = reader.text("id"), text != path.components.last {
            place = ServiceID(text, in: path)
            if place != path, path != .root, !place.path.hasPrefix(path.path + "/") {
                reader.note("id", "must be \(path), or a group in it")
            }
        }
        return read(&reader, id: place, in: path)
    }

    private static func read(_ reader: inout FieldReader, id: ServiceID?, in base: ServiceID) -> Wish {
        let factor = reader.number("scaleBy")
        let version = PartReading.time("version", &reader)
        return Wish(update: group(&reader, id: id, in: base, depth: depthMax), factor: factor, version: version)
    }

    private static func group(
        _ reader: inout FieldReader, id: ServiceID?, in base: ServiceID, depth: Int
    ) -> GroupUpdate {
        let own = reader.text("id").map { ServiceID($0, in: base) }
        if id == nil, own == nil { reader.require("id") }
        var update = GroupUpdate(id: id ?? own ?? base)
        let place = update.id
        update.services = reader.each("apps") { reader in
            reader.require("id")
            var app = ServiceDefinition(id: place)
            AppReading.read(&reader, over: &app, in: place)
            app.versionInfo = VersionInfo()
            return app
        }
        update.pods = reader.each("pods") { reader in
            reader.require("id")
            var pod = PodDefinition(id: place)
            PodReading.read(&reader, over: &pod, in: place)
            pod.versionInfo = VersionInfo()
            return pod
        }
        if depth == 0 {
            reader.note("groups", "is nested too deeply")
            reader.ignore("groups")
        } else {
            update.groups = reader.each("groups") { reader in
                // Shown by some clients, and of no meaning here.
                reader.ignore("version")
                return group(&reader, id: nil, in: place, depth: depth - 1)
            }
        }
        if let names = reader.strings("dependencies") { update.dependencies = names.map { ServiceID($0, in: place) } }
        if let flag = reader.flag("enforceRole") { update.enforceRole = flag }
        return update
    }
}

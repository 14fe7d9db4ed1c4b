internal import Deployments
internal import FrameworkRuntime

/// Pods are refused until agents run groups of tasks; that is said by their validation.
enum PodReading {
    static func read(_ reader: inout FieldReader, over pod: inout PodDefinition, in base: ServiceID) {
        if let id = reader.text("id") { pod.id = ServiceID(id, in: base) }
        for name in reader.names { _ = reader.value(name) }
    }
}

extension JSONText {
    mutating func pod(_ pod: PodDefinition) { field("id", pod.id.path) }
}

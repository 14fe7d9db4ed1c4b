internal import ClusterModel
internal import FoundationEssentials
internal import MesosWire
internal import NIOCore

/// Events as records of a stream.
enum EventEncoding {
    /// An event for a framework, framed. The capabilities say what it can read; they matter for offers only.
    static func record(
        _ event: SchedulerEvent, as media: MediaType, for capabilities: Set<FrameworkCapability> = []
    ) throws -> ByteBuffer {
        framed(try WireCodec.encode(WireSchedulerEvent(event, for: capabilities), as: media))
    }

    /// An event for an agent, framed: JSON as `Codable` writes it.
    static func record(_ event: AgentEvent) throws -> ByteBuffer {
        switch event {
        case .acknowledge(let key, let uuid): acknowledgement(key, uuid)
        default: framed([UInt8](try JSONEncoder().encode(event)))
        }
    }

    /// The last record of a framework's stream.
    static func error(_ message: String, as media: MediaType) -> ByteBuffer? {
        try? record(.error(message), as: media)
    }

    static func framed(_ record: [UInt8]) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: record.count + 8)
        buffer.writeString(String(record.count))
        buffer.writeInteger(UInt8(ascii: "\n"))
        buffer.writeBytes(record)
        return buffer
    }

    /// The most frequent event is written by hand, in the form that `Codable` gives it.
    private static func acknowledgement(_ key: TaskKey, _ uuid: StatusUUID) -> ByteBuffer {
        var json = JSONWriter(capacity: 256)
        json.object { json in
            json.objectField("acknowledge") { json in
                json.objectField("_0") { json in
                    json.field("framework", key.framework.value)
                    json.field("task", key.task.value)
                }
                json.field("_1", uuid.text)
            }
        }
        let length = json.buffer.readableBytes
        var buffer = ByteBufferAllocator().buffer(capacity: length + 8)
        buffer.writeString(String(length))
        buffer.writeInteger(UInt8(ascii: "\n"))
        buffer.writeImmutableBuffer(json.buffer)
        return buffer
    }
}

/// Reads the calls that agents make most, updates of tasks, several times faster than `Codable` does.
///
/// It knows only what `Codable` writes for a body `{"type":"CALLS","calls":[…]}` of updates and heartbeats whose texts
/// need no escapes. Whatever differs in any way is left to `Codable`, which then has the last word, and the words for
/// what is wrong.
public struct AgentCallText {
    /// The bytes have another form than the usual one; they may still be valid.
    private struct Unusual: Error {}

    private let bytes: UnsafeBufferPointer<UInt8>
    private var index = 0

    private init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    /// Reads a body.
    ///
    /// - Parameter bytes: the whole body.
    /// - Returns: the calls, in order; nil when the body must be read with `Codable`.
    public static func read(_ bytes: UnsafeRawBufferPointer) -> [AgentCall]? {
        bytes.withMemoryRebound(to: UInt8.self) { bytes in
            var text = AgentCallText(bytes)
            return try? text.body()
        }
    }

    private mutating func body() throws(Unusual) -> [AgentCall] {
        try expect("{\"type\":\"CALLS\",\"calls\":[")
        var calls: [AgentCall] = []
        repeat {
            calls.append(try call())
        } while take(UInt8(ascii: ","))
        try expect("]}")
        guard index == bytes.count else { throw Unusual() }
        return calls
    }

    private mutating func call() throws(Unusual) -> AgentCall {
        try expect("{")
        switch try key() {
        case "heartbeat":
            try expect("{}}")
            return .heartbeat
        case "status":
            let status = try status()
            try expect("}")
            return status
        default: throw Unusual()
        }
    }

    private mutating func status() throws(Unusual) -> AgentCall {
        var key: TaskKey?
        var status: TaskStatus?
        var directory: String?
        try fields { (text, name) throws(Unusual) in
            switch name {
            case "_0": key = try text.taskKey()
            case "_1": status = try text.taskStatus()
            case "directory": directory = try text.string()
            default: throw Unusual()
            }
        }
        guard let key, let status, let directory else { throw Unusual() }
        return .status(key, status, directory: directory)
    }

    private mutating func taskKey() throws(Unusual) -> TaskKey {
        var framework: String?
        var task: String?
        try fields { (text, name) throws(Unusual) in
            switch name {
            case "framework": framework = try text.string()
            case "task": task = try text.string()
            default: throw Unusual()
            }
        }
        guard let framework, let task else { throw Unusual() }
        return TaskKey(framework: FrameworkID(framework), task: TaskID(task))
    }

    private mutating func taskStatus() throws(Unusual) -> TaskStatus {
        var task: TaskID?
        var state: TaskState?
        var source: StatusSource?
        var time: Int64?
        var addresses: [String]?
        // Filled in field by field; what must be there is put in at the end.
        var status = TaskStatus(
            taskID: TaskID(""), state: .staging, source: .agent, timestamp: UnixTime(nanoseconds: 0))
        try fields { (text, name) throws(Unusual) in
            switch name {
            case "taskID": task = TaskID(try text.string())
            case "state": state = try text.choice(TaskState.init(rawValue:))
            case "source": source = try text.choice(StatusSource.init(rawValue:))
            case "timestamp": time = try text.integer()
            case "addresses": addresses = try text.strings()
            case "reason": status.reason = try text.choice(StatusReason.init(rawValue:))
            case "message": status.message = try text.string()
            case "agentID": status.agentID = AgentID(try text.string())
            case "executorID": status.executorID = ExecutorID(try text.string())
            case "uuid": status.uuid = try text.choice(StatusUUID.init(text:))
            case "isHealthy": status.isHealthy = try text.bool()
            case "containerID": status.containerID = ContainerID(try text.string())
            default: throw Unusual()
            }
        }
        guard let task, let state, let source, let time, let addresses else { throw Unusual() }
        status.taskID = task
        status.state = state
        status.source = source
        status.timestamp = UnixTime(nanoseconds: time)
        status.addresses = addresses
        return status
    }

    // MARK: pieces

    /// An object: calls `field` behind each key; a key that comes twice is not usual.
    private mutating func fields(
        _ field: (inout AgentCallText, String) throws(Unusual) -> Void
    ) throws(Unusual) {
        try expect("{")
        if take(UInt8(ascii: "}")) { return }
        var seen: [String] = []
        repeat {
            let name = try key()
            guard !seen.contains(name) else { throw Unusual() }
            seen.append(name)
            try field(&self, name)
        } while take(UInt8(ascii: ","))
        try expect("}")
    }

    private mutating func key() throws(Unusual) -> String {
        let name = try string()
        try expect(":")
        return name
    }

    /// A text without escapes.
    private mutating func string() throws(Unusual) -> String {
        try expect("\"")
        let start = index
        while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
            guard bytes[index] >= 0x20, bytes[index] != UInt8(ascii: "\\") else { throw Unusual() }
            index += 1
        }
        guard index < bytes.count,
            let text = String(validating: UnsafeBufferPointer(rebasing: bytes[start..<index]), as: UTF8.self)
        else { throw Unusual() }
        index += 1
        return text
    }

    private mutating func choice<Value>(_ read: (String) -> Value?) throws(Unusual) -> Value {
        guard let value = read(try string()) else { throw Unusual() }
        return value
    }

    private mutating func strings() throws(Unusual) -> [String] {
        try expect("[")
        var texts: [String] = []
        if take(UInt8(ascii: "]")) { return texts }
        repeat {
            texts.append(try string())
        } while take(UInt8(ascii: ","))
        try expect("]")
        return texts
    }

    /// A whole number without sign, leading zeros, fraction and exponent, of at most 18 digits.
    private mutating func integer() throws(Unusual) -> Int64 {
        let start = index
        var value: Int64 = 0
        while index < bytes.count, case UInt8(ascii: "0")...UInt8(ascii: "9") = bytes[index] {
            guard index - start < 18 else { throw Unusual() }
            value = value * 10 + Int64(bytes[index] - UInt8(ascii: "0"))
            index += 1
        }
        guard index > start, bytes[start] != UInt8(ascii: "0") || index == start + 1 else { throw Unusual() }
        return value
    }

    private mutating func bool() throws(Unusual) -> Bool {
        if index < bytes.count, bytes[index] == UInt8(ascii: "t") {
            try expect("true")
            return true
        }
        try expect("false")
        return false
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard index < bytes.count, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    private mutating func expect(_ text: StaticString) throws(Unusual) {
        let count = text.utf8CodeUnitCount
        guard bytes.count - index >= count else { throw Unusual() }
        for offset in 0..<count where bytes[index + offset] != text.utf8Start[offset] { throw Unusual() }
        index += count
    }
}

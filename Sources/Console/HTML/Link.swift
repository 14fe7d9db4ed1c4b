/// An address on this master. It is made of segments, each escaped, so that it cannot lead anywhere else.
public struct Link: Hashable, Sendable {
    /// The address as it is written: it begins with one slash.
    public let text: String

    /// The way to the overview.
    public static let overview = Link()

    /// A page of the console: `Link("nodes", id)` is `/ui/nodes/ID`.
    ///
    /// - Parameters:
    ///   - segments: the segments after `/ui`; a slash in one of them is escaped.
    ///   - query: the parameters, in order.
    public init(_ segments: String..., query: [(name: String, value: String)] = []) {
        self.init(absolute: ["ui"] + segments, query: query)
    }

    /// A page of the console.
    ///
    /// - Parameters:
    ///   - segments: the segments after `/ui`.
    ///   - query: the parameters, in order.
    public init(path segments: [String], query: [(name: String, value: String)] = []) {
        self.init(absolute: ["ui"] + segments, query: query)
    }

    /// Something else on this master, such as an agent's files.
    ///
    /// - Parameters:
    ///   - segments: all segments of the path.
    ///   - query: the parameters, in order.
    public init(absolute segments: [String], query: [(name: String, value: String)] = []) {
        var text = ""
        for segment in segments { text += "/" + Self.escaped(segment) }
        if segments.isEmpty { text = "/" }
        for (index, item) in query.enumerated() {
            text += (index == 0 ? "?" : "&") + Self.escaped(item.name) + "=" + Self.escaped(item.value)
        }
        self.text = text
    }

    private init(text: String) { self.text = text }

    /// The page of a task.
    ///
    /// - Parameters:
    ///   - id: the task's id.
    ///   - framework: whose task it is; ids of two frameworks may be the same.
    /// - Returns: `/ui/tasks/ID?framework=FRAMEWORK`.
    public static func task(_ id: String, of framework: String) -> Link {
        Link("tasks", id, query: [("framework", framework)])
    }

    /// The page of a service.
    ///
    /// - Parameters:
    ///   - id: its path, such as `/shop/web`.
    ///   - more: what is done with it.
    ///   - query: the parameters, in order.
    /// - Returns: `/ui/services/shop%2Fweb`.
    public static func service(_ id: String, _ more: String..., query: [(name: String, value: String)] = []) -> Link {
        Link(path: ["services", id.hasPrefix("/") ? String(id.dropFirst()) : id] + more, query: query)
    }

    /// The page of a node.
    ///
    /// - Parameter id: its id.
    /// - Returns: `/ui/nodes/ID`.
    public static func node(_ id: String) -> Link { Link("nodes", id) }

    /// The same with an anchor.
    ///
    /// - Parameter id: the id of an element.
    /// - Returns: the address.
    public func anchor(_ id: String) -> Link { Link(text: text + "#" + Self.escaped(id)) }

    /// A place on the page that is shown.
    ///
    /// - Parameter id: the id of an element.
    /// - Returns: the address, which loads nothing.
    public static func here(_ id: String) -> Link { Link(text: "#" + escaped(id)) }

    /// All but letters, digits and `-._~` as `%XX`.
    static func escaped(_ text: String) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Why bytes from outside could not be read as what they claim to be, or a value could not be written.
///
/// Every case is the sender's doing and has a 4xx answer; `message` says what was wrong, where, and what to send
/// instead. It is meant to be the body of that answer as it is.
public enum WireError: Error, Hashable, Sendable {
    /// The body is longer than the limit, in bytes.
    case tooLarge(limit: Int)
    /// There is no body.
    case empty
    /// A JSON body is not UTF-8 from this byte on.
    case notUTF8(offset: Int)
    /// Objects, arrays or messages are nested deeper than the limit.
    case tooDeep(limit: Int)
    /// The body has more objects or messages than the limit.
    case tooManyParts(limit: Int)
    /// The text is not JSON, or not one JSON object; `offset` is where that shows.
    case malformedJSON(offset: Int, problem: String)
    /// The bytes are not protobuf.
    case malformedProtobuf(problem: String)
    /// A field has a value that it cannot have. The path is the wire's: `accept.offer_ids[2].value`.
    case invalidField(path: String, problem: String)
    /// A required field is absent.
    case missingField(path: String)
    /// The body's media type is absent (nil) or one that this interface does not speak.
    case unsupportedMediaType(String?)
    /// The sender accepts no media type that this interface speaks.
    case notAcceptable(String)
    /// The length line of a RecordIO frame is wrong.
    case malformedRecord(problem: String)
    /// A RecordIO frame is longer than the limit, in bytes.
    case recordTooLong(limit: Int)

    /// What happened, where and what to do; lower case, no full stop.
    public var message: String {
        switch self {
        case .tooLarge(let limit): "the body is longer than \(limit) bytes; send less at a time"
        case .empty: "the body is empty; send one call"
        case .notUTF8(let offset): "the body is not UTF-8 at byte \(offset); send JSON in UTF-8"
        case .tooDeep(let limit): "the body is nested deeper than \(limit) levels; send a flatter one"
        case .tooManyParts(let limit): "the body has more than \(limit) objects; send less at a time"
        case .malformedJSON(let offset, let problem):
            "the body is not valid JSON at byte \(offset): \(problem); send one JSON object"
        case .malformedProtobuf(let problem):
            "the body is not valid protobuf: \(problem); check that it matches the Content-Type"
        case .invalidField(let path, let problem): "field '\(path)' \(problem)"
        case .missingField(let path): "field '\(path)' is missing and is required"
        case .unsupportedMediaType(let type):
            (type.map { "the Content-Type '\(Self.shortened($0))' is not supported" } ?? "there is no Content-Type")
                + "; send application/json or application/x-protobuf"
        case .notAcceptable(let types):
            "none of the media types '\(Self.shortened(types))' can be sent; accept application/json or "
                + "application/x-protobuf"
        case .malformedRecord(let problem):
            "the record's length line is wrong: \(problem); send decimal digits, a line feed, then that many bytes"
        case .recordTooLong(let limit): "the record is longer than \(limit) bytes; send shorter records"
        }
    }

    /// The HTTP status that answers a request which fails so.
    public var httpStatus: Int {
        switch self {
        case .tooLarge, .recordTooLong, .tooManyParts: 413
        case .unsupportedMediaType(let type): type == nil ? 400 : 415
        case .notAcceptable: 406
        default: 400
        }
    }

    /// The same error seen from the message around it: paths get the name of the field that holds it.
    func inside(_ parent: @autoclosure () -> String) -> WireError {
        switch self {
        case .invalidField(let path, let problem):
            .invalidField(path: Self.join(parent(), path), problem: problem)
        case .missingField(let path): .missingField(path: Self.join(parent(), path))
        default: self
        }
    }

    private static func join(_ parent: String, _ child: String) -> String {
        if parent.isEmpty { return child }
        return child.isEmpty || child.hasPrefix("[") ? parent + child : parent + "." + child
    }

    private static func shortened(_ text: String) -> String {
        let printable = text.unicodeScalars.prefix(80).map { $0.value < 0x20 || $0.value == 0x7f ? "?" : $0 }
        return String(String.UnicodeScalarView(printable)) + (text.unicodeScalars.count > 80 ? "…" : "")
    }
}

extension WireError: CustomStringConvertible {
    /// The message.
    public var description: String { message }
}

/// Runs a step of a conversion; what goes wrong in it is reported as inside the named field.
func within<Result>(
    _ field: @autoclosure () -> String, _ step: () throws(WireError) -> Result
) throws(WireError) -> Result {
    do { return try step() } catch { throw error.inside(field()) }
}

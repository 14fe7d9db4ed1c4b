import CYAML

/// A value of a YAML document, with the line it stands on so that errors can name it.
///
/// Only what configuration and descriptions of jobs and services need: mappings with unique plain keys, sequences and
/// scalars as text. Anchors, aliases and tags are refused: they let a small file stand for a huge one.
public indirect enum YAMLValue: Equatable, Sendable {
    /// Text; what is plain, neither quoted nor a block, may mean a number or a truth value.
    case scalar(String, line: Int, isPlain: Bool = true)
    /// A list.
    case sequence([YAMLValue], line: Int)
    /// Keys in the order of the file.
    case mapping([YAMLEntry], line: Int)

    /// Where the value begins, from 1.
    public var line: Int {
        switch self {
        case .scalar(_, let line, _), .sequence(_, let line), .mapping(_, let line): line
        }
    }
}

/// One key of a mapping.
public struct YAMLEntry: Equatable, Sendable {
    /// The key.
    public var key: String
    /// Where the key stands, from 1.
    public var line: Int
    /// Its value.
    public var value: YAMLValue
}

/// Why a document cannot be read.
public struct YAMLError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Where, from 1; 0 when the whole document is meant.
    public var line: Int
    /// What is wrong and what to do.
    public var message: String

    /// Line and message.
    public var description: String { line == 0 ? message : "line \(line): \(message)" }
}

/// Reads one bounded YAML document.
public enum YAMLDocument {
    /// Bytes a document may have.
    public static let bytesMax = 1 << 20
    /// Mappings and sequences that may stand in one another.
    public static let depthMax = 32
    /// Values a document may have.
    public static let valuesMax = 10_000

    /// Parses a document; an empty one is an empty mapping.
    /// - Parameter bytes: UTF-8 text, at most `bytesMax`.
    /// - Throws: `YAMLError` with the line.
    /// - Returns: the mapping, sequence or scalar at the top.
    public static func parse(_ bytes: [UInt8]) throws(YAMLError) -> YAMLValue {
        guard bytes.count <= bytesMax else {
            throw YAMLError(line: 0, message: "the file is larger than \(bytesMax) bytes")
        }
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw YAMLError(line: 0, message: "the file is not UTF-8 text")
        }
        var reader = Reader()
        let events = try Reader.events(of: bytes)
        return try reader.document(events)
    }
}

private struct Event {
    enum Kind: Equatable {
        case scalar(String, isPlain: Bool)
        case openSequence, openMapping, closeSequence, closeMapping, end
    }

    var kind: Kind
    var line: Int
}

private struct Reader {
    private var position = 0
    private var values = 0

    /// Runs libyaml's parser over the bytes and copies out what it finds; all C memory is freed before it returns.
    static func events(of bytes: [UInt8]) throws(YAMLError) -> [Event] {
        var parser = yaml_parser_t()
        guard yaml_parser_initialize(&parser) == 1 else {
            throw YAMLError(line: 0, message: "out of memory while reading YAML")
        }
        defer { yaml_parser_delete(&parser) }
        let result: Result<[Event], YAMLError> = bytes.withUnsafeBufferPointer { buffer in
            yaml_parser_set_input_string(&parser, buffer.baseAddress, buffer.count)
            var events: [Event] = []
            while true {
                switch next(&parser) {
                case .failure(let error): return .failure(error)
                case .success(nil): continue
                case .success(let event?):
                    events.append(event)
                    if event.kind == .end { return .success(events) }
                    if events.count > YAMLDocument.valuesMax * 3 {
                        return .failure(YAMLError(line: event.line, message: "the file has too many values"))
                    }
                }
            }
        }
        return try result.get()
    }

    private static func next(_ parser: inout yaml_parser_t) -> Result<Event?, YAMLError> {
        var event = yaml_event_t()
        guard yaml_parser_parse(&parser, &event) == 1 else {
            let problem = parser.problem.map { String(cString: $0) } ?? "not YAML"
            return .failure(YAMLError(line: Int(parser.problem_mark.line) + 1, message: problem))
        }
        defer { yaml_event_delete(&event) }
        let line = Int(event.start_mark.line) + 1
        func refuse(_ what: String) -> Result<Event?, YAMLError> {
            .failure(YAMLError(line: line, message: "\(what) are not supported here; write the value out"))
        }
        switch event.type {
        case YAML_STREAM_END_EVENT: return .success(Event(kind: .end, line: line))
        case YAML_ALIAS_EVENT: return refuse("aliases")
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            if scalar.anchor != nil { return refuse("anchors") }
            if scalar.tag != nil { return refuse("tags") }
            let text = String(
                decoding: UnsafeBufferPointer(start: scalar.value, count: Int(scalar.length)), as: UTF8.self)
            let isPlain = scalar.style == YAML_PLAIN_SCALAR_STYLE
            return .success(Event(kind: .scalar(text, isPlain: isPlain), line: line))
        case YAML_SEQUENCE_START_EVENT:
            if event.data.sequence_start.anchor != nil { return refuse("anchors") }
            if event.data.sequence_start.tag != nil { return refuse("tags") }
            return .success(Event(kind: .openSequence, line: line))
        case YAML_MAPPING_START_EVENT:
            if event.data.mapping_start.anchor != nil { return refuse("anchors") }
            if event.data.mapping_start.tag != nil { return refuse("tags") }
            return .success(Event(kind: .openMapping, line: line))
        case YAML_SEQUENCE_END_EVENT: return .success(Event(kind: .closeSequence, line: line))
        case YAML_MAPPING_END_EVENT: return .success(Event(kind: .closeMapping, line: line))
        default: return .success(nil)
        }
    }

    mutating func document(_ events: [Event]) throws(YAMLError) -> YAMLValue {
        if events.first?.kind == .end { return .mapping([], line: 1) }
        let value = try value(events, depth: 0)
        guard position < events.count, events[position].kind == .end else {
            let line = position < events.count ? events[position].line : 0
            throw YAMLError(line: line, message: "a second document begins here; a file holds one")
        }
        return value
    }

    private mutating func take(_ events: [Event]) throws(YAMLError) -> Event {
        guard position < events.count else { throw YAMLError(line: 0, message: "the file ends too early") }
        defer { position += 1 }
        return events[position]
    }

    private mutating func value(_ events: [Event], depth: Int) throws(YAMLError) -> YAMLValue {
        let event = try take(events)
        values += 1
        guard depth <= YAMLDocument.depthMax else { throw YAMLError(line: event.line, message: "nested too deeply") }
        guard values <= YAMLDocument.valuesMax else {
            throw YAMLError(line: event.line, message: "the file has too many values")
        }
        switch event.kind {
        case .scalar(let text, let isPlain): return .scalar(text, line: event.line, isPlain: isPlain)
        case .openSequence:
            var items: [YAMLValue] = []
            while position < events.count, events[position].kind != .closeSequence {
                items.append(try value(events, depth: depth + 1))
            }
            position += 1
            return .sequence(items, line: event.line)
        case .openMapping:
            var entries: [YAMLEntry] = []
            var seen: Set<String> = []
            while position < events.count, events[position].kind != .closeMapping {
                let key = try take(events)
                guard case .scalar(let name, _) = key.kind else {
                    throw YAMLError(line: key.line, message: "a key must be plain text")
                }
                guard seen.insert(name).inserted else {
                    throw YAMLError(line: key.line, message: "the key '\(name)' stands here a second time")
                }
                entries.append(
                    YAMLEntry(key: name, line: key.line, value: try value(events, depth: depth + 1)))
            }
            position += 1
            return .mapping(entries, line: event.line)
        case .closeSequence, .closeMapping, .end:
            throw YAMLError(line: event.line, message: "a value is missing here")
        }
    }
}

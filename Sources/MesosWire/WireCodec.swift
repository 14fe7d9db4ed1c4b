import FoundationEssentials
public import SwiftProtobuf

/// Messages from and to bytes, in either encoding, with everything that comes in bounded and checked.
///
/// In JSON: field names as in the protocol descriptions, 64-bit numbers as numbers, enums by name, bytes in base64,
/// absent fields left out, one line, and only ASCII (clients that count characters instead of bytes exist). Unknown
/// fields are ignored on the way in. An unknown name in an optional enum field counts as absent, as in Mesos, so that
/// newer clients can be understood; in a required one it is reported as missing.
public enum WireCodec {
    /// Reads one message. No bytes at all are a protobuf message without fields, but never JSON.
    /// - Throws: what is wrong with the bytes, naming the field where one can be named.
    public static func decode<M: Message>(
        _ type: M.Type = M.self, from bytes: [UInt8], as mediaType: MediaType, limits: WireLimits = .call
    ) throws(WireError) -> M {
        guard bytes.count <= limits.bytes else { throw .tooLarge(limit: limits.bytes) }
        let message: M
        switch mediaType {
        case .json: message = try decodeJSON(bytes, limits: limits)
        case .protobuf: message = try decodeProtobuf(bytes, limits: limits)
        }
        guard message.isInitialized else { try MessageCheck.reportMissing(message) }
        return message
    }

    /// Writes one message. Numbers in it are finite; that is the caller's duty.
    /// - Throws: `.missingField` when a required field is not set.
    public static func encode(_ message: some Message, as mediaType: MediaType) throws(WireError) -> [UInt8] {
        guard message.isInitialized else { try MessageCheck.reportMissing(message) }
        do {
            switch mediaType {
            case .json:
                let text: [UInt8] = try message.jsonUTF8Bytes(options: encodingJSON)
                return escapedToASCII(text)
            case .protobuf: return try message.serializedBytes(partial: true, options: encodingProtobuf)
            }
        } catch {
            throw .malformedProtobuf(problem: "the message cannot be written: \(error)")
        }
    }

    private static func decodeJSON<M: Message>(_ bytes: [UInt8], limits: WireLimits) throws(WireError) -> M {
        let scan = try bytes.withUnsafeBufferPointer { buffer throws(WireError) in
            try JSONScan(buffer, limits: limits)
        }
        var options = JSONDecodingOptions()
        options.ignoreUnknownFields = true
        options.messageDepthLimit = limits.depth
        let message: M
        do { message = try M(jsonUTF8Bytes: bytes, options: options) } catch {
            let path = JSONFault.path(in: bytes) { (try? M(jsonUTF8Bytes: $0, options: options)) == nil }
            throw JSONFault.describe(error, path: path, limits: limits)
        }
        if scan.mayHoldNonFinite { try MessageCheck.requireFinite(message) }
        return message
    }

    private static func decodeProtobuf<M: Message>(_ bytes: [UInt8], limits: WireLimits) throws(WireError) -> M {
        try bytes.withUnsafeBufferPointer { buffer throws(WireError) in
            try ProtobufScan.check(buffer, limits: limits)
        }
        var options = BinaryDecodingOptions()
        options.discardUnknownFields = true
        options.messageDepthLimit = limits.depth
        let message: M
        do { message = try M(serializedBytes: bytes, partial: true, options: options) } catch {
            throw describe(error, limits: limits)
        }
        try MessageCheck.requireFinite(message)
        return message
    }

    private static func describe(_ error: any Error, limits: WireLimits) -> WireError {
        guard let error = error as? BinaryDecodingError else { return .malformedProtobuf(problem: "it cannot be read") }
        return switch error {
        case .truncated: .malformedProtobuf(problem: "it ends inside a field")
        case .invalidUTF8: .malformedProtobuf(problem: "a text is not UTF-8")
        case .messageDepthLimit: .tooDeep(limit: limits.depth)
        default: .malformedProtobuf(problem: "a field cannot be read")
        }
    }

    private static let encodingJSON: JSONEncodingOptions = {
        var options = JSONEncodingOptions()
        options.preserveProtoFieldNames = true
        options.alwaysPrintInt64sAsNumbers = true
        options.useDeterministicOrdering = true
        return options
    }()

    private static let encodingProtobuf: BinaryEncodingOptions = {
        var options = BinaryEncodingOptions()
        options.useDeterministicOrdering = true
        return options
    }()

    /// Replaces what is not ASCII by `\uXXXX`; outside of strings JSON has none.
    static func escapedToASCII(_ text: [UInt8]) -> [UInt8] {
        guard let first = text.firstIndex(where: { $0 >= 0x80 }) else { return text }
        var result = Array(text[..<first])
        result.reserveCapacity(text.count * 2)
        let digits = Array("0123456789abcdef".utf8)
        for scalar in String(decoding: text[first...], as: UTF8.self).unicodeScalars {
            if scalar.isASCII {
                result.append(UInt8(truncatingIfNeeded: scalar.value))
                continue
            }
            for unit in UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter {
                result.append(UInt8(ascii: "\\"))
                result.append(UInt8(ascii: "u"))
                for shift in [12, 8, 4, 0] as [UInt16] { result.append(digits[Int((unit >> shift) & 15)]) }
            }
        }
        return result
    }
}

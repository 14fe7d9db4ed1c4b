/// The framing of event streams: the record's length in decimal, a line feed, then that many bytes.
///
/// Mesos documentation, "RecordIO response format" of the scheduler interface.
public enum RecordIO {
    /// Frames one record.
    public static func encode(_ record: [UInt8]) -> [UInt8] {
        var frame: [UInt8] = []
        let length = String(record.count).utf8
        frame.reserveCapacity(length.count + 1 + record.count)
        frame.append(contentsOf: length)
        frame.append(UInt8(ascii: "\n"))
        frame.append(contentsOf: record)
        return frame
    }

    /// Reads frames from chunks that are split anywhere. A value; the transport owns it and feeds it.
    ///
    /// It holds no more than the record it is in the middle of. After an error it stays failed: the boundaries of
    /// records are lost for good.
    public struct Decoder: Sendable {
        /// Longest record, in bytes.
        public let maximumLength: Int
        private var state = State.length(value: 0, digits: 0)

        private enum State: Sendable {
            /// In the length line; nothing read of it yet when there are no digits.
            case length(value: Int, digits: Int)
            /// In a record of that length.
            case record(length: Int, read: [UInt8])
            case failed(WireError)
        }

        /// Makes a decoder at the start of a stream.
        public init(maximumLength: Int) {
            // Room for one more digit, so that reading a length cannot overflow.
            self.maximumLength = min(max(maximumLength, 0), Int.max / 16)
        }

        /// Takes the next chunk and appends every record that it completes.
        /// - Throws: `.malformedRecord` or `.recordTooLong`; records completed before the fault are appended.
        public mutating func feed(_ chunk: [UInt8], into records: inout [[UInt8]]) throws(WireError) {
            var rest = chunk[...]
            while !rest.isEmpty {
                switch state {
                case .failed(let error): throw error
                case .length(let value, let digits):
                    do { try readLength(&rest, value: value, digits: digits) } catch {
                        state = .failed(error)
                        throw error
                    }
                    // An empty record is complete without another byte.
                    if case .record(0, _) = state {
                        records.append([])
                        state = .length(value: 0, digits: 0)
                    }
                case .record(let length, var read):
                    // Without this the buffer below would be shared, and so copied for every chunk.
                    state = .length(value: 0, digits: 0)
                    let taken = rest.prefix(length - read.count)
                    read.append(contentsOf: taken)
                    rest = rest.dropFirst(taken.count)
                    if read.count == length {
                        records.append(read)
                    } else {
                        state = .record(length: length, read: read)
                    }
                }
            }
        }

        /// Takes the next chunk and returns the records that it completes.
        public mutating func feed(_ chunk: [UInt8]) throws(WireError) -> [[UInt8]] {
            var records: [[UInt8]] = []
            try feed(chunk, into: &records)
            return records
        }

        /// Says that the stream has ended.
        /// - Throws: `.malformedRecord` when that is in the middle of a record.
        public func finish() throws(WireError) {
            switch state {
            case .length(_, digits: 0): return
            case .failed(let error): throw error
            default: throw .malformedRecord(problem: "the stream ended inside a record")
            }
        }

        private mutating func readLength(
            _ rest: inout ArraySlice<UInt8>, value: Int, digits: Int
        ) throws(WireError) {
            var (value, digits) = (value, digits)
            while let byte = rest.popFirst() {
                if byte == UInt8(ascii: "\n") {
                    if digits == 0 { throw .malformedRecord(problem: "it has no digits") }
                    var read: [UInt8] = []
                    // A length is only a promise: memory is spent as bytes arrive.
                    read.reserveCapacity(min(value, 16_384))
                    state = .record(length: value, read: read)
                    return
                }
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else {
                    throw .malformedRecord(problem: "it has a byte that is no digit")
                }
                if digits > 0, value == 0 { throw .malformedRecord(problem: "it has a leading zero") }
                value = value * 10 + Int(byte - UInt8(ascii: "0"))
                digits += 1
                if value > maximumLength { throw .recordTooLong(limit: maximumLength) }
            }
            state = .length(value: value, digits: digits)
        }
    }
}

/// A field of `/proc/PID/mountinfo` (proc_pid_mountinfo(5)).
public enum MountInfoField {
    /// The text of a field: space, tab, newline and backslash are written as `\` and three octal digits.
    ///
    /// What is no such escape stays as it is, so that nothing that the kernel may write is refused.
    /// - Parameter field: one field as it stands in the file.
    /// - Returns: the path or word that it means.
    public static func unescaped(_ field: ArraySlice<UInt8>) -> String {
        // Of one type, not generic: the library looks every conformance of the program up for a generic call.
        let backslash: UInt8 = 0x5C
        guard field.contains(backslash) else { return String(decoding: field, as: UTF8.self) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(field.count)
        var rest = field
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == backslash, digits.count == 3,
                let code = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            {
                bytes.append(code)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The same of a field that is text already.
    public static func unescaped(_ field: String) -> String { unescaped(Array(field.utf8)[...]) }
}

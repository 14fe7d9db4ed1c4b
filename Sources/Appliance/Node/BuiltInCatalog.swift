internal import CCatalog

/// The packages that this program brings along.
public enum BuiltInCatalog {
    /// The repository document, `{"packages": […]}`.
    public static var document: [UInt8] {
        guard let bytes = rondo_catalog_bytes() else { return [] }
        return Array(UnsafeBufferPointer(start: bytes, count: rondo_catalog_length()))
    }
}

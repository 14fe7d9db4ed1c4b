/// How much memory machines are given, and what they cost beside it.
///
/// Unused memory of a guest costs nothing, so the limit of a workload is what its machine gets. Templates are kept for
/// a few sizes; any other is booted afresh.
public enum MemoryClass {
    /// The least memory of a machine, in MiB: kernel, initramfs and a small workload.
    public static let floor = 64
    /// The most, in MiB.
    public static let ceiling = 1 << 20
    /// What a machine gets whose workload names no limit, in MiB.
    public static let usual = 128
    /// The sizes for which templates are kept, in MiB.
    public static let templates = [64, 128, 256, 512]
    /// What a machine needs beside its memory when it booted afresh, in MiB: the machine monitor, and room.
    public static let coldOverhead = 96
    /// The same for a clone, which shares its template's pages.
    public static let cloneOverhead = 48

    /// The memory of a machine for a workload.
    /// - Parameter limit: the workload's limit in bytes; nil for none.
    /// - Returns: whole MiB, at least the floor.
    public static func memory(forLimit limit: UInt64?) -> Int {
        guard let limit else { return usual }
        let mebibytes = (limit >> 20) + (limit & 0xf_ffff == 0 ? 0 : 1)
        return max(floor, Int(min(mebibytes, UInt64(ceiling))))
    }

    /// Whether there are templates for machines with so much memory.
    public static func hasTemplate(mebibytes: Int) -> Bool { templates.contains(mebibytes) }

    /// What a machine is charged on its host, and its control group's limit, in MiB.
    /// - Parameters:
    ///   - memory: the guest's, in MiB.
    ///   - start: how it starts. A clone that writes to all of its memory has a copy of all of it.
    /// - Returns: the sum.
    public static func charge(memory: Int, start: MachineDescription.Start) -> Int {
        memory + (start == .clone ? cloneOverhead : coldOverhead)
    }
}

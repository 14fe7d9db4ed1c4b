internal import CLinux
internal import Glibc

/// Keeps containers away from the file of this program.
///
/// A process in a container can reach the program that entered it through `/proc/PID/exe` and, where it is root,
/// write to the host's file (CVE-2019-5736). So whoever enters a container runs from something that cannot be
/// written: a detached read-only mount of the file, or, where mounts are not allowed, a sealed copy in memory. The
/// mount costs one more exec, the copy also the reading of the whole file. Mostly the mount is made before `main`
/// already (CLinux, protection.c), where the exec is cheapest; what is here is for the rest.
enum SelfProtection {
    /// Says in the environment that this is done already; taken out of it at once.
    private static let marker = "_RONDO_OCI_PROTECTED"

    /// Goes on in a protected image of this program; returns only when it already is one.
    static func ensure(arguments: [String]) throws(RuntimeFailure) {
        if clinux_is_protected() != 0 { return }
        let image = try protectedImage()
        let code = execute(image, arguments: arguments, environment: ["\(marker)=1"] + Programs.ownEnvironment)
        throw RuntimeFailure(
            "cannot go on in a protected copy of this program", errno: Int32(truncatingIfNeeded: -code))
    }

    private static func protectedImage() throws(RuntimeFailure) -> Int32 {
        let readOnly: UInt64 = 1
        let tree = Kernel.cloneTree(AT_FDCWD, "/proc/self/exe", recursive: false)
        if tree >= 0 {
            if Kernel.setAttributes(Int32(tree), set: readOnly, recursive: false) >= 0 {
                return Int32(tree)
            }
            Kernel.close(Int32(tree))
        }
        return try sealedCopy()
    }

    private static func sealedCopy() throws(RuntimeFailure) -> Int32 {
        let source = try OpenFile(Kernel.open("/proc/self/exe", O_RDONLY), "cannot open this program")
        let cloexecAndSealable = 3
        // Where the host has files in memory not executable unless asked for (Linux 6.3, vm.memfd_noexec).
        let executable = 0x10
        var copy = Kernel.withPath("rondo-oci") { Kernel.call(SYS_memfd_create, $0, cloexecAndSealable | executable) }
        if copy == -Int(EINVAL) {
            copy = Kernel.withPath("rondo-oci") { Kernel.call(SYS_memfd_create, $0, cloexecAndSealable) }
        }
        try check(copy, "cannot make a file in memory")
        var facts = stat()
        guard fstat(source.raw, &facts) == 0 else { throw RuntimeFailure("cannot look at this program", errno: errno) }
        var left = Int(facts.st_size)
        while left > 0 {
            let count = Kernel.call(SYS_sendfile, copy, Int(source.raw), 0, left)
            if count == -Int(EINTR) { continue }
            guard count > 0 else {
                throw RuntimeFailure("cannot copy this program into memory", errno: Int32(truncatingIfNeeded: -count))
            }
            left -= count
        }
        let addSeals = 1_033
        let sealShrinkGrowWrite = 0x1 | 0x2 | 0x4 | 0x8
        try check(Kernel.call(SYS_fcntl, copy, addSeals, sealShrinkGrowWrite), "cannot seal the copy of this program")
        // What is open for writing cannot be executed.
        let readable = Kernel.open(Kernel.link(Int32(copy)), O_RDONLY)
        Kernel.close(Int32(copy))
        return Int32(try check(readable, "cannot open the copy of this program"))
    }

    /// execveat(2) of an open file; returns only when it fails.
    static func execute(_ file: Int32, arguments: [String], environment: [String]) -> Int {
        CStrings.with(arguments) { arguments in
            CStrings.with(environment) { environment in
                Kernel.withPath("") {
                    Kernel.call(
                        SYS_execveat, Int(file), $0, Int(bitPattern: arguments), Int(bitPattern: environment),
                        Kernel.atEmptyPath)
                }
            }
        }
    }
}

/// Vectors of C strings for exec.
enum CStrings {
    static func with(_ texts: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Int) -> Int {
        let pointers = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: texts.count + 1)
        for (index, text) in texts.enumerated() { pointers[index] = strdup(text) }
        pointers[texts.count] = nil
        defer {
            for index in 0..<texts.count { free(pointers[index]) }
            pointers.deallocate()
        }
        return body(pointers)
    }
}

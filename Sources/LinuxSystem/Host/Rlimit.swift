/// The resource limits of Linux by name and number (getrlimit(2); the numbers of x86-64 and arm64).
public enum Rlimit {
    /// The name of each limit, at the index of its number.
    private static let names: [StaticString] = [
        "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_CORE", "RLIMIT_RSS", "RLIMIT_NPROC",
        "RLIMIT_NOFILE", "RLIMIT_MEMLOCK", "RLIMIT_AS", "RLIMIT_LOCKS", "RLIMIT_SIGPENDING", "RLIMIT_MSGQUEUE",
        "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_RTTIME",
    ]

    /// The number of `RLIMIT_…`; nil for an unknown name.
    public static func number(of name: String) -> Int? { KernelNames.index(of: name, in: names) }

    /// The name of a number; nil for an unknown one.
    public static func name(_ number: Int) -> String? {
        names.indices.contains(number) ? names[number].description : nil
    }
}

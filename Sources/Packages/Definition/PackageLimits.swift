/// How large what comes from a repository may be. The largest of the public Universe are far below.
public enum PackageLimits {
    /// One package in one version, with everything in it.
    public static let package = JSONLimits(bytes: 8 << 20, values: 200_000, depth: 64)
    /// The options of an installation, which are stored with the service.
    public static let options = JSONLimits(bytes: 1 << 20, values: 50_000, depth: 64)
    /// What a template makes of them.
    public static let app = JSONLimits(bytes: 4 << 20, values: 100_000, depth: 64)
    /// A whole repository.
    public static let repositoryBytes = 256 << 20
    /// The most packages, each version counted, of a repository.
    public static let packages = 20_000
    /// The most reasons that are kept why packages of a repository were left out.
    static let refusals = 1_000
    /// The longest name and the longest version.
    static let nameBytes = 128
    /// The longest of the texts that are searched and shown in lists.
    static let descriptionBytes = 64 << 10
    /// The most tags, and the most versions in `upgradesFrom` and `downgradesTo`.
    static let words = 512
}

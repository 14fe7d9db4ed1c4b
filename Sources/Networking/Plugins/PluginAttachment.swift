/// How a container is connected by plugins; written down before the first of them is called.
struct PluginAttachment: Equatable, Codable {
    var container: String
    var network: String
    var portMappings: [PortMapping]
    var namespacePath: String
    /// The configuration as it was when the container was attached: a changed file does not change how to detach.
    var configuration: [UInt8]
    /// What the last plugin has answered; nil when not all were called.
    var result: [UInt8]?
}

public import ClusterModel

/// How a service is, as one word.
public enum ServiceCondition: String, Hashable, Sendable, CaseIterable {
    /// All instances are there, and well as far as they are checked.
    case running
    /// A deployment works on it.
    case deploying
    /// Instances wait for offers.
    case waiting
    /// It waits because it failed before.
    case delayed
    /// A health check fails, or instances are missing.
    case unhealthy
    /// It shall have no instances.
    case stopped

    /// How it looks.
    public var tone: Tone {
        switch self {
        case .running: .good
        case .deploying: .busy
        case .waiting, .delayed: .warn
        case .unhealthy: .bad
        case .stopped: .idle
        }
    }
}

/// A service as lists show it.
public struct ServiceRow: Sendable {
    /// Its path.
    public var id: String
    /// Whether it is a pod.
    public var isPod: Bool
    /// How it is.
    public var condition: ServiceCondition
    /// How many instances shall run.
    public var wanted: Int
    /// How many run.
    public var running: Int
    /// How many of them pass their checks.
    public var healthy: Int
    /// How many fail them.
    public var unhealthy: Int
    /// Cores of all wanted instances.
    public var cpus: Double
    /// MiB of memory of all wanted instances.
    public var memory: Double
    /// The image, or the command.
    public var what: String
    /// The package that it was made from.
    public var package: String?
    /// When its definition changed last.
    public var changed: UnixTime?

    /// Makes a row.
    public init(
        id: String, isPod: Bool, condition: ServiceCondition, wanted: Int, running: Int, healthy: Int, unhealthy: Int,
        cpus: Double, memory: Double, what: String, package: String?, changed: UnixTime?
    ) {
        self.id = id
        self.isPod = isPod
        self.condition = condition
        self.wanted = wanted
        self.running = running
        self.healthy = healthy
        self.unhealthy = unhealthy
        self.cpus = cpus
        self.memory = memory
        self.what = what
        self.package = package
        self.changed = changed
    }

    /// Instances in words: `2 of 3`.
    var instances: String { running == wanted ? Numbers.grouped(wanted) : "\(running) of \(wanted)" }

    /// Health in words.
    var health: String? {
        if healthy + unhealthy == 0 { return nil }
        return unhealthy == 0 ? "\(healthy) healthy" : "\(healthy) healthy, \(unhealthy) not"
    }
}

/// All services and pods.
public struct ServicesPage: ConsolePage {
    /// Which of them.
    public var services: Listing<ServiceRow>
    /// What is being deployed.
    public var deployments: [DeploymentRow]

    /// Makes a page.
    public init(services: Listing<ServiceRow>, deployments: [DeploymentRow]) {
        self.services = services
        self.deployments = deployments
    }

    /// What the list can be sorted by; the first is usual.
    public static let sorts = ["id", "state", "instances", "cpu", "memory", "changed"]

    /// See ``ConsolePage``.
    public var title: String { "Services" }
    /// See ``ConsolePage``.
    public var section: Section? { .services }
    /// See ``ConsolePage``.
    public var topics: Set<Topic> { [.services] }

    /// See ``ConsolePage``.
    public func write(to html: inout HTML) {
        html.filter(
            services.query, hint: "path, image or package",
            choices: [
                (
                    "state", "State",
                    [("", "All states")] + ServiceCondition.allCases.map { ($0.rawValue, $0.rawValue) }
                )
            ])
        html.part("deployments", deployments.isEmpty ? nil : "Deployments under way", count: deployments.count) {
            if !deployments.isEmpty { $0.deployments(deployments) }
        }
        html.part("services") { html in
            if services.rows.isEmpty {
                if services.all == 0 {
                    html.empty("No services yet", "Install a package, or deploy a definition of your own:") { html in
                        html.tag("p") { $0.code("rondo service deploy FILE") }
                        html.tag("p", .class("actions")) { html in
                            html.buttonLink("Open the catalog", Section.catalog.link, .primary)
                        }
                    }
                } else {
                    html.empty("No service is like that", "Change the filter.")
                }
                return
            }
            html.table(
                "Services",
                [
                    .text("Service", sort: "id"), .text("State", sort: "state"),
                    .number("Instances", sort: "instances"), .text("Health"), .number("CPU", sort: "cpu"),
                    .number("Memory", sort: "memory"), .text("Runs"), .text("Changed", sort: "changed"),
                ], services.rows, query: services.query
            ) { cells, row in
                cells.cell { html in
                    html.link(row.id, .service(row.id))
                    if row.isPod { html.chip("pod") }
                    if let package = row.package { html.tag("span", .class("sub"), text: "from " + package) }
                }
                cells.badge(row.condition.tone, row.condition.rawValue)
                cells.cell { $0.text(row.instances) }
                cells.text(row.health)
                cells.cell { $0.text(Numbers.short(row.cpus)) }
                cells.cell { $0.text(Numbers.memory(row.memory)) }
                cells.cell { html in html.tag("span", .class("clip"), .title(row.what)) { $0.textOrDash(row.what) } }
                cells.cell { $0.time(row.changed) }
            }
            html.pager(services, "services")
        }
    }
}

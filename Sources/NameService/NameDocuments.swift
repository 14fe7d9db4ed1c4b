internal import ClusterModel
internal import FoundationEssentials

/// What the HTTP interface of Mesos-DNS says, from the same table as the answers of the DNS.
public enum NameDocuments {
    private struct Host: Encodable {
        var host: String
        var ip: String
    }

    private struct Service: Encodable {
        var service: String
        var host: String
        var ip: String
        var port: String
    }

    private struct Version: Encodable {
        var Service: String
        var Version: String
        var URL: String
    }

    private struct Configuration: Encodable {
        var domain: String
        var ttl: UInt32
        var port = 53
        var dnson = true
        var httpon = true
        var externalon = true
        var IPSources = ["netinfo", "host"]
        var SOARname: String
        var SOAMname: String
        var SOASerial: UInt32
        var EnforceRFC952 = false
        var EnumerationOn = true
    }

    private struct Zone: Encodable {
        struct Records: Encodable {
            var As: [String: [String]] = [:]
            var AAAAs: [String: [String]] = [:]
            var SRVs: [String: [String]] = [:]
        }
        var TTL: UInt32
        var Serial: UInt32
        var RefreshSeconds = 1
        var Mname: String
        var Rname: String
        var Domain: String
        var Records: Records
    }

    private struct Everything: Encodable {
        struct Record: Encodable {
            var name: String
            var host: String
            var rtype: String
        }
        struct Task: Encodable {
            var name: String
            var id: String
            var records: [Record]
        }
        struct Framework: Encodable {
            var tasks: [Task]
            var name: String
        }
        var frameworks: [Framework]
    }

    /// The document at a path below `/mesos_dns`.
    ///
    /// - Parameters:
    ///   - path: such as `/v1/hosts/leader.mesos`.
    ///   - table: the names.
    ///   - version: this program's version.
    /// - Returns: the JSON text; nil where there is no document.
    public static func document(_ path: String, table: NameTable, version: String) -> [UInt8]? {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        guard parts.first == "v1" else { return nil }
        switch (parts.dropFirst().first, parts.count) {
        case ("version", 2): return encode(Version(Service: "Mesos-DNS", Version: version, URL: ""))
        case ("config", 2): return encode(configuration(table))
        case ("enumerate", 2): return encode(everything(table))
        case ("axfr", 2): return encode(zone(table))
        case ("hosts", 3): return parts.last.map { encode(hosts(String($0), table)) }
        case ("services", 3): return parts.last.map { encode(services(String($0), table)) }
        default: return nil
        }
    }

    private static func encode(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(value)).map { Array($0) } ?? Array("null".utf8)
    }

    private static func configuration(_ table: NameTable) -> Configuration {
        Configuration(
            domain: table.domain, ttl: table.lifetime, SOARname: "root.ns.\(table.domain).",
            SOAMname: "ns.\(table.domain).", SOASerial: table.serial)
    }

    /// All records, as for a transfer of the zone of tasks; those of services are in it as well.
    private static func zone(_ table: NameTable) -> Zone {
        var records = Zone.Records()
        for (name, entry) in table.entries {
            for address in entry.addresses {
                if address.isIPv6 {
                    records.AAAAs[name + ".", default: []].append(address.description)
                } else {
                    records.As[name + ".", default: []].append(address.description)
                }
            }
            let services = entry.services.map { "\($0.target).:\($0.port)" }
            if !services.isEmpty { records.SRVs[name + "."] = services }
        }
        return Zone(
            TTL: table.lifetime, Serial: table.serial, Mname: "ns.\(table.domain).", Rname: "root.ns.\(table.domain).",
            Domain: table.domain, Records: records)
    }

    private static func key(_ text: String) -> String? { DomainName(text)?.key }

    /// One empty entry stands for none, as its clients expect.
    private static func hosts(_ name: String, _ table: NameTable) -> [Host] {
        guard let key = key(name), let addresses = table.entry(key)?.addresses, !addresses.isEmpty
        else { return [Host(host: "", ip: "")] }
        return addresses.map { Host(host: key + ".", ip: $0.description) }
    }

    private static func services(_ name: String, _ table: NameTable) -> [Service] {
        var found: [Service] = []
        if let key = key(name), let entry = table.entry(key) {
            for service in entry.services {
                for address in table.entry(service.target)?.addresses ?? [] {
                    found.append(
                        Service(
                            service: key, host: service.target + ".", ip: address.description,
                            port: String(service.port)))
                }
            }
        }
        return found.isEmpty ? [Service(service: "", host: "", ip: "", port: "")] : found
    }

    private static func everything(_ table: NameTable) -> Everything {
        let frameworks = table.listed.sorted { $0.key < $1.key }.map { framework, tasks in
            let tasks = tasks.sorted { $0.key < $1.key }.flatMap { name, instances in
                instances.sorted { $0.key < $1.key }.map { id, records in
                    let sorted = records.sorted { ($0.name, $0.host, $0.kind) < ($1.name, $1.host, $1.kind) }
                    return Everything.Task(
                        name: name, id: id,
                        records: sorted.map { .init(name: $0.name + ".", host: $0.host, rtype: $0.kind) })
                }
            }
            return Everything.Framework(tasks: tasks, name: framework)
        }
        return Everything(frameworks: frameworks)
    }
}

import CatalogService
import FoundationEssentials
import Packages
import ServicesFramework

/// What became of each package of a repository.
struct UniverseReport {
    private struct Row {
        var package: PackageDefinition
        var options = ""
        var template = ""
        var service = ""
    }

    private var tree = PackageTree()
    private var rows: [Row] = []
    private var catalog = PackageCatalog([])
    private var repository = PackageRepository([], source: "universe")
    private var schemaNotes: [String] = []
    private(set) var failures: [String] = []
    private var counts: [String: Int] = [:]

    /// Reads the files below a folder.
    mutating func read(_ directory: String) -> Bool {
        guard let paths = try? FileManager.default.subpathsOfDirectory(atPath: directory) else { return false }
        var found = false
        for path in paths where PackageTree.place(of: path) != nil {
            guard let data = FileManager.default.contents(atPath: directory + "/" + path) else {
                failures.append("\(path): cannot be read")
                continue
            }
            found = true
            if !tree.add(path, Array(data)) { failures.append("\(path): is one too many") }
        }
        return found
    }

    mutating func run() {
        repository = PackageRepository(tree, source: "universe")
        failures += repository.refusals.map(\.description)
        catalog = PackageCatalog([repository])
        for name in catalog.names where !catalog.search(name).contains(where: { $0.name == name }) {
            failures.append("\(name): is not found")
        }
        for number in 0..<repository.count {
            do throws(PackageRefusal) {
                let package = try repository[number]
                describe(package)
                check(package)
            } catch {
                failures.append("\(error)")
            }
        }
    }

    /// What describes a package must be the package; of a version that was published twice, the newer one.
    private mutating func describe(_ package: PackageDefinition) {
        do throws(CatalogError) {
            let found = try catalog.find(package.name, version: package.version).package
            if found.releaseVersion < package.releaseVersion || found.version != package.version {
                failures.append("\(package.name) \(package.version): another one is described")
            }
        } catch {
            failures.append("\(package.name) \(package.version): \(error)")
        }
    }

    private mutating func count(_ what: String) { counts[what, default: 0] += 1 }

    private mutating func check(_ package: PackageDefinition) {
        var row = Row(package: package)
        defer { rows.append(row) }
        count("packages")
        let who = "\(package.name) \(package.version)"
        for note in package.schema?.notes ?? [] { schemaNotes.append("\(who): \(note)") }
        guard package.template != nil else {
            count("without a service")
            (row.options, row.template, row.service) = ("none", "none: a command line only", "none")
            return
        }
        do throws(RenderingError) {
            try finish(package.app(), of: &row)
            row.options = "defaults"
            count("with defaults")
        } catch .optionsMismatch(let violations) where violations.allSatisfy({ !$0.missing.isEmpty }) {
            let missing = violations.flatMap { violation in violation.missing.map { violation.path + "/" + $0 } }
            row.options = "needs " + missing.map { "`\($0)`" }.joined(separator: ", ")
            count("with options that somebody must give")
            do throws(RenderingError) {
                try finish(package.app(with: SampleOptions.options(for: package)), of: &row)
            } catch {
                failures.append("\(who), with samples for \(missing): \(error)")
                row.template = "\(error)"
            }
        } catch {
            failures.append("\(who): \(error)")
            row.template = "\(error)"
        }
    }

    private mutating func finish(_ app: JSONObject, of row: inout Row) {
        let labelled = PackageLabels.decorated(
            app, package: row.package, source: "universe", options: JSONObject())
        row.template = "JSON"
        let finding = AppCheck.look(at: JSON.object(labelled).bytes)
        if finding.defects.isEmpty {
            count("a service that may be deployed")
            row.service = "good"
        } else {
            let words = finding.defects.prefix(3).map { "\($0.path): \($0.message)" }
            row.service = words.joined(separator: "; ") + (finding.defects.count > 3 ? "; …" : "")
        }
        if !finding.strange.isEmpty { row.service += "; unknown " + finding.strange.joined(separator: ", ") }
    }

    var text: String {
        var lines = [
            "| package | version | form | options | template | service |", "| --- | --- | --- | --- | --- | --- |",
        ]
        for row in rows {
            let cells = [
                row.package.name, row.package.version, row.package.packagingVersion.rawValue, row.options, row.template,
                row.service,
            ]
            lines.append("| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |")
        }
        lines += ["", counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ") + "."]
        let lint = CatalogLint.findings(in: repository)
        let rules = Dictionary(grouping: lint) { "\($0.severity.rawValue) \($0.rule.rawValue)" }
        lines += ["", "What `rondo catalog lint` finds: "]
        lines[lines.count - 1] +=
            rules.sorted { $0.key < $1.key }.map { "\($0.value.count) \($0.key)" }
            .joined(separator: ", ") + "."
        if !schemaNotes.isEmpty {
            lines += ["", "What is passed over in schemas:", ""] + schemaNotes.map { "- " + $0 }
        }
        if !failures.isEmpty { lines += ["", "Failures:", ""] + failures.map { "- " + $0 } }
        return lines.joined(separator: "\n")
    }
}

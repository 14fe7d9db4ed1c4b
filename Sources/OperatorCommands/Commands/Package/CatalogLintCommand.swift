internal import Appliance
internal import ArgumentParser
internal import CatalogService

/// `rondo catalog lint`.
struct CatalogLintCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lint", abstract: "Say everything that is wrong with a folder of packages.",
        discussion: """
            Each package is read, its options are filled with their defaults or with samples, its template is shown, and
            the app that comes out is checked as it would be before it is deployed. Ends with 1 when there are errors.

              rondo catalog lint packages
              rondo catalog lint packages --strict --output json
            """)

    @Argument(help: "The folder, in Universe's layout.") var folder: String
    @Flag(help: "Take warnings as errors.") var strict = false
    @Option(help: ArgumentHelp("How findings are written: table or json. (default: table)", valueName: "form"))
    var output = "table"

    func run() throws {
        guard ["table", "json"].contains(output) else { throw ValidationError("there are the forms table and json") }
        let (versions, findings): (Int, [CatalogLint.Finding])
        do { (versions, findings) = try CatalogLint.look(at: folder) } catch let problem as CatalogProblem {
            throw ApplianceError(.failure, problem.message)
        }
        let errors = findings.count { $0.severity == .error }
        if output == "json" {
            let list = findings.map { finding -> JSONValue in
                [
                    "severity": .text(finding.severity.rawValue), "rule": .text(finding.rule.rawValue),
                    "package": .text(finding.package), "version": .text(finding.version), "path": .text(finding.path),
                    "message": .text(finding.message),
                ]
            }
            let document: JSONValue = [
                "versions": .integer(Int64(versions)), "errors": .integer(Int64(errors)),
                "warnings": .integer(Int64(findings.count - errors)), "findings": .list(list),
            ]
            Console.out(String(decoding: try document.encoded(), as: UTF8.self))
        } else {
            for finding in findings {
                let who = [finding.package, finding.version].filter { !$0.isEmpty }.joined(separator: " ")
                let place = [who, finding.path].filter { !$0.isEmpty }.joined(separator: " ")
                Console.out(
                    TextTable.clean(
                        "\(finding.severity.rawValue): \(place): \(finding.message) [\(finding.rule.rawValue)]"))
            }
            Console.note("\(versions) versions of packages, \(errors) errors, \(findings.count - errors) warnings")
        }
        if errors > 0 || (strict && !findings.isEmpty) { throw ExitCode(1) }
    }
}

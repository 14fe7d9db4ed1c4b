internal import ImageStore
internal import Packages
internal import ServicesFramework

/// What is wrong with one package.
struct PackageLint {
    private let package: PackageDefinition
    private(set) var findings: [CatalogLint.Finding] = []

    init(_ package: PackageDefinition) { self.package = package }

    private mutating func note(
        _ severity: CatalogLint.Severity, _ rule: CatalogLint.Rule, _ path: String, _ message: String
    ) {
        findings.append(
            CatalogLint.Finding(
                severity: severity, rule: rule, package: package.name, version: package.version, path: path,
                message: message))
    }

    mutating func lookAtAll() {
        lookAtWords()
        for note in package.schema?.notes ?? [] { self.note(.warning, .schema, "/config", note) }
        lookAtAssets()
        guard package.template != nil else { return }
        render()
    }

    // MARK: - What it says of itself

    /// The fields of a definition in any form.
    private static let fields: Set<String> = [
        "packagingVersion", "name", "version", "releaseVersion", "description", "maintainer", "scm", "website", "tags",
        "selected", "framework", "preInstallNotes", "postInstallNotes", "postUninstallNotes", "licenses",
        "minDcosReleaseVersion", "upgradesFrom", "downgradesTo", "hasKnownIssues", "lastUpdated", "manager", "config",
        "resource", "command", "marathon", "signature",
    ]

    private mutating func lookAtWords() {
        for name in package.json.fields.map(\.name) where !Self.fields.contains(name) {
            note(.warning, .unknown, "/" + name, "is no field of a package")
        }
        if (package.json["maintainer"]?.text ?? "").isEmpty {
            note(.warning, .maintainer, "/maintainer", "nobody is named whom users could ask")
        }
        if (package.json["licenses"]?.list ?? []).isEmpty {
            note(.warning, .licence, "/licenses", "no licence is named")
        }
    }

    // MARK: - Images

    private mutating func lookAtAssets() {
        for (name, image) in package.dockerAssets { look(at: image, "/resource/assets/container/docker/\(name)") }
    }

    private mutating func look(at image: String, _ path: String) {
        do throws(ImageError) {
            _ = try ImageReference(parsing: image)
            let last = image.split(separator: "/").last ?? ""
            if !last.contains(":"), !last.contains("@") {
                note(
                    .error, .image, path, "\(image) has neither tag nor digest, so it is another image from day to day")
            }
        } catch { note(.error, .image, path, error.message) }
    }

    // MARK: - The service

    private mutating func render() {
        do throws(RenderingError) {
            look(at: try package.app())
        } catch .optionsMismatch(let violations) where violations.allSatisfy({ !$0.missing.isEmpty }) {
            for violation in violations {
                for option in violation.missing {
                    note(
                        .warning, .required, "/config",
                        "option \(violation.path)/\(option) must be given; it has no default")
                }
            }
            do throws(RenderingError) {
                look(at: try package.app(with: SampleOptions.options(for: package)))
            } catch { note(.error, .template, "/marathon", "with samples for what must be given: \(error)") }
        } catch .optionsMismatch(let violations) {
            for violation in violations {
                note(.error, .defaults, "/config", "the default does not hold: \(violation)")
            }
        } catch { note(.error, .template, "/marathon", error.description) }
    }

    private mutating func look(at app: JSONObject) {
        let labelled = PackageLabels.decorated(app, package: package, source: "lint", options: JSONObject())
        let finding = AppCheck.look(at: JSON.object(labelled).bytes)
        for defect in finding.defects { note(.error, .app, "/marathon" + defect.path, defect.message) }
        for path in finding.strange { note(.warning, .unknown, "/marathon" + path, "is no field of an app") }
        if finding.defects.isEmpty, !finding.hasHealthChecks {
            note(.warning, .health, "/marathon/healthChecks", "nobody notices when an instance is ill")
        }
        let assets = Set(package.dockerAssets.map(\.image))
        for image in PackageDefinition.images(of: app) where !assets.contains(image) {
            look(at: image, "/marathon/container/docker/image")
            note(
                .warning, .asset, "/marathon/container/docker/image",
                "\(image) is not among resource.assets.container.docker, so it cannot be pinned")
        }
    }
}

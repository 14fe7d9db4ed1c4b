internal import Access
internal import CatalogService
internal import Console
internal import HTTPGateway
internal import HTTPTypes
internal import Packages
internal import ServicesFramework

/// From a package to a service: options, review, and then it is done.
extension ConsoleDesk {
    /// The longest form: options as JSON, or every option of the largest form, with what browsers add.
    private static let optionsLimit = 3 << 20

    func catalogInstall(_ catalog: CatalogService, _ found: PackageCatalog.Found) async throws -> GatewayResponse {
        let package = found.package
        guard package.template != nil else {
            throw GatewayError(.badRequest, "\(package.name) is a command line only; there is no service to install")
        }
        let flow = OptionFlow(
            package: package, purpose: .install, stored: JSONObject(), versions: [],
            action: CatalogLinks.install(package.name, version: package.version))
        guard request.method == .post else { return page(flow.page()) }
        let sent = OptionSending(try await form(upTo: Self.optionsLimit))
        return try await answer(flow, sent, catalog) { options throws(CatalogProblem) in
            try catalog.app(found, options: options, id: sent.serviceID)
        } finish: { options in
            let id = try await catalog.install(found, options: options, id: sent.serviceID, visitor: visitor)
            return redirect(to: CatalogLinks.service(id), notice: .installed)
        }
    }

    func catalogChange(_ catalog: CatalogService, _ service: InstalledPackage) async throws -> GatewayResponse {
        try visitor.require(.installPackage(catalog.role))
        let present = try catalog.definition(of: service)
        guard let stored = service.options else { throw GatewayError(.conflict, "\(service.id) has no options stored") }
        let version = request.query["version"].flatMap { $0 == present.version ? nil : $0 }
        let package: PackageDefinition
        if let version { package = try catalog.find(present.name, version).package } else { package = present }
        let ways = catalog.updates(of: present)
        let flow = OptionFlow(
            package: package, purpose: .change(service.id), stored: stored,
            versions: ways.newer + [present.version] + ways.others,
            action: CatalogLinks.edit(service.id, version: version))
        guard request.method == .post else { return page(flow.page()) }
        let sent = OptionSending(try await form(upTo: Self.optionsLimit))
        return try await answer(flow, sent, catalog) { options throws(CatalogProblem) in
            try catalog.changed(service, to: version, options: options).app
        } finish: { options in
            _ = try await catalog.update(service, to: version, options: options, visitor: visitor)
            return redirect(to: CatalogLinks.service(service.id), notice: .updated)
        }
    }

    /// One step of the way.
    ///
    /// - Parameters:
    ///   - flow: what is on its way.
    ///   - sent: what the form sent.
    ///   - catalog: the catalog.
    ///   - render: makes the app of options.
    ///   - finish: does it.
    /// - Returns: the next page.
    /// - Throws: what the visitor's rights refuse.
    private func answer(
        _ flow: OptionFlow, _ sent: OptionSending, _ catalog: CatalogService,
        render: (JSONObject) throws(CatalogProblem) -> JSONObject,
        finish: (JSONObject) async throws -> GatewayResponse
    ) async throws -> GatewayResponse {
        let reading = flow.reading(sent)
        let isJSON = sent.json != nil
        switch sent.step {
        case .edit: return page(flow.page(sent, reading.faults.isEmpty ? nil : reading))
        case .json where !isJSON:
            // What cannot be read stays where it can be put right.
            guard reading.isReadable else { return page(flow.page(sent, reading), status: .unprocessableContent) }
            return page(flow.page(json: JSON.object(reading.options).indented, sent, reading))
        case .form where isJSON:
            guard reading.isReadable else { return page(flow.page(sent, reading), status: .unprocessableContent) }
            return page(flow.page(form: reading.options, sent, reading))
        case .json, .form, .review, .done: break
        }
        guard reading.faults.isEmpty else { return page(flow.page(sent, reading), status: .unprocessableContent) }
        let app: JSONObject
        do throws(CatalogProblem) { app = try render(reading.options) } catch {
            var wrong = reading
            let details = error.details
            wrong.faults =
                details.isEmpty ? [.init("", error.message)] : details.map { .init("", "\(error.message): \($0)") }
            return page(flow.page(sent, wrong), status: error.status)
        }
        guard sent.step == .done else { return page(review(flow, sent, reading, app, catalog)) }
        do { return try await finish(reading.options) } catch let problem as CatalogProblem {
            var review = review(flow, sent, reading, app, catalog)
            review.problems = problem.details.isEmpty ? [problem.message] : problem.details
            if problem.type == "PackageAlreadyInstalled" {
                review.problems = [
                    "There is a service of this path already. Give this one another name in its options, or another path."
                ]
            }
            return page(review, status: problem.status)
        }
    }

    private func review(
        _ flow: OptionFlow, _ sent: OptionSending, _ reading: OptionFlow.Reading, _ app: JSONObject,
        _ catalog: CatalogService
    ) -> ReviewPage {
        var bare = app
        if let labels = app["labels"]?.object {
            var kept = JSONObject()
            for (name, value) in zip(labels.names, labels.values) where !name.hasPrefix("DCOS_PACKAGE_") {
                kept[name] = value
            }
            bare["labels"] = kept.isEmpty ? nil : .object(kept)
        }
        let preview = node.builtIns?.services?.preview(JSON.object(bare).bytes)
        let rights = [.installPackage(catalog.role)] + (preview?.rights ?? [])
        let image = app["container"]?["docker"]?["image"]?.text
        return ReviewPage(
            options: flow.page(sent, nil), fields: sent.carried, app: bare, asked: flow.shown(reading.options),
            problems: preview?.defects ?? [],
            rights: rights.map { right in
                ReviewPage.Right("\(right.verb) \(right.object)", isHeld: visitor.may(right))
            }, notes: flow.package.preInstallNotes,
            image: image.map { _ in
                "A node that does not have it pulls it from its registry, or from a mirror, before the first instance "
                    + "starts there."
            })
    }
}

/// A package whose options are on their way to a service.
private struct OptionFlow {
    var package: PackageDefinition
    var purpose: OptionsPage.Purpose
    /// What was asked for when it was installed.
    var stored: JSONObject
    var versions: [String]
    var action: Link

    /// What the fields mean.
    struct Reading {
        var options: JSONObject
        var faults: [OptionForm.Fault]
        /// Whether the options are all that was meant, however wrong they may be.
        var isReadable: Bool
    }

    private var schema: OptionSchema { package.schema ?? OptionSchema(JSONObject()) }

    private func form(_ base: JSONObject) -> OptionForm { OptionForm(schema, options: base) }

    func reading(_ sent: OptionSending) -> Reading {
        do throws(OptionForm.Fault) {
            if let json = sent.json {
                let options = try OptionForm.options(json: json)
                let faults =
                    package.schema == nil && !options.isEmpty
                    ? [OptionForm.Fault("", "the package takes no options")] : OptionForm.faults(schema, options)
                return Reading(options: options.differing(from: schema.defaults), faults: faults, isReadable: true)
            }
            let form = form(try sent.base.map(OptionForm.options(json:)) ?? stored)
            let reading = form.reading(sent.inputs(of: form))
            let checked = Set(OptionForm.faults(schema, reading.options))
            return Reading(
                options: reading.options, faults: reading.faults,
                isReadable: reading.faults.allSatisfy(checked.contains))
        } catch {
            return Reading(options: JSONObject(), faults: [error], isReadable: false)
        }
    }

    /// The form at first.
    func page() -> OptionsPage { page(.form(form(stored))) }

    private func page(_ entry: OptionsPage.Entry) -> OptionsPage {
        OptionsPage(
            name: package.name, version: package.version, purpose: purpose, entry: entry, versions: versions,
            action: action)
    }

    /// The same again, with what is wrong.
    func page(_ sent: OptionSending, _ reading: Reading?) -> OptionsPage {
        var result: OptionsPage
        if let json = sent.json {
            result = page(.json(json))
        } else {
            let base = sent.base.flatMap { try? OptionForm.options(json: $0) }
            let form = form(base ?? stored)
            result = page(.form(form))
            result.inputs = sent.inputs(of: form)
            result.base = sent.base
        }
        result.id = sent.id
        result.faults = reading?.faults ?? []
        return result
    }

    func page(json text: String, _ sent: OptionSending, _ reading: Reading) -> OptionsPage {
        var result = page(.json(text))
        result.id = sent.id
        result.faults = reading.faults
        return result
    }

    func page(form options: JSONObject, _ sent: OptionSending, _ reading: Reading) -> OptionsPage {
        var result = page(.form(form(options)))
        result.base = String(decoding: JSON.object(options).bytes, as: UTF8.self)
        result.id = sent.id
        result.faults = reading.faults
        return result
    }

    /// Options for people: without secrets.
    func shown(_ options: JSONObject) -> JSONObject {
        var shown = options
        for field in form(options).fields where field.isSecret && options[field.path] != nil {
            shown.set(.text("(not shown)"), at: field.path)
        }
        return shown
    }
}

/// What a form of options sent.
private struct OptionSending {
    private let parameters: QueryParameters

    init(_ parameters: QueryParameters) { self.parameters = parameters }

    private func text(_ name: String) -> String? { parameters[name] }

    var step: OptionsPage.Step { text(OptionsPage.Name.step).flatMap(OptionsPage.Step.init) ?? .review }
    var json: String? { text(OptionsPage.Name.json) }
    var base: String? { text(OptionsPage.Name.base) }
    var id: String { text(OptionsPage.Name.id) ?? "" }
    var serviceID: String? { id.isEmpty ? nil : id.hasPrefix("/") ? id : "/" + id }

    /// What stands in the inputs. Of a whole form, what is not sent is off.
    func inputs(of form: OptionForm) -> [String: String] {
        var inputs: [String: String] = [:]
        if text(OptionsPage.Name.whole) != nil {
            for field in form.fields where field.kind == .flag { inputs[field.path.pointer] = "false" }
        }
        for item in parameters.items where item.name.hasPrefix(OptionsPage.Name.option + "/") {
            inputs[String(item.name.dropFirst(OptionsPage.Name.option.utf8.count))] = item.value
        }
        return inputs
    }

    /// All fields that the next form sends again.
    var carried: [(name: String, value: String)] {
        parameters.items.filter { $0.name != FormField.token && $0.name != OptionsPage.Name.step }
            .map { ($0.name, $0.value) }
    }
}

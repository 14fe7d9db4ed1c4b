import ClusterModel
import FoundationEssentials
import HTTPGateway
import HTTPTypes
import MesosWire
import NIOCore
import Testing

/// Secrets of tasks, from a framework's call to the agent's event.
@Suite struct TaskSecretTests {
    private func web(_ master: SecuredMaster) async throws -> (HTTPFields, FrameworkInfo) {
        let credential = try await master.user("web", roles: ["user:web"])
        var info = FrameworkInfo.named("web")
        info.roles = [RoleName("web")]
        info.capabilities = [.multiRole]
        return (credential, info)
    }

    private func values(_ launch: TaskLaunch) -> [String] {
        (launch.secrets ?? []).map { String(decoding: Data(base64Encoded: $0) ?? Data(), as: UTF8.self) }
    }

    private func task(_ name: String, on offer: Offer, _ secrets: [TaskSecret], files: [SecretFile]? = nil) -> TaskInfo
    {
        var task = TaskInfo.sleeping(name, on: offer)
        task.command?.environment = [CommandInfo.Variable(name: "PLAIN", value: "p")]
        for (index, secret) in secrets.enumerated() {
            task.command?.environment.append(CommandInfo.Variable(name: "S\(index)", secret: secret))
        }
        task.secretFiles = files
        return task
    }

    @Test(arguments: [MediaType.json, .protobuf])
    func `values reach the agent and nobody else`(media: MediaType) async throws {
        try await SecuredMaster.with { master in
            let (stored, sent, file) = ("stored-hunter2", "sent-hunter2", "file-hunter2")
            #expect(try await master.put("web/password", stored) == 201)
            #expect(try await master.put("web/file", file) == 201)
            let (credential, info) = try await web(master)
            var agent = try await master.agent()
            var framework = try await FakeFramework.subscribe(
                to: master.fixture, info, as: media, headers: credential)
            let offer = try #require(try await framework.offers().first)
            let wanted = task(
                "t", on: offer, [TaskSecret(name: "web/password"), TaskSecret(value: Array(sent.utf8))],
                files: [SecretFile(path: "conf/key", secret: TaskSecret(name: "web/file"))])
            try await framework.send(
                .accept(offers: [offer.id], operations: [.launch([wanted])], filters: .standard))
            let launch = try await agent.launch()
            #expect(values(launch) == [stored, sent, file])
            #expect(
                launch.task.secrets == [
                    TaskSecret(name: "web/password"), launch.task.secrets[1], TaskSecret(name: "web/file"),
                ])
            #expect(launch.task.secrets[1].name == nil && launch.task.secrets[1].value == nil)
            _ = try await agent.report(launch, .running)
            for path in ["/state", "/tasks", "/rondo/v1/tasks/t", "/metrics", "/slaves", "/frameworks"] {
                let shown = try await master.fixture.get(path, headers: master.administrator)
                #expect(shown.status == .ok, "\(path)")
                #expect(!String(buffer: shown.bytes).contains("hunter2"), "\(path)")
            }
            let state = try await master.fixture.json("/state", headers: master.administrator)
            let shown = "frameworks.0.tasks.0.command.environment.variables.1"
            #expect(state[shown + ".type"]?.text == "SECRET")
            #expect(state[shown + ".secret.reference.name"]?.text == "web/password")
            #expect(state["frameworks.0.tasks.0.container.volumes.0.container_path"]?.text == "conf/key")
            let kept = try master.kept()
            #expect(!kept.contains("hunter2"))
        }
    }

    @Test func `a task whose secret it may not have is an error, and the others go on`() async throws {
        try await SecuredMaster.with { master in
            #expect(try await master.put("other/password", "hunter2") == 201)
            #expect(try await master.put("web/password", "w") == 201)
            let bytes = try await master.secret(
                .put, "web/bytes", [1, 0, 2], type: "application/octet-stream")
            #expect(bytes.status == .created)
            let (credential, info) = try await web(master)
            var agent = try await master.agent()
            var framework = try await FakeFramework.subscribe(to: master.fixture, info, headers: credential)
            let offer = try #require(try await framework.offers().first)
            let long = [UInt8](repeating: 65, count: 140_000)
            let refused: [(TaskInfo, String)] = [
                (task("foreign", on: offer, [TaskSecret(name: "other/password")]), "secret.read:other/password"),
                (task("missing", on: offer, [TaskSecret(name: "web/none")]), "there is no secret web/none"),
                (task("bytes", on: offer, [TaskSecret(name: "web/bytes")]), "is not text"),
                (task("long", on: offer, [TaskSecret(value: long)]), "longer than"),
                (
                    task(
                        "much", on: offer, [],
                        files: [
                            SecretFile(path: "a", secret: TaskSecret(value: long)),
                            SecretFile(path: "b", secret: TaskSecret(value: long)),
                        ]), "more than 262144 bytes"
                ),
            ]
            let good = task("good", on: offer, [TaskSecret(name: "web/password")])
            try await framework.send(
                .accept(
                    offers: [offer.id], operations: [.launch(refused.map(\.0) + [good, good])], filters: .standard))
            for (task, words) in refused {
                let status = try await framework.update()
                #expect(status.taskID == task.taskID)
                #expect(status.state == .error)
                #expect(status.message?.contains(words) == true, "\(status.message ?? "")")
                #expect(status.message?.contains("hunter2") == false)
            }
            let launch = try await agent.launch()
            #expect(launch.task.taskID == good.taskID)
            #expect(values(launch) == ["w"])
        }
    }

    @Test func `the agent gets the credential for the registry of a task's image, and nobody else any`() async throws {
        try await SecuredMaster.with { master in
            func config(_ registry: String, _ password: String) -> String {
                let pair = Data("robot:\(password)".utf8).base64EncodedString()
                return #"{"auths":{"\#(registry)":{"auth":"\#(pair)"}}}"#
            }
            let (kept, own) = ("kept-pencil", "own-pencil")
            #expect(try await master.put("registries/r.example.org_5000", config("r.example.org:5000", kept)) == 201)
            #expect(try await master.put("registries/docker.io", config("https://index.docker.io/v1/", kept)) == 201)
            #expect(try await master.put("web/pull", config("r.example.org:5000", own)) == 201)
            #expect(try await master.put("web/wrong", "pencil") == 201)
            #expect(try await master.put("other/pull", config("r.example.org:5000", own)) == 201)
            let (credential, info) = try await web(master)
            var agent = try await master.agent()
            var framework = try await FakeFramework.subscribe(to: master.fixture, info, headers: credential)
            let offer = try #require(try await framework.offers().first)
            func task(_ name: String, _ image: String, _ secret: TaskSecret? = nil) -> TaskInfo {
                var task = TaskInfo.sleeping(name, on: offer)
                task.container = ContainerInfo(kind: .mesos, image: image)
                task.container?.pullSecret = secret
                return task
            }
            let tasks = [
                task("kept", "r.example.org:5000/a/b:1"), task("hub", "nginx"), task("open", "other.example.org/a"),
                task("own", "r.example.org:5000/a/b:1", TaskSecret(name: "web/pull")),
                task("sent", "x.io/a", TaskSecret(value: Array(config("x.io", own).utf8))),
                task("none", "r.example.org:5000/a", TaskSecret(value: Array(config("x.io", own).utf8))),
                task("wrong", "x.io/a", TaskSecret(name: "web/wrong")),
                task("foreign", "x.io/a", TaskSecret(name: "other/pull")),
            ]
            try await framework.send(
                .accept(offers: [offer.id], operations: [.launch(tasks)], filters: .standard))
            var shown: [String: String] = [:]
            for _ in 0..<6 {
                let launch = try await agent.launch()
                let data = launch.registryCredential.flatMap { Data(base64Encoded: $0) } ?? Data()
                shown[launch.task.taskID.value] = String(decoding: data, as: UTF8.self)
                #expect(launch.task.container?.pullSecret?.value == nil)
            }
            #expect(
                shown == [
                    "kept": "robot:" + kept, "hub": "robot:" + kept, "open": "", "own": "robot:" + own,
                    "sent": "robot:" + own, "none": "",
                ])
            var errors: [String] = []
            for _ in 0..<2 { errors.append(try await framework.update().message ?? "") }
            #expect(errors.contains { $0.contains("secret web/wrong is not of the form of docker's config.json") })
            #expect(errors.contains { $0.contains("secret.read:other/pull") })
            for path in ["/state", "/tasks", "/rondo/v1/tasks/own"] {
                let shown = try await master.fixture.get(path, headers: master.administrator)
                #expect(shown.status == .ok && !String(buffer: shown.bytes).contains("pencil"), "\(path)")
            }
            #expect(!(try master.kept()).contains("pencil"))
        }
    }

    @Test(arguments: [
        (#"{"name":"S","type":"SECRET"}"#, "secret"),
        (#"{"name":"S","type":"SECRET","secret":{}}"#, "type"),
        (#"{"name":"S","type":"SECRET","secret":{"type":"REFERENCE"}}"#, "reference"),
        (#"{"name":"S","type":"SECRET","secret":{"type":"REFERENCE","reference":{"name":"../x"}}}"#, "name"),
        (#"{"name":"S","type":"SECRET","secret":{"type":"REFERENCE","reference":{"name":"x","key":"k"}}}"#, "key"),
        (#"{"name":"A=B","type":"SECRET","secret":{"type":"VALUE","value":{"data":"aGk="}}}"#, "name"),
    ])
    func `a variable that is no secret makes the task an error`(variable: String, field: String) throws {
        let read = try read(#""command":{"environment":{"variables":["# + variable + "]}}")
        #expect(read.defect?.contains(field) == true, "\(read.defect ?? "none")")
        #expect(read.defect?.contains("command.environment.variables[0]") == true)
    }

    @Test(arguments: ["/etc/passwd", "../x", "a/../b", "a//b", "", "a/", "./a", "a/\\u0000"])
    func `a volume that leads out of the work directory makes the task an error`(path: String) throws {
        let volume =
            #"{"container_path":"\#(path)","mode":"RO","source":{"type":"SECRET","secret":"#
            + #"{"type":"REFERENCE","reference":{"name":"a/b"}}}}"#
        let read = try read(#""command":{},"container":{"type":"MESOS","volumes":["# + volume + "]}")
        #expect(read.defect?.contains("container.volumes[0].container_path") == true, "\(read.defect ?? "none")")
    }

    @Test func `a container has secrets in files, beside an image or without one`() throws {
        let source = #"{"type":"SECRET","secret":{"type":"REFERENCE","reference":{"name":"/a/b"}}}"#
        let volume = #"{"container_path":"p","mode":"RO","source":\#(source)}"#
        for (container, image) in [
            (#"{"type":"MESOS","volumes":[\#(volume)]}"#, nil),
            (#"{"type":"DOCKER","docker":{"image":"i"},"volumes":[\#(volume)]}"#, "i"),
        ] {
            let task = try read(#""command":{},"container":"# + container)
            #expect(task.secretFiles == [SecretFile(path: "p", secret: TaskSecret(name: "a/b"))])
            #expect(task.unsupported.isEmpty && task.defect == nil && task.container?.image == image)
        }
        for container in [
            #"{"type":"MESOS","volumes":[\#(volume),{"container_path":"p","host_path":"/etc","mode":"RW"}]}"#,
            #"{"type":"MESOS","network_infos":[{}]}"#,
        ] {
            let task = try read(#""command":{},"container":"# + container)
            #expect(task.container?.defect?.contains("name an image") == true)
        }
    }

    private func read(_ fields: String) throws -> TaskInfo {
        let text = #"{"name":"t","task_id":{"value":"t"},"agent_id":{"value":"a"},\#(fields)}"#
        return TaskInfo(try WireCodec.decode(WireTaskInfo.self, from: Array(text.utf8), as: .json))
    }
}

import Appliance
import ArgumentParser
import Testing

@testable import OperatorCommands

/// What `rondo service` sends, and how it shows what comes back.
struct ServiceCommandTests {
    private func text(_ value: JSONValue) throws -> String { String(decoding: try value.encoded(), as: UTF8.self) }

    private func body(_ words: [String]) throws -> String {
        let command = try #require(try RondoCommand.parseAsRoot(["service", "run"] + words) as? ServiceRun)
        return try text(command.body())
    }

    @Test func `an image alone is a service of its name`() throws {
        #expect(
            try body(["registry.example.org:5000/web/Shop_a:3"])
                == #"{"container":{"docker":{"image":"registry.example.org:5000/web/Shop_a:3"},"type":"DOCKER"},"cpus":0.1,"#
                + #""disk":0,"id":"/shop-a","instances":1,"mem":64}"#)
    }

    @Test func `every option has its place in the app`() throws {
        let found = try body([
            "web:3", "--name", "shop/web", "--instances", "3", "--cpus", "0.5", "--mem", "128", "--publish", "8080:80",
            "--publish", "53/udp", "--env", "A=b=c", "--volume", "/srv:/data:ro", "--label", "k=v", "--constraint",
            "hostname:unique", "--constraint", "rack:LIKE:a.*:b", "--health-http", "/health", "--isolation",
            "container",
            "--user", "web", "--", "--all",
        ])
        let wanted =
            #"{"args":["--all"],"constraints":[["hostname","UNIQUE"],["rack","LIKE","a.*:b"]],"container":{"docker":"#
            + #"{"image":"web:3"},"portMappings":[{"containerPort":80,"hostPort":8080,"protocol":"tcp"},"#
            + #"{"containerPort":53,"hostPort":0,"protocol":"udp"}],"type":"DOCKER","volumes":[{"containerPath":"/data","#
            + #""hostPath":"/srv","mode":"RO"}]},"cpus":0.5,"disk":0,"env":{"A":"b=c"},"healthChecks":["#
            + #"{"gracePeriodSeconds":60,"intervalSeconds":5,"maxConsecutiveFailures":3,"path":"/health","portIndex":0,"#
            + #""protocol":"MESOS_HTTP","timeoutSeconds":5}],"id":"/shop/web","instances":3,"isolation":"container","#
            + #""labels":{"k":"v"},"mem":128,"networks":[{"mode":"container/bridge"}],"user":"web"}"#
        #expect(found == wanted)
    }

    @Test func `a command without an image has ports of its node`() throws {
        let found = try body(["--name", "a", "--cmd", "serve", "--publish", "8080", "--publish", "53/udp"])
        #expect(
            found.contains(
                #""portDefinitions":[{"port":8080,"protocol":"tcp"},{"port":53,"protocol":"udp"}],"requirePorts":true"#)
        )
        #expect(throws: (any Error).self) { try body(["--name", "a", "--cmd", "serve", "--publish", "80:8080"]) }
    }

    @Test func `a change keeps what is not said`() throws {
        let present = try JSONValue(
            parsing: Array(
                #"{"env":{"A":"1","B":"2"},"container":{"type":"MESOS","docker":{"image":"web:3","forcePullImage":true}}}"#
                    .utf8))
        let command = try #require(
            try RondoCommand.parseAsRoot(["service", "update", "web", "--image", "web:4", "--env", "B=3"])
                as? ServiceUpdate)
        let change = try command.options.apply(to: present, image: command.image, arguments: command.arguments)
        #expect(
            try text(.object(change))
                == #"{"container":{"docker":{"forcePullImage":true,"image":"web:4"},"type":"MESOS"},"env":{"A":"1","B":"3"}}"#
        )
    }

    @Test(
        arguments: [
            [], ["--cmd", "true"], ["a", "--cmd", "b", "--", "c"], ["--name", "a", "--", "c"], ["a", "--publish", "x"],
            ["a", "--publish", "1:2:3"], ["a", "--publish", "0"], ["a", "--publish", "80/icmp"],
            ["a", "--volume", "b:c"],
            ["a", "--env", "b"], ["a", "--constraint", "b"], ["a", "--health-http", "health"],
            ["a", "--health-http", "x/health"], ["a", "--health-http", "/", "--health-cmd", "true"],
        ])
    func `what cannot be a service is refused before anything is sent`(words: [String]) throws {
        #expect(throws: (any Error).self) { try body(words) }
    }

    @Test func `a file is an app, a list of apps or a group`() throws {
        func order(_ yaml: String) throws -> ServiceDeploy.Order {
            try ServiceDeploy.order(DescriptionFile.value(Array(yaml.utf8)), "file")
        }
        let app = try order("id: shop/web\ncmd: sleep 1")
        #expect(app.path == "/v2/apps/shop/web")
        #expect(app.names == ["/shop/web"])
        let list = try order("[{id: /a, cmd: x}, {id: b, cmd: y}]")
        #expect(list.path == "/v2/apps")
        #expect(list.names == ["/a", "/b"])
        let group = try order(
            "id: /shop\napps: [{id: web}, {id: /shop/db}]\ngroups: [{id: inner, apps: [{id: deep}]}]")
        #expect(group.path == "/v2/groups/shop")
        #expect(group.names == ["/shop/web", "/shop/db", "/shop/inner/deep"])
        for wrong in ["cmd: x", "[{cmd: x}]", "just text", "apps: [{id: a, cmd: x}]"] {
            #expect(throws: ApplianceError.self) { try order(wrong) }
        }
    }

    private static let app = #"""
        {"id":"/shop/web","instances":3,"cpus":0.5,"mem":64,"disk":0,"container":{"type":"MESOS","docker":{"image":"web:3"},
        "portMappings":[{"containerPort":80,"hostPort":0}]},"healthChecks":[{"protocol":"TCP"}],"cmd":null,"args":null,
        "version":"2026-11-23T10:00:00.000Z","tasksStaged":1,"tasksRunning":2,"tasksHealthy":1,"tasksUnhealthy":1,
        "deployments":[],"labels":{"k":"v"},"lastTaskFailure":{"timestamp":"2026-11-23T09:00:00.000Z","host":"n1",
        "message":"exit 3","state":"TASK_FAILED","taskId":"x"},
        "tasks":[{"id":"shop_web.instance-4f1c2d3e-aa.web.1","host":"n1","state":"TASK_RUNNING","ports":[31000],
        "startedAt":"2026-11-23T10:00:01.000Z","ipAddresses":[{"ipAddress":"10.0.0.2"}],
        "healthCheckResults":[{"alive":true}]}]}
        """#

    @Test func `services as people see them`() throws {
        let app = try JSONValueDecoding.decode(ServiceDocument.self, Self.app)
        #expect(
            ServiceList.table([app]) == """
                SERVICE    RUNNING  HEALTH            STATE    CPUS  MEM  RUNS   VERSION
                /shop/web      2/3  1 healthy, 1 ill  waiting   0.5   64  web:3  2026-11-23T10:00:00Z
                """)
        #expect(
            ServiceInspect.details(app, ["2026-11-23T10:00:00.000Z", "2026-11-22T10:00:00.000Z"]) == """
                service       /shop/web
                state         waiting
                instances     2 of 3 running
                health        1 healthy, 1 ill
                image         web:3
                resources     cpus 0.5, mem 64
                ports         any:80
                label         k=v
                last failure  2026-11-23T09:00:00Z on n1 exit 3
                version       2026-11-23T10:00:00.000Z
                earlier       2026-11-22T10:00:00.000Z

                INSTANCE                             STATE    HEALTH   NODE  ADDRESS   PORTS  SINCE
                shop_web.instance-4f1c2d3e-aa.web.1  running  healthy  n1    10.0.0.2  31000  2026-11-23T10:00:01Z
                """)
    }

    @Test func `what a deployment waits for, and why`() throws {
        let deployment = try JSONValueDecoding.decode(
            DeploymentDocument.self,
            #"{"id":"d","currentStep":1,"totalSteps":2,"currentActions":[{"action":"ScaleApplication","app":"/web"}]}"#)
        func queue(_ seconds: Int, _ overdue: Bool) throws -> LaunchQueueDocument.Item {
            try JSONValueDecoding.decode(
                LaunchQueueDocument.Item.self,
                #"{"app":{"id":"/web"},"count":2,"delay":{"timeLeftSeconds":\#(seconds),"overdue":\#(overdue)},"#
                    + #""processedOffersSummary":{"rejectSummaryLastOffers":[{"reason":"InsufficientCpus","declined":3,"#
                    + #""processed":4},{"reason":"InsufficientMemory","declined":0,"processed":1}]}}"#)
        }
        var action = deployment.currentActions[0]
        #expect(DeploymentWatch.text(action, of: deployment, nil) == "step 1 of 2: is scaled")
        action.waitsFor = "1 of 3 instances are healthy"
        #expect(
            DeploymentWatch.text(action, of: deployment, try queue(0, true))
                == "step 1 of 2: is scaled, 1 of 3 instances are healthy; 2 to launch, no offer fits: "
                + "insufficient cpus (3 of 4)")
        #expect(
            DeploymentWatch.text(action, of: deployment, try queue(9, false)).hasSuffix(
                "2 to launch, held back because instances failed"))
    }

    @Test func `lines of several instances do not mix`() {
        var lines = PrefixedLines("a | ")
        #expect(lines.take(Array("one\ntw".utf8)) == Array("a | one\n".utf8))
        #expect(lines.take(Array("o\n".utf8)) == Array("a | two\n".utf8))
        #expect(lines.take(Array("rest".utf8)) == [])
        #expect(lines.rest() == Array("a | rest\n".utf8))
        #expect(lines.rest() == [])
        var plain = PrefixedLines("")
        #expect(plain.take([1, 2]) == [1, 2])
        #expect(ServiceLog.short("shop_web.instance-4f1c2d3e-aaaa.web.1") == "4f1c2d3e")
        #expect(ServiceLog.short("web.4f1c2d3eaa") == "4f1c2d3e")
    }
}

import ArgumentParser
import Testing

@testable import OperatorCommands

struct CommandLineTests {
    /// The command lines of the documentation.
    static let good = [
        "dev", "dev --agents 3 --listen 127.0.0.1:6000", "dev --resources cpus:8;mem:4096;ports:[31000-31999]",
        "cluster init", "cluster init --foreground", "cluster start", "cluster start --data /srv/rondo",
        "cluster init --role combined --advertise 10.0.0.1 --data /srv/rondo --plain-listen 127.0.0.1:5055 --plain-insecure",
        "cluster init --role master --name laboratory --master-port 6050 --unreachable-after 75s",
        "cluster join 10.0.0.1:5050 --token join.a.b --data /srv/rondo --advertise 10.0.0.2 --gossip-port 7950 --seed 10.0.0.9:7946",
        "cluster join --behind-nat", "cluster join --no-behind-nat",
        "cluster join", "cluster join 10.0.0.1 --token t --attributes rack:a;disk:ssd --region north --zone n1",
        "cluster status", "cluster status --output json --data /srv/rondo", "cluster leave",
        "cluster leave --purge --data /srv/rondo", "cluster leave --force",
        "cluster token create --expires 30m --uses 3", "cluster token list", "cluster token revoke 3f2a",
        "run -- echo hello", "run --instances 3 --cpus 0.5 --mem 64 -- sh -c work",
        "run --attribute rack:a --attribute disk:ssd --env A=b --env C=d --uri /srv/file -- ./work",
        "run --role analytics --output json --timeout 10m -- make", "run --master 127.0.0.1:6000 -- true",
        "run --master unix:/run/rondo/rondo.sock --name work --user nobody --ports 2 --disk 5 -- true -x --y",
        "task list", "task list --all", "task list -a --framework f-1 --output json", "task list --state running",
        "task inspect web.1", "task inspect f-1/web.1", "task log web.1", "task log -f web.1",
        "task log --follow --stderr a",
        "task kill web.1", "node list", "node list --output json", "node inspect agent1", "framework list",
        "framework list --all", "framework inspect f-1", "framework teardown f-1", "role list", "why web.1", "why f-1",
        "service run nginx --publish 8080:80 --health-http / --instances 3", "service deploy shop.yaml --detach",
        "service run --name clock --cmd date", "service run tools:3 --name import -- --all --verbose",
        "service list", "service list --output json", "service inspect web", "service scale web 5",
        "service scale web 0 -d",
        "service update web --image registry.example.org/web:4 --env STAGE=live --mem 256",
        "service restart web --force",
        "service rollback web", "service rollback web 2026-11-23T10:20:30.400Z", "service log -f web",
        "service log web --stderr 4f1c", "service rm web", "service deploy -",
        "job list", "job list --output json", "job add backup.yaml", "job add --replace - --master 127.0.0.1:6000",
        "job add night.backup --cron 0_2_*_*_* --timezone Europe/Berlin -- tar cf /backup/etc.tar /etc",
        "job add report --cpus 2 --mem 512 --cmd date --env A=b --env C=d --restart --user nobody --disk 1",
        "job add import --image registry.example.org/tools:3 -- /bin/import --all", "job run night.backup",
        "job run -d night.backup", "job show night.backup", "job inspect night.backup", "job history night.backup",
        "job log -f night.backup", "job log night.backup 20261123020000AbCdE --stderr", "job stop night.backup",
        "job stop night.backup 20261123020000AbCdE", "job schedule night.backup --cron x --no-overlap --deadline 60",
        "job schedule night.backup --disable", "job schedule night.backup --rm", "job rm night.backup --force",
        "config", "config --config /srv/config.yaml --output json", "completions bash", "completions fish",
    ]

    @Test(arguments: good)
    func `every documented command line is understood`(line: String) throws {
        _ = try RondoCommand.parseAsRoot(line.split(separator: " ").map(String.init))
    }

    static let bad = [
        "nothing", "dev --agents", "dev extra", "dev --agent 3", "cluster", "cluster begin", "cluster join a b",
        "cluster token", "cluster token create --uses many", "cluster token revoke", "run echo hello",
        "run --cpu 1 -- true",
        "run --instances", "task", "task log", "task kill", "task kill a b", "task list --al", "node inspect",
        "service", "service scale web", "service scale web many",
        "service run a --instances many", "service log", "job", "job run", "job run a b",
        "job add", "job add x --cpus many", "job schedule x --rm --enable", "job schedule x --enable --disable",
        "framework teardown", "role", "why", "why a b", "completions", "config extra", "--nonsense",
    ]

    @Test(arguments: bad)
    func `a wrong command line ends with code 64, or shows help`(line: String) throws {
        do {
            var command = try RondoCommand.parseAsRoot(line.split(separator: " ").map(String.init))
            // A group without a subcommand prints its help.
            #expect(throws: (any Error).self) { try command.run() }
        } catch {
            #expect(RondoCommand.exitCode(for: error).rawValue == 64, "\(RondoCommand.fullMessage(for: error))")
        }
    }

    /// The command line and a word of the message.
    static let refused: [(String, String)] = [
        ("run", "no command"), ("run --instances 0 -- true", "--instances"), ("run --cpus none -- true", "--cpus"),
        ("run --attribute rack -- true", "--attribute"), ("run --attribute :a -- true", "--attribute"),
        ("run --env A -- true", "--env"), ("run --env =b -- true", "--env"), ("run --name a/b -- true", "--name"),
        ("run --role a/../b -- true", "--role"), ("run --timeout 5 -- true", "--timeout"),
        ("run --ports -1 -- true", "--ports"), ("run --master here -- true", "--master"),
    ]

    @Test(arguments: refused)
    func `what run cannot do is refused before anything starts`(line: String, word: String) throws {
        var message = ""
        do {
            let parsed = try RondoCommand.parseAsRoot(line.split(separator: " ").map(String.init))
            let run = try #require(parsed as? RunCommand)
            _ = try run.order(try run.settings())
        } catch { message = RondoCommand.fullMessage(for: error) }
        #expect(message.contains(word), "\(message)")
    }

    @Test func `run understands all its options`() throws {
        let line =
            "run --instances 2 --cpus 0.5 --mem 64 --disk 7 --ports 3 --role r --name n --attribute k:v:w"
            + " --env A=b=c --uri /u --user nobody -- cmd --instances 9"
        let run = try #require(
            try RondoCommand.parseAsRoot(line.split(separator: " ").map(String.init)) as? RunCommand)
        let order = try run.order(try run.settings())
        var expected = RunOrder(name: "n", command: ["cmd", "--instances", "9"])
        (expected.instances, expected.cpus, expected.memory, expected.disk) = (2, 0.5, 64, 7)
        (expected.ports, expected.role, expected.user, expected.uris) = (3, "r", "nobody", ["/u"])
        expected.constraints = [RunOrder.Constraint("k:v:w")!]
        expected.environment = [("A", "b=c")]
        #expect(order == expected)
    }

    @Test func `the name cluster in front stands for the subcommand`() {
        #expect(CommandLineWords.normalized(["/usr/local/bin/cluster", "init"]) == ["cluster", "init"])
        #expect(CommandLineWords.normalized(["cluster", "--version"]) == ["--version"])
        #expect(CommandLineWords.normalized(["./rondo", "cluster", "init"]) == ["cluster", "init"])
        #expect(CommandLineWords.normalized(["rondo"]) == [])
        #expect(CommandLineWords.normalized([]) == [])
    }

    @Test(arguments: ["bash", "zsh", "fish"])
    func `completions name every command`(shell: String) throws {
        let script = RondoCommand.completionScript(for: .init(rawValue: shell)!)
        for word in ["dev", "cluster", "framework", "completions"] { #expect(script.contains(word)) }
    }

    @Test func `paths escape what names may hold`() {
        #expect(PathText.escaped("a b/ü?") == "a%20b%2F%C3%BC%3F")
        #expect(PathText.taskPath("f-1/a/b") == "f-1/a%2Fb")
        #expect(PathText.taskPath("web.1") == "web.1")
    }
}

internal import Appliance
internal import ArgumentParser

/// The root of the command line.
struct RondoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rondo",
        abstract: "A small cluster: offers of resources to frameworks, real processes under real limits.",
        discussion: """
            Begin with a cluster on this machine:

              rondo dev --agents 2          a master and two agents, until Ctrl-C
              rondo run -- echo hello       run something on it

            or with a real one:

              rondo cluster init            on the first machine; prints what to type on the others
              rondo cluster join …          on every other machine

            Containers without a cluster, in runc's place:

              rondo doctor                  what this machine can do, and what it lacks
              rondo oci --help              the container runtime, for engines and by hand

            Every option has a key in /etc/rondo/config.yaml and an environment variable: `rondo config` lists them.

            EXIT CODES: \(Appliance.ExitCode.allCases.map { "\($0.rawValue) \($0.summary)" }.joined(separator: "; ")). \
            `rondo run` ends with the code of its tasks.
            """,
        version: Program.version,
        subcommands: [
            DevCommand.self, ClusterCommand.self, RunCommand.self, ServiceCommand.self, JobCommand.self,
            PackageCommand.self, CatalogCommand.self, TaskCommand.self, NodeCommand.self, FrameworkCommand.self,
            RoleCommand.self, SecretCommand.self, WhyCommand.self, LoginCommand.self, ContextCommand.self,
            UserCommand.self, AuditCommand.self, KeysCommand.self, ConfigCommand.self,
            DoctorCommand.self, ImageCommand.self, CompletionsCommand.self,
        ])
}

/// `rondo completions`.
struct CompletionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completions",
        abstract: "Print a shell's completion script.",
        discussion: """
            rondo completions bash > /etc/bash_completion.d/rondo
            rondo completions zsh > ~/.zfunc/_rondo
            rondo completions fish > ~/.config/fish/completions/rondo.fish
            """)

    @Argument(help: "bash, zsh or fish.") var shell: String

    func run() throws {
        guard let shell = CompletionShell(rawValue: shell) else {
            throw ValidationError("there are completions for bash, zsh and fish, not for '\(self.shell)'")
        }
        Console.out(RondoCommand.completionScript(for: shell))
    }
}

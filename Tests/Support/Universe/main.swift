// Runs a whole repository in Universe's layout through what the catalog does with it, and prints what came of it as a
// table in Markdown.
//
//     universe-report DIRECTORY
//
// Every package is read, checked, searched for, described and, with its default options, made a service of, whose
// definition is then read and checked as Marathon's API would. Ends with 1 when a package cannot be read, is not found,
// or becomes neither a service nor a list of options that somebody must give.
import Glibc
import Packages

guard CommandLine.arguments.count == 2 else {
    print("usage: universe-report DIRECTORY")
    exit(64)
}
var report = UniverseReport()
guard report.read(CommandLine.arguments[1]) else {
    print("\(CommandLine.arguments[1]) has no folder packages/ that could be read")
    exit(66)
}
report.run()
print(report.text)
exit(report.failures.isEmpty ? 0 : 1)

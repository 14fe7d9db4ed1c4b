/// Stands in for a function of the Swift runtime that ends the process when there is no `/proc`.
///
/// Before `main`, the runtime looks for its crash reporter beside the program, by way of `/proc/self/exe`, and aborts
/// where that cannot be read: in an empty root, and in a container that is still being made. There is no reporter in one
/// file anyway. The linker puts this in its place (`--wrap`); it runs before anything of Swift is set up, so it may only
/// return.
@_cdecl("__wrap_swift_copyAuxiliaryExecutablePath")
public func noAuxiliaryExecutable(_ name: UnsafePointer<CChar>) -> UnsafeMutablePointer<CChar>? { nil }

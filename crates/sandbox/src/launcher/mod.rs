//! The privileged process.

/// Becomes the launcher: never returns. For main, when the first argument is [`crate::LAUNCHER_ARGUMENT`].
pub fn launcher_main() -> ! {
    std::process::exit(1)
}

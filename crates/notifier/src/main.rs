//! The notifier alone.

fn main() -> std::process::ExitCode {
    souk_service::main::<souk_notifier::Notifier>()
}

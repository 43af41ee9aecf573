//! Analytics alone.

fn main() -> std::process::ExitCode {
    souk_service::main::<souk_analytics::Analytics>()
}

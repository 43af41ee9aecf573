//! The gateway alone.

fn main() -> std::process::ExitCode {
    souk_service::main::<souk_gateway::Gateway>()
}

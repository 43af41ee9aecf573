//! Accounts alone, as in its image.

fn main() -> std::process::ExitCode {
    souk_service::main::<souk_accounts::Accounts>()
}

//! The catalogue alone.

fn main() -> std::process::ExitCode {
    souk_service::main::<souk_catalog::Catalog>()
}

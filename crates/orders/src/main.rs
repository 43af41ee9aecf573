//! The service `orders` alone.

fn main() -> std::process::ExitCode {
    souk_service::main::<souk_orders::Orders>()
}

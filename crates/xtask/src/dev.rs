//! `cargo xtask dev`: the whole of Souk on its production back ends, on this machine.

use std::fs;

use anyhow::Result;
use clap::Args;

use crate::process;
use crate::servers::{Postgres, Servers};
use crate::tidy::layers::SERVICES;
use crate::workspace::{cargo, root, target};

#[derive(Args)]
pub(crate) struct Options {
    /// Words for `souk serve`, for example `-- --listen 127.0.0.1:9000`
    #[arg(last = true)]
    extra: Vec<String>,
}

/// `cargo xtask dev`
pub(crate) fn run(options: &Options) -> Result<()> {
    process::run(cargo().args(["build", "--bin", "souk"]))?;
    let servers = Servers::start()?;
    let postgres = servers.postgres();
    for service in services() {
        create_database(postgres, &format!("souk_{service}"))?;
    }
    let bus = servers.get("SOUK_TEST_RABBITMQ_URL")?;
    let cache = servers.get("SOUK_TEST_REDIS_URL")?;
    let database = postgres.url("souk_{service}");
    eprintln!(
        "xtask: PostgreSQL  {database}\n       RabbitMQ    {bus}\n       Redis       {cache}"
    );

    // The data folder goes with the databases: a secret of yesterday fits no row of today.
    let data = servers.dir().join("souk");
    fs::create_dir(&data)?;
    servers.outlive_children()?;
    let mut serve = std::process::Command::new(target().join("debug/souk"));
    serve.current_dir(root()).arg("serve").arg("--data-dir").arg(data).args(&options.extra);
    serve.env("SOUK_DATABASE__URL", database);
    if std::env::var_os("SOUK_ACCOUNTS__ADMIN_SECOND_FACTOR").is_none() {
        // the data live as long as this run: nobody enrols an app for that
        serve.env("SOUK_ACCOUNTS__ADMIN_SECOND_FACTOR", "off");
    }
    serve.env("SOUK_BUS__URL", bus).env("SOUK_CACHE__URL", cache);
    process::run(&mut serve)
}

/// The services that exist and own tables.
pub(crate) fn services() -> impl Iterator<Item = &'static str> {
    let owns_tables = |name: &&str| *name != "gateway" && root().join("crates").join(name).exists();
    SERVICES.iter().copied().filter(owns_tables)
}

pub(crate) fn create_database(postgres: &Postgres, name: &str) -> Result<()> {
    let mut createdb = std::process::Command::new(postgres.bin.join("createdb"));
    createdb.args(["-h", "127.0.0.1", "-U", "souk", "-p", &postgres.port.to_string(), name]);
    process::run(createdb.env("PGPASSWORD", &postgres.password))
}

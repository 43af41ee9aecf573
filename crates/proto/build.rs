//! Compiles every contract under `proto/` with protox: no protoc to install.
#![allow(clippy::disallowed_methods, reason = "a build script reads cargo's environment")]

use std::{env, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    collect(&root, &mut files)?;
    files.sort();
    let set = protox::compile(&files, [&root])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("souk.descriptors.bin"), protox::prost::Message::encode_to_vec(&set))?;
    tonic_prost_build::configure()
        .include_file("souk.rs")
        // src/masked.rs writes it without the number
        .skip_debug([".souk.orders.v1.CreatePaymentMethodRequest"])
        .compile_fds(set)?;
    Ok(())
}

fn collect(dir: &PathBuf, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "proto") {
            files.push(path);
        }
    }
    Ok(())
}

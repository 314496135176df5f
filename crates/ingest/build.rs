//! Compiles the protocol's definition; no protoc needed.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    let file = root.join("oddswire/ingest/v1/ingest.proto");
    println!("cargo:rerun-if-changed={}", file.display());
    let descriptors = protox::compile([&file], [&root])?;
    // The code generator writes the descriptor set only when it runs protoc, so reflection's copy is written here.
    let out = PathBuf::from(env::var("OUT_DIR")?).join("oddswire.ingest.v1.bin");
    fs::write(out, descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}

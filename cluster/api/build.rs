//! Turns the protocol's description into Rust, without any tool beside cargo.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto/fen.proto");
    let description = protox::compile(["fen.proto"], ["proto"])?;
    tonic_prost_build::configure()
        .bytes(".fen.v1.PackedBatch")
        .bytes(".fen.v1.PackedResults")
        .compile_fds(description)?;
    Ok(())
}

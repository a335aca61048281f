//! Generates `proto/src/*.rs` from `proto/**/*.proto`, without a system protoc.

/// The protocol files, relative to `proto/`.
const FILES: [&str; 5] = [
    "hefu/v1/common.proto",
    "hefu/v1/discovery.proto",
    "hefu/v1/session.proto",
    "hefu/v1/channel.proto",
    "hefu/control/v1/control.proto",
];

/// Writes the generated code into `proto/src/`.
pub fn run() -> Result<(), String> {
    let descriptors = protox::compile(FILES, ["proto"]).map_err(|e| format!("{e:?}"))?;
    tonic_prost_build::configure()
        .bytes(".hefu.v1.ExchangeRequest")
        .bytes(".hefu.v1.ExchangeResponse")
        .build_transport(true)
        .out_dir("proto/src")
        .compile_fds(descriptors)
        .map_err(|e| e.to_string())
}

//! Proto files to a descriptor set, messages (prost) and gRPC services (tonic).

use std::fs;
use std::path::{Path, PathBuf};

use prost::Message;
use prost_reflect::DescriptorPool;

use super::Target;

pub fn messages_and_grpc(target: &Target) -> Result<DescriptorPool, String> {
    let mut files = Vec::new();
    find_protos(Path::new(target.folder), &mut files).map_err(|e| e.to_string())?;
    files.sort();

    let mut includes = vec![target.folder];
    if target.folder != "proto" {
        includes.push("proto");
    }
    let mut compiler = protox::Compiler::new(includes).map_err(|e| e.to_string())?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(&files).map_err(|e| format!("{e:?}"))?;
    // The encoded set, since the decoded one drops the custom options.
    let encoded = compiler.encode_file_descriptor_set();
    fs::write(target.out.join("descriptor.bin"), &encoded).map_err(|e| e.to_string())?;
    let pool = DescriptorPool::decode(encoded.as_slice()).map_err(|e| e.to_string())?;

    let set = prost_types::FileDescriptorSet::decode(encoded.as_slice());
    let mut config = prost_build::Config::new();
    if target.folder != "proto" {
        config.extern_path(".google.api", "crate::proto::google::api");
    }
    config
        .out_dir(&target.out)
        .btree_map(["."])
        .bytes(["."])
        .include_file("modules.rs")
        .service_generator(tonic_prost_build::configure().service_generator())
        .compile_fds(set.map_err(|e| e.to_string())?)
        .map_err(|e| e.to_string())?;
    Ok(pool)
}

fn find_protos(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find_protos(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            found.push(path);
        }
    }
    Ok(())
}

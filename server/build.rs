//! Puts the Python side of workers into the program: a list of its files, by their paths below its folder.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

const PACKAGE: &str = "src/worker/python/flexconnect_worker";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={PACKAGE}");
    let package = Path::new(&env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?).join(PACKAGE);
    let mut files = Vec::new();
    collect(&package, &mut files)?;
    files.sort();
    let mut list = String::from("/// The files of the Python side.\nconst FILES: &[(&str, &[u8])] = &[\n");
    for file in files {
        let name = file.strip_prefix(&package).map_err(io::Error::other)?;
        let name = name.display().to_string();
        // Other checkouts may build from the same target folder: the path is that of the one that compiles.
        let file = format!("/{PACKAGE}/{name}");
        let _ = writeln!(
            list,
            "    ({name:?}, include_bytes!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {file:?}))),"
        );
    }
    list.push_str("];\n");
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("python_files.rs"), list)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "py") {
            files.push(path);
        }
    }
    Ok(())
}

//! `cargo xtask sbom`: writes a CycloneDX document of the components of the binary, with
//! cargo-cyclonedx.

use anyhow::Result;
use std::fs;
use std::process::Command;
use xtask::repository::{metadata, root, run, tool};

const VERSION: &str = "0.5.9";
const FILE: &str = "portcullis.cdx.json";

/// Writes the document to `target/sbom`.
pub(crate) fn write() -> Result<()> {
    let mut describe = Command::new(tool("cargo-cyclonedx", VERSION)?);
    // cargo passes the name of the subcommand as the first argument.
    describe.args(["cyclonedx", "--format", "json", "--quiet", "--override-filename", "portcullis.cdx"]);
    run("cargo-cyclonedx", describe.current_dir(root()))?;
    // The tool writes one file next to every manifest. Only the file of the service is kept.
    let metadata = metadata()?;
    let folder = metadata.target_directory.join("sbom");
    fs::create_dir_all(&folder)?;
    for package in &metadata.packages {
        let written = package.manifest_path.with_file_name(FILE);
        if package.name == "portcullis-app" {
            fs::copy(&written, folder.join(FILE))?;
        }
        fs::remove_file(&written)?;
    }
    println!("wrote {}", folder.join(FILE).display());
    Ok(())
}

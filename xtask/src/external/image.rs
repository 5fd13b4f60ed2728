//! Builds the image of `deploy/Dockerfile` and runs the README's tour in it, by `xtask/deploy/image.mjs`. The base is
//! made by mmdebstrap, because no registry is needed for that.

use super::tools;
use anyhow::{Result, ensure};
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use xtask::install::apt;
use xtask::repository::{portcullis, root, run};

pub(crate) fn check() -> Result<()> {
    ensure!(apt::available(), "the image is built as root on a system with apt");
    tools::program("buildah", "buildah")?;
    tools::program("mmdebstrap", "mmdebstrap")?;
    let binary = portcullis(false)?;
    let folder = tools::scratch("external/image")?;
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let mut image = Command::new("node");
    image.arg(root().join("xtask/deploy/image.mjs")).arg(binary).arg(root()).arg(&folder).arg(port.to_string());
    run("the image", &mut image)?;
    // Half a gigabyte of layers.
    Ok(fs::remove_dir_all(folder)?)
}

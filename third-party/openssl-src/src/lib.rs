//! openssl-src 400 under the version that openssl-sys asks for (see Cargo.toml), without the parts of
//! OpenSSL that TLS to PostgreSQL and mail servers does not use. Debug builds compile it without
//! optimization, and keep it while `OPENSSL_NO_VENDOR` links another one.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Protocols, formats and algorithms that TLS 1.2 and 1.3 with public certificates, and keys in PEM
/// files, do not need: a fifth of OpenSSL's files.
const UNUSED: &str = "no-apps no-docs no-quic no-cms no-cmp no-ct no-ts no-srp no-nextprotoneg no-rfc3779 \
    no-ssl-trace no-multiblock no-aria no-bf no-blake2 no-cast no-gost no-md4 no-mdc2 no-rc2 no-rc4 no-rmd160 \
    no-siphash no-siv no-sm2 no-sm3 no-sm4 no-whirlpool no-lms no-slh-dsa no-hmac-drbg-kdf no-kbkdf no-krb5kdf \
    no-pvkkdf no-snmpkdf no-srtpkdf no-sshkdf no-x942kdf";

/// The build that openssl-sys starts.
pub struct Build {
    upstream: upstream::Build,
    openssl_dir: PathBuf,
}

/// The built libraries and headers.
pub struct Artifacts {
    install: PathBuf,
}

impl Build {
    #[expect(clippy::new_without_default, reason = "openssl-sys calls new")]
    pub fn new() -> Self {
        Self { upstream: upstream::Build::new(), openssl_dir: PathBuf::new() }
    }

    /// Sets the folder in which the libraries look for certificates at run time.
    pub fn openssl_dir(&mut self, path: impl AsRef<Path>) -> &mut Self {
        self.upstream.openssl_dir(&path);
        path.as_ref().clone_into(&mut self.openssl_dir);
        self
    }

    /// Builds the libraries, unless an earlier run with the same options did. Exits if that fails.
    pub fn build(&mut self) -> Artifacts {
        let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
        let mut options = UNUSED.to_owned();
        if env::var("OPT_LEVEL").is_ok_and(|level| level == "0") {
            options += " -O0";
        }
        let (install, stamp) = (out.join("openssl-build/install"), out.join("built"));
        let wanted = format!("{} {options} {:?} {:?}", upstream::version(), self.openssl_dir, tools());
        if !fs::read_to_string(&stamp).is_ok_and(|built| built == wanted) {
            let _ = fs::remove_file(&stamp);
            configure_with(&out.join("perl"), &options);
            self.upstream.build();
            fs::write(stamp, wanted).expect("OUT_DIR is writable");
        }
        Artifacts { install }
    }
}

impl Artifacts {
    pub fn lib_dir(&self) -> PathBuf {
        self.install.join("lib")
    }

    pub fn include_dir(&self) -> PathBuf {
        self.install.join("include")
    }
}

/// Passes options to OpenSSL's Configure. openssl-src has no method for that, but runs it with the perl
/// that a variable names.
fn configure_with(script: &Path, options: &str) {
    let perl = ["OPENSSL_SRC_PERL", "PERL"].into_iter().find_map(|name| env::var(name).ok());
    let text = format!("#!/bin/sh\nexec {} \"$@\" {options}\n", perl.as_deref().unwrap_or("perl"));
    fs::write(script, text).expect("OUT_DIR is writable");
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).expect("OUT_DIR is ours");
    // SAFETY: a build script has one thread.
    unsafe { env::set_var("OPENSSL_SRC_PERL", script) };
}

/// Returns the variables that choose the compiler and its flags, such as `CFLAGS` and
/// `CC_x86_64_unknown_linux_gnu`.
fn tools() -> Vec<(String, String)> {
    let chooses = |(name, _): &(String, String)| {
        let name = name.trim_start_matches("TARGET_");
        ["CC", "CFLAGS", "AR", "RANLIB", "OPENSSL_SRC_PERL", "PERL"]
            .iter()
            .any(|tool| name.strip_prefix(tool).is_some_and(|rest| rest.is_empty() || rest.starts_with('_')))
    };
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    let mut tools: Vec<_> = env::vars_os().map(|(name, value)| (text(name), text(value))).filter(chooses).collect();
    tools.sort();
    tools
}

//! `cargo xtask layers`: checks the dependencies in the manifests against `xtask/layers.json`. The
//! compiler refuses a crate that the manifest does not name.
//!
//! In the table, `names` lists the workspace crates that a crate may depend on; `outside`, if present,
//! all other crates it may use; `optional` the crates that must be behind a feature; `exclusive` the
//! crates that only some may depend on; `dev_only` the crates that are for tests only. Dev-dependencies
//! are checked against `names` and `dev_only` only. `tests` lists crates that are never shipped: they only test
//! and measure.

use anyhow::{Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use xtask::repository::{Dependency, Metadata, Package, metadata};

const TABLE: &str = include_str!("../layers.json");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    crates: BTreeMap<String, Row>,
    exclusive: BTreeMap<String, Vec<String>>,
    dev_only: Vec<String>,
    tests: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    names: Vec<String>,
    outside: Option<Vec<String>>,
    #[serde(default)]
    optional: Vec<String>,
}

pub(crate) fn run() -> Result<()> {
    let faults = faults(&serde_json::from_str(TABLE)?, &metadata()?);
    if faults.is_empty() {
        return Ok(());
    }
    bail!("dependencies violate xtask/layers.json\n{}", faults.join("\n"));
}

fn faults(table: &Table, metadata: &Metadata) -> Vec<String> {
    let mut faults = Vec::new();
    for package in &metadata.packages {
        match table.crates.get(&package.name) {
            Some(row) => package.dependencies.iter().for_each(|dependency| {
                let fault = table.fault(package, row, dependency);
                faults.extend(fault.map(|fault| format!("{}: {} {fault}", package.name, dependency.name)));
            }),
            None => faults.push(format!("{}: not in the table", package.name)),
        }
    }
    let gone = table.crates.keys().filter(|name| !metadata.packages.iter().any(|package| package.name == **name));
    faults.extend(gone.map(|name| format!("{name}: in the table, not in the workspace")));
    faults
}

impl Table {
    fn fault(&self, package: &Package, row: &Row, dependency: &Dependency) -> Option<&'static str> {
        let name = &dependency.name;
        if self.crates.contains_key(name) {
            return self.fault_inside(package, row, dependency);
        }
        if self.is_for_tests(package, dependency) {
            return None;
        }
        if row.optional.contains(name) {
            return (!dependency.optional).then_some("must be optional, behind a feature");
        }
        if row.outside.as_ref().is_some_and(|outside| !outside.contains(name)) {
            return Some("is not in its list `outside`");
        }
        let elsewhere = self.exclusive.get(name).is_some_and(|owners| !owners.contains(&package.name));
        elsewhere.then_some("is exclusive to other crates")
    }

    fn is_for_tests(&self, package: &Package, dependency: &Dependency) -> bool {
        dependency.kind.as_deref() == Some("dev") || self.tests.contains(&package.name)
    }

    fn fault_inside(&self, package: &Package, row: &Row, dependency: &Dependency) -> Option<&'static str> {
        let dev = self.is_for_tests(package, dependency);
        if self.dev_only.contains(&dependency.name) {
            let itself = package.name == dependency.name;
            return (!dev || itself).then_some("may only be a dev-dependency of other crates");
        }
        (!row.names.contains(&dependency.name)).then_some("is not in its list `names`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layers_hold() {
        let table: Table = serde_json::from_str(TABLE).unwrap();
        assert_eq!(faults(&table, &metadata().unwrap()), Vec::<String>::new());
    }

    fn fault(package: &str, name: &str, kind: Option<&str>, optional: bool) -> Option<&'static str> {
        let table: Table = serde_json::from_str(TABLE).unwrap();
        let dependency = Dependency { name: name.to_owned(), kind: kind.map(str::to_owned), optional };
        let package =
            Package { name: package.to_owned(), manifest_path: "Cargo.toml".into(), dependencies: Vec::new() };
        table.fault(&package, &table.crates[&package.name], &dependency)
    }

    #[test]
    fn a_crate_may_name_the_layers_under_it_only() {
        assert_eq!(fault("portcullis-usecases", "portcullis-ports", None, false), None);
        assert!(fault("portcullis-domain", "portcullis-ports", None, false).is_some());
        assert!(fault("portcullis-usecases", "portcullis-diesel", None, false).is_some());
        assert!(fault("portcullis-usecases", "portcullis-diesel", Some("dev"), false).is_some());
        assert!(fault("portcullis-http", "portcullis-ports", Some("build"), false).is_some());
        assert!(fault("xtask", "portcullis-domain", None, false).is_some());
        assert!(fault("portcullis-app", "xtask", None, false).is_some());
    }

    #[test]
    fn the_testkit_is_for_tests() {
        assert_eq!(fault("portcullis-usecases", "portcullis-testkit", Some("dev"), false), None);
        assert!(fault("portcullis-usecases", "portcullis-testkit", None, false).is_some());
        assert!(fault("portcullis-app", "portcullis-testkit", None, false).is_some());
        assert_eq!(fault("portcullis-fuzz", "portcullis-testkit", None, false), None);
        assert_eq!(fault("portcullis-fuzz", "figment", None, false), None);
        assert!(fault("portcullis-fuzz", "portcullis-zxcvbn", None, false).is_some());
        assert!(fault("portcullis-app", "portcullis-fuzz", Some("dev"), false).is_some());
    }

    #[test]
    fn an_outside_crate_stays_where_it_belongs() {
        assert_eq!(fault("portcullis-diesel", "diesel", None, false), None);
        assert!(fault("portcullis-http", "diesel", None, false).is_some());
        assert!(fault("portcullis-jwt", "actix-web", None, false).is_some());
        assert!(fault("portcullis-ports", "tracing", None, false).is_some());
        assert_eq!(fault("portcullis-ports", "tracing", Some("dev"), false), None);
        assert_eq!(fault("portcullis-domain", "serde", None, true), None);
        assert!(fault("portcullis-domain", "serde", None, false).is_some());
    }

    #[test]
    fn the_table_and_the_workspace_name_the_same_crates() {
        let table: Table = serde_json::from_str(TABLE).unwrap();
        let mut metadata = metadata().unwrap();
        metadata.packages.retain(|package| package.name != "portcullis-http");
        metadata.packages.push(Package {
            name: "portcullis-new".to_owned(),
            manifest_path: "Cargo.toml".into(),
            dependencies: Vec::new(),
        });
        let faults = faults(&table, &metadata);
        assert!(faults.contains(&"portcullis-new: not in the table".to_owned()));
        assert!(faults.contains(&"portcullis-http: in the table, not in the workspace".to_owned()));
    }
}

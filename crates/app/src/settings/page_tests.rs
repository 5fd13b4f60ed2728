//! Compares `docs/configuration.md` with the settings: a row for each, with its default.

use super::SETTINGS;
use super::providers::FAMILY;

const PAGE: &str = include_str!("../../../../docs/configuration.md");

#[test]
fn the_page_has_every_setting_with_its_default() {
    let cells = |row: &'static str| row.trim_matches('|').split(" | ").map(str::trim).collect::<Vec<_>>();
    let rows: Vec<_> = PAGE.lines().filter(|line| line.starts_with("| `")).map(cells).collect();
    let own = SETTINGS.into_iter().flatten().map(|setting| (format!("`{}`", setting.name), setting));
    let of_providers = FAMILY.iter().map(|setting| (format!("`PROVIDER_<NAME>_{}`", setting.name), setting));
    for (name, setting) in own.chain(of_providers) {
        let found: Vec<_> = rows.iter().filter(|cells| cells[0] == name).collect();
        assert_eq!(found.len(), 1, "{name}");
        assert_eq!(found[0].len(), 6, "{name}");
        let default = setting.default.map(|default| format!("`{default}`"));
        assert!(default.is_none_or(|default| found[0][3].starts_with(&default)), "{name}: {}", found[0][3]);
    }
}

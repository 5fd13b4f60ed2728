//! Parses Prometheus's text format (version 0.0.4) as strictly as `promtool check metrics`, including
//! its naming rules.

use std::collections::{BTreeMap, BTreeSet};

/// Parsed page: the value of each series by its name and labels, as written.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    series: BTreeMap<String, f64>,
}

/// One metric of a page.
struct Family<'a> {
    name: &'a str,
    kind: &'a str,
}

impl Page {
    /// Parses a page.
    ///
    /// # Errors
    /// Returns the first line that breaks the format or the naming rules, and the reason.
    ///
    /// ```
    /// use portcullis_testkit::prometheus::Page;
    /// let page = Page::read("# HELP a_total Things.\n# TYPE a_total counter\na_total{b=\"c\"} 2\n")?;
    /// assert_eq!(page.value("a_total{b=\"c\"}"), Some(2.0));
    /// assert!(Page::read("a_total 1\n").is_err());
    /// # Ok::<(), String>(())
    /// ```
    pub fn read(text: &str) -> Result<Self, String> {
        let (mut series, mut names) = (BTreeMap::new(), BTreeSet::new());
        let mut lines = text.lines().peekable();
        if !text.ends_with('\n') {
            return Err("the last line has no end".to_owned());
        }
        while let Some(help) = lines.next() {
            let family = lines.next().ok_or("a metric without a type").map_err(str::to_owned)?;
            let family = Family::read(help, family)?;
            if !names.insert(family.name) {
                return Err(format!("{}: twice on the page", family.name));
            }
            while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
                let (name, value) = family.sample(line)?;
                if series.insert(name.to_owned(), value).is_some() {
                    return Err(format!("{line}: a series that was there before"));
                }
            }
        }
        let page = Self { series };
        page.check_histograms()?;
        Ok(page)
    }

    /// Returns the value of a series, or `None` if it does not exist.
    #[must_use]
    pub fn value(&self, series: &str) -> Option<f64> {
        self.series.get(series).copied()
    }

    /// Returns every series with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.series.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// Returns the sum of all series whose name and labels start with `prefix`.
    #[must_use]
    pub fn sum(&self, prefix: &str) -> f64 {
        self.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, value)| value).sum()
    }

    /// Checks that the last bucket of each histogram equals its count.
    fn check_histograms(&self) -> Result<(), String> {
        for (name, value) in self.iter() {
            let Some((family, labels)) = name.split_once("_bucket{") else { continue };
            let Some(labels) = labels.strip_suffix("le=\"+Inf\"}") else { continue };
            let labels = labels.trim_end_matches(',');
            let braced = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
            if self.value(&format!("{family}_count{braced}")) != Some(value) {
                return Err(format!("{name}: not its count"));
            }
        }
        Ok(())
    }
}

impl<'a> Family<'a> {
    fn read(help: &'a str, kind: &'a str) -> Result<Self, String> {
        let (name, help) = help
            .strip_prefix("# HELP ")
            .and_then(|rest| rest.split_once(' '))
            .ok_or(format!("{help}: no HELP line"))?;
        let kind = kind.strip_prefix("# TYPE ").and_then(|rest| rest.strip_prefix(name)).map(str::trim);
        let kind = kind.ok_or(format!("{name}: no TYPE line follows"))?;
        let family = Self { name, kind };
        family
            .fault()
            .map_or(Ok(family), |fault| Err(format!("{name}: {fault}")))
            .and_then(|family| if help.trim().is_empty() { Err(format!("{name}: no help")) } else { Ok(family) })
    }

    /// Returns which naming rule of promtool is broken
    /// (<https://prometheus.io/docs/practices/naming/>).
    fn fault(&self) -> Option<&'static str> {
        let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        let is = |kind| self.kind == kind;
        match self.name {
            name if !name.bytes().all(word) || name.starts_with(|c: char| !c.is_ascii_lowercase()) => {
                Some("not a name in lower case")
            }
            _ if !(is("counter") || is("gauge") || is("histogram")) => Some("of no type that is used"),
            name if is("counter") != name.ends_with("_total") => Some("counters, and they alone, end in _total"),
            name if ["_count", "_sum", "_bucket"].iter().any(|end| name.ends_with(end)) => {
                Some("ends as a part of a histogram does")
            }
            name if is("histogram") && !name.ends_with("_seconds") && !name.ends_with("_bytes") => {
                Some("no base unit at its end")
            }
            name if ["milliseconds", "_ms", "minutes", "kilobytes", "percent", "counter", "gauge", "histogram"]
                .iter()
                .any(|word| name.contains(word)) =>
            {
                Some("another unit than the base unit, or its type in its name")
            }
            _ => None,
        }
    }

    /// Parses a sample line of the metric.
    fn sample<'l>(&self, line: &'l str) -> Result<(&'l str, f64), String> {
        let (series, value) = line.rsplit_once(' ').ok_or(format!("{line}: no value"))?;
        let value: f64 = value.parse().map_err(|_| format!("{line}: no number"))?;
        if !value.is_finite() || value < 0.0 {
            return Err(format!("{line}: less than nothing, or no number"));
        }
        let (name, labels) = series.split_once('{').map_or((series, ""), |(name, labels)| (name, labels));
        let part = name.strip_prefix(self.name).ok_or(format!("{line}: under another metric"))?;
        let known: &[&str] = if self.kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        if !known.contains(&part) {
            return Err(format!("{line}: under another metric"));
        }
        check_labels(line, labels)?;
        Ok((series, value))
    }
}

/// Checks labels without escapes, since no label needs them.
fn check_labels(line: &str, labels: &str) -> Result<(), String> {
    if labels.is_empty() {
        return Ok(());
    }
    let labels = labels.strip_suffix("\"}").ok_or(format!("{line}: labels without an end"))?;
    let mut names = BTreeSet::new();
    for label in labels.split("\",") {
        let (name, value) = label.split_once("=\"").ok_or(format!("{line}: a label without a value"))?;
        let named = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        if !named || value.is_empty() || value.contains(['"', '\\', '\n']) || !names.insert(name) {
            return Err(format!("{line}: the label {name}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# HELP a_seconds Times.\n# TYPE a_seconds histogram\na_seconds_bucket{le=\"1\"} 1\n\
                        a_seconds_bucket{le=\"+Inf\"} 2\na_seconds_sum 3.5\na_seconds_count 2\n\
                        # HELP b Things.\n# TYPE b gauge\nb{c=\"d\",e=\"/f/{g}\"} 0\n";

    #[test]
    fn a_good_page_is_read() {
        let page = Page::read(GOOD).unwrap();
        assert_eq!(page.value("b{c=\"d\",e=\"/f/{g}\"}"), Some(0.0));
        assert_eq!(page.sum("a_seconds_bucket"), 3.0);
    }

    #[test]
    fn what_breaks_the_rules_is_told() {
        for (from, to) in [
            ("# HELP b Things.\n", ""),
            ("# TYPE b gauge\n", ""),
            ("# HELP b Things.", "# HELP b  "),
            ("b gauge", "b counter"),
            ("b gauge", "b summary"),
            ("b{c=", "c{c="),
            ("c=\"d\"", "c=\"d"),
            ("c=\"d\"", "e=\"d\""),
            ("c=\"d\"", "C=\"d\""),
            ("c=\"d\"", "c=\"\""),
            ("} 0\n", "} x\n"),
            ("} 0\n", "} -1\n"),
            ("} 0\n", "} NaN\n"),
            ("} 0\n", "} 0"),
            ("a_seconds_count 2", "a_seconds_count 3"),
            ("a_seconds_sum 3.5", "a_seconds_count 2"),
            ("a_seconds", "a_ms"),
        ] {
            let bad = GOOD.replace(from, to);
            assert_ne!(bad, GOOD, "{from}");
            assert!(Page::read(&bad).is_err(), "{bad}");
        }
        assert!(Page::read(&GOOD.repeat(2)).is_err(), "twice");
    }
}

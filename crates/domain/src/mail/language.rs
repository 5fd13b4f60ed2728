//! Languages of emails and pages.

/// Language of emails and pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// English, the default.
    #[default]
    English,
    /// German.
    German,
    /// French.
    French,
    /// Spanish.
    Spanish,
    /// Portuguese.
    Portuguese,
    /// Chinese, in simplified characters.
    Chinese,
}

impl Language {
    /// All languages.
    pub const ALL: [Self; 6] =
        [Self::English, Self::German, Self::French, Self::Spanish, Self::Portuguese, Self::Chinese];

    /// Returns the language tag (RFC 5646), which is also used in the database.
    ///
    /// ```
    /// use portcullis_domain::mail::Language;
    /// assert_eq!(Language::Chinese.tag(), "zh");
    /// ```
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
            Self::Spanish => "es",
            Self::Portuguese => "pt",
            Self::Chinese => "zh",
        }
    }

    /// Parses a stored tag. Returns `None` if it is unknown.
    #[must_use]
    pub fn parse(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.tag() == tag)
    }

    /// Returns the preferred language of an `Accept-Language` field (RFC 9110 §12.5.4): the one with
    /// the highest quality, or the first of several. Returns English if none matches. Regions are
    /// ignored: `pt-BR` matches Portuguese.
    ///
    /// ```
    /// use portcullis_domain::mail::Language;
    /// assert_eq!(Language::preferred("fr-CH, en;q=0.9, de;q=0.7"), Language::French);
    /// assert_eq!(Language::preferred("nl, de;q=0.5, *;q=0.1"), Language::German);
    /// assert_eq!(Language::preferred("de;q=0, ;;;"), Language::English);
    /// ```
    #[must_use]
    pub fn preferred(accept_language: &str) -> Self {
        let ranges = accept_language.split(',').filter_map(Self::range);
        // `max_by_key` returns the last of equal elements, so iterate from the end.
        let best = ranges.collect::<Vec<_>>().into_iter().rev().max_by_key(|(_, quality)| *quality);
        best.map_or_else(Self::default, |(language, _)| language)
    }

    /// Parses one language range. Returns its language and its quality in thousandths, or `None` if
    /// the range is excluded, unknown or malformed.
    fn range(text: &str) -> Option<(Self, u16)> {
        let mut parts = text.split(';');
        let tag = parts.next()?.trim();
        let primary = tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
        let quality = match parts.next() {
            None => 1000,
            Some(weight) => Self::quality(weight)?,
        };
        let language = if tag == "*" { Self::default() } else { Self::parse(&primary)? };
        (quality > 0).then_some((language, quality))
    }

    /// Parses a weight into thousandths (RFC 9110 §12.4.2).
    fn quality(weight: &str) -> Option<u16> {
        let value = weight.trim().strip_prefix("q=").or_else(|| weight.trim().strip_prefix("Q="))?;
        let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
        if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
        match whole {
            "0" => Some(thousandths),
            "1" if thousandths == 0 => Some(1000),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_best_quality_wins_and_of_equals_the_first() {
        for (field, wanted) in [
            ("", Language::English),
            ("*", Language::English),
            ("zh-Hans-CN", Language::Chinese),
            ("PT-br;q=0.31, es;q=0.3", Language::Portuguese),
            ("PT-br;q=0.3, es ; q=0.31", Language::Spanish),
            ("de, fr", Language::German),
            ("de;q=1.001, fr;q=0.1", Language::French),
            ("de;q=0.0001, fr;q=0.1", Language::French),
            ("deu, frx", Language::English),
            ("tlh, *;q=0.5, de;q=0.4", Language::English),
        ] {
            assert_eq!(Language::preferred(field), wanted, "{field}");
        }
    }

    proptest! {
        #[test]
        fn any_field_is_read(field in "\\PC{0,80}") {
            let _ = Language::preferred(&field);
        }
    }
}

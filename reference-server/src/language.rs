//! The language of what people read.
use clap::ValueEnum;

/// English or Chinese.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// English.
    #[value(name = "en")]
    English,
    /// Chinese.
    #[value(name = "zh", alias = "zh-CN", alias = "zh_CN")]
    Chinese,
}

impl Language {
    /// The choice on the command line, else that of `LC_ALL`, `LC_MESSAGES`, `LANG`, else English.
    pub fn choose(asked: Option<Language>) -> Self {
        asked.unwrap_or_else(|| Self::of_locale(|name| std::env::var(name).ok()))
    }

    fn of_locale(variable: impl Fn(&str) -> Option<String>) -> Self {
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
        match locale {
            Some(locale) if locale.to_ascii_lowercase().starts_with("zh") => Language::Chinese,
            _ => Language::English,
        }
    }

    /// The language tag of documents.
    pub fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Chinese => "zh-Hans",
        }
    }

    /// The text in this language.
    pub fn pick<'a>(self, en: &'a str, zh: &'a str) -> &'a str {
        match self {
            Language::English => en,
            Language::Chinese => zh,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_set_variable_decides() {
        let of = |pairs: &[(&str, &str)]| {
            Language::of_locale(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
        };
        assert_eq!(of(&[("LANG", "zh_CN.UTF-8")]), Language::Chinese);
        assert_eq!(of(&[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "en_US.UTF-8")]), Language::English);
        assert_eq!(of(&[("LC_ALL", ""), ("LANG", "zh")]), Language::Chinese);
        assert_eq!(of(&[]), Language::English);
    }
}

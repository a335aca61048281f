//! Progress of long work on standard error: bars on a terminal, plain lines elsewhere.
use crate::language::Language;
use hefu::JobStatus;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// Shows one stage after another.
pub struct Progress {
    language: Language,
    bar: Option<ProgressBar>,
    stage: String,
    told: u64,
}

impl Progress {
    /// Bars where standard error is a terminal, else lines.
    pub fn new(language: Language) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{msg:24} {wide_bar} {pos}/{len} {elapsed}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Progress { language, bar, stage: String::new(), told: 0 }
    }

    /// A step that has no count.
    pub fn step(&mut self, en: &str, zh: &str) {
        let text = self.language.pick(en, zh).to_owned();
        match &self.bar {
            Some(bar) => bar.println(&text),
            None => eprintln!("{text}"),
        }
    }

    /// `done` of `total` units of a stage.
    pub fn stage(&mut self, stage: &str, done: u64, total: u64) {
        if stage.is_empty() {
            return;
        }
        let words = stage_words(stage);
        let name = self.language.pick(words.0, words.1).to_owned();
        if let Some(bar) = &self.bar {
            if self.stage != stage {
                bar.set_message(name);
                bar.reset_elapsed();
            }
            bar.set_length(total.max(done));
            bar.set_position(done);
        } else {
            let quarter = (4 * done).checked_div(total).unwrap_or(0);
            if self.stage != stage || quarter > self.told {
                eprintln!("{name}: {done}/{total}");
                self.told = quarter;
            }
        }
        stage.clone_into(&mut self.stage);
    }

    /// One look at a job.
    pub fn job(&mut self, status: &JobStatus) {
        self.stage(&status.stage, status.done, status.total);
    }

    /// Takes the bar away.
    pub fn finish(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.stage.clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

/// The stage's name for people.
pub fn stage_words(stage: &str) -> (&str, &str) {
    match stage {
        "align" => ("matching", "匹配"),
        "train" => ("training", "训练"),
        "evaluate" => ("test scores", "测试评分"),
        "score" => ("scores", "评分"),
        other => (other, other),
    }
}

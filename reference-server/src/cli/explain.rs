//! `hefu explain CODE`.
use super::Screen;
use crate::failure::{self, Result, exit_number};
use clap::Args;
use hefu::Code;
use hefu_core::registry;
use serde_json::json;

/// Which code to explain.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hefu explain 6001\n  hefu explain MISSING_COLUMN --lang zh\n  hefu explain")]
pub struct ExplainArgs {
    /// A number or a name; all codes are listed where it is left out.
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

pub fn run(args: ExplainArgs, screen: Screen) -> Result<()> {
    let Some(asked) = args.code else {
        list(screen);
        return Ok(());
    };
    let found = asked.parse().ok().and_then(Code::from_number);
    let name = asked.to_ascii_uppercase().replace('-', "_");
    let code = found.or_else(|| Code::ALL.iter().copied().find(|code| code.name() == name)).ok_or_else(|| {
        failure::usage(format!("{asked} is no registered code; hefu explain without a code lists all."))
    })?;
    let entry = registry::entry(code);
    let (range_en, range_zh) = range(code);
    let object = json!({
        "code": code.number(), "name": code.name(), "range": range_en, "retry": code.retry().as_str(),
        "scope": code.scope().as_str(), "exit": (!is_warning(code)).then(|| exit_number(code)),
        "cause": screen.pick(entry.cause.en, entry.cause.zh), "next": screen.pick(entry.next.en, entry.next.zh),
    });
    screen.answer(&object, || {
        format!(
            "{} {}\n  {}: {}\n  {}: {}\n  {}: {}\n  {}: {}\n  {}: {}\n",
            code.number(),
            code.name(),
            screen.pick("cause", "原因"),
            screen.pick(entry.cause.en, entry.cause.zh),
            screen.pick("next", "处理"),
            screen.pick(entry.next.en, entry.next.zh),
            screen.pick("range", "类别"),
            screen.pick(range_en, range_zh),
            screen.pick("retry", "重试"),
            retry_words(code, screen),
            screen.pick("exit code of hefu", "hefu 退出码"),
            match is_warning(code) {
                true => screen.pick("none: a warning, the job goes on", "无：仅为警告，作业继续").to_owned(),
                false => exit_number(code).to_string(),
            },
        )
    });
    Ok(())
}

/// A code that stands in a result, and ends nothing.
fn is_warning(code: Code) -> bool {
    matches!(code, Code::Separable | Code::HighLeverage)
}

fn retry_words(code: Code, screen: Screen) -> String {
    use hefu_core::Retry;
    let (en, zh) = match code.retry() {
        Retry::Never => ("the same call fails again", "同样的调用仍会失败"),
        Retry::Same => ("send the same bytes again", "重新发送相同内容"),
        Retry::After => ("try later", "稍后重试"),
        Retry::Renegotiate => ("make a new offer", "重新发起会话"),
        Retry::Abort => ("the job is over", "作业已终止"),
    };
    format!("{} ({})", code.retry().as_str(), screen.pick(en, zh))
}

fn range(code: Code) -> (&'static str, &'static str) {
    match code.number() / 1000 {
        1 => ("transport", "传输"),
        2 => ("negotiation", "协商"),
        3 => ("authority", "授权"),
        4 => ("state", "状态"),
        5 => ("crypto", "密码"),
        6 => ("data", "数据"),
        _ => ("resource", "资源"),
    }
}

fn list(screen: Screen) {
    let all: Vec<_> = Code::ALL.iter().map(|code| (code, registry::entry(*code))).collect();
    let object = json!({"codes": all.iter().map(|(code, entry)| json!({
        "code": code.number(), "name": code.name(), "cause": screen.pick(entry.cause.en, entry.cause.zh),
    })).collect::<Vec<_>>()});
    screen.answer(&object, || {
        let line = |(code, entry): &(&Code, registry::Entry)| {
            format!("{} {:22} {}\n", code.number(), code.name(), screen.pick(entry.cause.en, entry.cause.zh))
        };
        all.iter().map(line).collect()
    });
}

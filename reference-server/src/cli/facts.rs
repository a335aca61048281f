//! Datasets, permissions, uses and decisions as people read them, and as programs do.
use super::Screen;
use super::screen::{columns, moment};
use hefu::{Decision, Node, Offered, Party, Permission, Published, Use};
use serde_json::{Value, json};

/// Digits of a digest that a table shows.
const SHOWN_DIGITS: usize = 12;

/// Short names of parties at one node.
pub struct Names(Vec<Party>);

impl Names {
    /// Those that the node trusts; none where it does not tell.
    pub async fn of(node: &Node) -> Self {
        Names(node.parties().await.unwrap_or_default())
    }

    /// The short name of an id, or the id.
    pub fn short(&self, party: &str) -> String {
        self.0.iter().find(|p| p.party == party).map_or_else(|| party.to_owned(), |p| p.alias.clone())
    }
}

fn head(screen: Screen, heads: &[(&str, &str)]) -> Vec<String> {
    heads.iter().map(|(en, zh)| screen.pick(en, zh).to_owned()).collect()
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

fn digits(hex: &str) -> String {
    hex.chars().take(SHOWN_DIGITS).collect()
}

/// A dataset of one's own.
pub fn dataset(d: &Published) -> Value {
    json!({
        "name": d.name, "rows": d.rows, "duplicate": d.duplicate, "invalid": d.invalid, "columns": d.columns,
        "key": d.key, "label": d.label, "schema": d.schema, "inferred": d.inferred, "grain": d.grain,
        "steward": d.steward, "purposes": d.purposes, "period": d.period,
        "sensitivity": Some(d.sensitivity).filter(|level| *level > 0), "published_us": d.published_us,
    })
}

/// Lines of name and value about a dataset of one's own.
pub fn described(d: &Published, screen: Screen) -> String {
    let counts = match screen.language {
        crate::language::Language::English => {
            format!("{} ({} duplicate, {} invalid keys)", d.rows, d.duplicate, d.invalid)
        }
        crate::language::Language::Chinese => format!("{}（重复主键 {}，无效主键 {}）", d.rows, d.duplicate, d.invalid),
    };
    let level = if d.sensitivity == 0 { String::new() } else { d.sensitivity.to_string() };
    let origin = match d.inferred {
        true => format!("{} {}", d.schema, screen.pick("(inferred from the file)", "（由文件推断）")),
        false => d.schema.clone(),
    };
    let facts = [
        (("dataset", "数据集"), d.name.clone()),
        (("rows", "行数"), counts),
        (("grain", "粒度"), d.grain.clone()),
        (("period", "期间"), d.period.clone()),
        (("steward", "管理员"), d.steward.clone()),
        (("purposes", "用途"), d.purposes.join(", ")),
        (("sensitivity", "敏感级别"), level),
        (("published", "发布时间"), moment(d.published_us)),
        (("schema", "数据模式"), origin),
    ];
    let rows = facts.map(|((en, zh), value)| vec![screen.pick(en, zh).to_owned(), or_dash(&value)]);
    columns(&rows)
}

/// One line a dataset of one's own.
pub fn datasets(all: &[Published], screen: Screen) -> String {
    let heads = [
        ("name", "名称"),
        ("rows", "行"),
        ("columns", "列数"),
        ("grain", "粒度"),
        ("period", "期间"),
        ("steward", "管理员"),
        ("published", "发布时间"),
        ("schema", "数据模式"),
    ];
    let mut rows = vec![head(screen, &heads)];
    for d in all {
        rows.push(vec![
            d.name.clone(),
            d.rows.to_string(),
            d.columns.len().to_string(),
            d.grain.clone(),
            or_dash(&d.period),
            or_dash(&d.steward),
            moment(d.published_us),
            digits(&d.schema),
        ]);
    }
    columns(&rows)
}

/// A dataset that another party offers.
pub fn offered(o: &Offered) -> Value {
    let permission =
        |p: &Permission| json!({"purpose": p.purpose, "outputs": p.outputs, "approval": p.approval.as_str()});
    json!({
        "party": o.party, "name": o.name, "schema": o.schema, "rows": o.rows, "grain": o.grain, "steward": o.steward,
        "purposes": o.purposes, "period": o.period, "sensitivity": Some(o.sensitivity).filter(|level| *level > 0),
        "published_us": o.published_us, "permissions": o.permissions.iter().map(permission).collect::<Vec<_>>(),
    })
}

/// What a dataset may be used for, in a few words.
fn permissions(o: &Offered) -> String {
    let one = |p: &Permission| format!("{}: {} ({})", p.purpose, p.outputs.join("+"), p.approval);
    o.permissions.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// One line a dataset that another party offers.
pub fn catalogue(all: &[Offered], screen: Screen) -> String {
    let heads = [
        ("name", "名称"),
        ("rows", "行"),
        ("grain", "粒度"),
        ("period", "期间"),
        ("steward", "管理员"),
        ("may be used for", "可用于"),
        ("schema", "数据模式"),
    ];
    let mut rows = vec![head(screen, &heads)];
    for o in all {
        rows.push(vec![
            o.name.clone(),
            o.rows.to_string(),
            o.grain.clone(),
            or_dash(&o.period),
            or_dash(&o.steward),
            permissions(o),
            digits(&o.schema),
        ]);
    }
    columns(&rows)
}

/// A job that used a dataset.
pub fn one_use(u: &Use) -> Value {
    json!({
        "dataset": u.dataset, "party": u.party, "job": u.job, "kind": u.kind, "purpose": u.purpose,
        "outputs": u.outputs, "began_us": u.began_us, "ended_us": u.ended_us, "state": u.state.as_str(),
    })
}

/// One line a use.
pub fn uses(all: &[Use], names: &Names, screen: Screen) -> String {
    let heads = [
        ("began", "开始"),
        ("ended", "结束"),
        ("party", "参与方"),
        ("kind", "类型"),
        ("purpose", "用途"),
        ("outputs", "产出"),
        ("state", "状态"),
        ("job", "作业"),
    ];
    let mut rows = vec![head(screen, &heads)];
    for u in all {
        rows.push(vec![
            moment(u.began_us),
            moment(u.ended_us),
            names.short(&u.party),
            u.kind.clone(),
            u.purpose.clone(),
            u.outputs.join("+"),
            u.state.to_string(),
            u.job.clone(),
        ]);
    }
    columns(&rows)
}

/// A decision, or the want of one.
pub fn decision(d: &Decision) -> Value {
    json!({
        "dataset": d.dataset, "party": d.party, "approval": d.approval.as_str(), "job": d.job, "kind": d.kind,
        "purpose": d.purpose, "outputs": d.outputs, "asked_us": d.asked_us, "decided_us": d.decided_us,
    })
}

/// One line a decision, what waits first.
pub fn decisions(all: &[Decision], names: &Names, screen: Screen) -> String {
    let heads = [
        ("dataset", "数据集"),
        ("party", "参与方"),
        ("approval", "批准"),
        ("since", "自"),
        ("kind", "类型"),
        ("purpose", "用途"),
        ("outputs", "产出"),
        ("job", "作业"),
    ];
    let mut rows = vec![head(screen, &heads)];
    for d in all {
        rows.push(vec![
            d.dataset.clone(),
            names.short(&d.party),
            d.approval.to_string(),
            moment(d.asked_us.max(d.decided_us)),
            or_dash(&d.kind),
            or_dash(&d.purpose),
            or_dash(&d.outputs.join("+")),
            or_dash(d.job.as_deref().unwrap_or_default()),
        ]);
    }
    columns(&rows)
}

//! What nodes say about a job, in Chinese: their texts are English sentences around numbers and short names.

use super::words::escape;

/// Roles.
const ROLES: [(&str, &str); 4] = [
    ("initiator", "发起方"),
    ("designated collaborator", "指定协作方"),
    ("collaborator", "协作方"),
    ("initiator and designated collaborator, if they put their notes together", "发起方与指定协作方若合并所知"),
];

/// Facts; `#` stands for a number.
const FACTS: [(&str, &str); 21] = [
    (
        "the number of keys of every collaborator, and which of its own # keys each collaborator has",
        "各协作方的主键数量，以及自己的 # 个主键中各协作方分别拥有哪些",
    ),
    (
        "the initiator's number of keys, and which of its own keys all parties have; which of these are test rows",
        "发起方的主键数量、自己的主键中哪些为各方共有，以及其中哪些是测试样本",
    ),
    (
        "the initiator's number of keys, and which of its own keys the initiator has; which of these are test rows. \
         A party that covers every enterprise learns the initiator's list",
        "发起方的主键数量、自己的主键中哪些为发起方拥有，以及其中哪些是测试样本。覆盖全部企业的一方将得知发起方名单",
    ),
    (
        "the number of training rows, how many of them are positive, and the optimiser's scalars of every evaluation",
        "训练样本数、其中正样本数，以及每次评估的优化器标量",
    ),
    ("its own gradient in every evaluation: at most # x # = # numbers", "每次评估中自己的梯度：至多 # × # = # 个数"),
    (
        "its own gradient in every evaluation: at most # x its number of columns",
        "每次评估中自己的梯度：至多 # × 自己的列数",
    ),
    (
        "the number of columns and the bound of every party, the sum of all parties' scalars of every \
         evaluation, and the \
         joint score of every test row",
        "各方的列数与预测值上界、每次评估各方标量之和，以及每个测试样本的联合评分",
    ),
    (
        "the number of columns and the bound of every party, the other party's scalars of every evaluation, and \
         the joint \
         score of every test row, hence the other party's part of it",
        "各方的列数与预测值上界、每次评估中对方的标量，以及每个测试样本的联合评分，由此可得其中对方的部分",
    ),
    ("nothing of predictors, labels or residuals of any row", "不得知任何样本的预测值、标签或残差"),
    (
        "the number of columns of every party; nothing of predictors, labels or residuals of any row",
        "各方的列数；不得知任何样本的预测值、标签或残差",
    ),
    (
        "of what encrypted answers hide, at most a statistical distance of #^# (for # rows, # evaluations and # \
         columns, were every party as wide as this one)",
        "对加密应答所隐藏的内容，至多得到 #^# 的统计距离（按 # 行、# 次评估、若各方列数相同则合计 # 列）",
    ),
    (
        "the residual of every training row, hence the sum of all predictors of it",
        "每个训练样本的残差，由此可得各方预测值之和",
    ),
    (
        "the residual of every training row, hence the sum of all predictors of it, hence the remaining party's \
         predictor \
         of it",
        "每个训练样本的残差，由此可得各方预测值之和，进而得到其余一方的预测值",
    ),
    (
        "the residual of every training row, hence the sum of all predictors of it, hence the sum of the \
         remaining parties' \
         predictors of it",
        "每个训练样本的残差，由此可得各方预测值之和，进而得到其余各方预测值之和",
    ),
    ("the joint score of every row it asks for", "所请求每个样本的联合评分"),
    (
        "the joint score of every row it asks for, hence the collaborator's part of it",
        "所请求每个样本的联合评分，由此可得其中协作方的部分",
    ),
    ("nothing of scores", "不得知评分"),
    (
        "the number of keys of every collaborator, and which of its own keys each collaborator has",
        "各协作方的主键数量，以及自己的主键中各协作方分别拥有哪些",
    ),
    (
        "the initiator's number of keys, and which of its own # keys all parties have; which of these are test rows",
        "发起方的主键数量、自己的 # 个主键中哪些为各方共有，以及其中哪些是测试样本",
    ),
    (
        "the initiator's number of keys, and which of its own # keys the initiator has; which of these are test \
         rows. A \
         party that covers every enterprise learns the initiator's list",
        "发起方的主键数量、自己的 # 个主键中哪些为发起方拥有，以及其中哪些是测试样本。\
         覆盖全部企业的一方将得知发起方名单",
    ),
    ("One row has more than #/# of the leverage of this column.", "该列中某一行的杠杆值超过 #/#。"),
];

/// A role in Chinese, or as it is.
pub fn role(text: &str) -> String {
    ROLES.iter().find(|(en, _)| *en == text).map_or_else(|| text.to_owned(), |(_, zh)| (*zh).to_owned())
}

/// A fact in Chinese, or as it is.
pub fn fact(text: &str) -> String {
    let (shape, numbers) = split_numbers(text);
    let Some((_, zh)) = FACTS.iter().find(|(en, _)| *en == shape) else { return text.to_owned() };
    let mut numbers = numbers.into_iter();
    let mut out = String::new();
    for c in zh.chars() {
        match c {
            '#' => out.push_str(&numbers.next().unwrap_or_default()),
            c => out.push(c),
        }
    }
    out
}

/// A fact as HTML: products and powers as they are written by hand.
pub fn typeset(text: &str) -> String {
    let text = escape(text).replace(" x ", " × ");
    let Some((head, tail)) = text.split_once("2^") else { return text };
    let end = tail.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(tail.len());
    let (power, rest) = tail.split_at(end);
    format!("{head}2<sup>{}</sup>{rest}", power.replace('-', "−"))
}

/// The text with `#` for each number, and the numbers in order.
fn split_numbers(text: &str) -> (String, Vec<String>) {
    let (mut shape, mut numbers) = (String::new(), Vec::new());
    let mut number = String::new();
    for c in text.chars().chain(['\0']) {
        let is_sign = c == '-' && shape.ends_with('^') && number.is_empty();
        if c.is_ascii_digit() || is_sign {
            number.push(c);
            continue;
        }
        if !number.is_empty() {
            shape.push('#');
            numbers.push(std::mem::take(&mut number));
        }
        shape.push(c);
    }
    shape.pop();
    (shape, numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_places() {
        let text = "its own gradient in every evaluation: at most 40 x 13 = 520 numbers";
        assert_eq!(fact(text), "每次评估中自己的梯度：至多 40 × 13 = 520 个数");
        let distance = "of what encrypted answers hide, at most a statistical distance of 2^-22 (for 30000 rows, 40 \
                        evaluations and 39 columns, were every party as wide as this one)";
        assert!(fact(distance).contains("2^-22") && fact(distance).contains("39 列"));
    }

    #[test]
    fn powers_stand_high() {
        assert_eq!(typeset("at most 2^-22 (for 3 x 4 < 13)"), "at most 2<sup>−22</sup> (for 3 × 4 &lt; 13)");
        assert_eq!(typeset("nothing of scores"), "nothing of scores");
    }

    #[test]
    fn an_unknown_fact_stays_as_it_is() {
        assert_eq!(fact("something new in version 2"), "something new in version 2");
        assert_eq!(role("auditor"), "auditor");
    }
}

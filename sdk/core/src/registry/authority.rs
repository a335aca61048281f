//! Texts of the codes 3xxx.
use super::Row;
use crate::Code;

pub(super) const TEXTS: &[Row] = &[
    (
        Code::NotAllowed,
        "No allow entry permits this party, dataset, purpose and output.",
        "没有授权条目允许该参与方、数据集、用途和输出。",
        "Ask the dataset's office for an [[allow]] entry, or change the purpose or outputs.",
        "请向数据管理方申请 [[allow]] 授权条目，或修改用途、输出。",
    ),
    (
        Code::WrongParty,
        "The identity of the connection is not the one that the message claims.",
        "连接身份与消息声明的参与方不一致。",
        "Use the certificate of the party that opened the session.",
        "请使用发起会话的参与方的证书。",
    ),
    (
        Code::NotModelOwner,
        "The model belongs to another party.",
        "该模型属于其他参与方。",
        "Only the owner of a model can score with it.",
        "只有模型所有者可以使用该模型评分。",
    ),
    (
        Code::UnknownParty,
        "A party of the session has no trusted descriptor here.",
        "会话中有参与方在本节点没有受信任的描述文件。",
        "Run: hefu party trust FILE with that party's descriptor.",
        "请用该参与方的描述文件执行 hefu party trust FILE。",
    ),
    (
        Code::OverBudget,
        "The query budget for this party and model is used up.",
        "该参与方对该模型的查询额度已用完。",
        "Ask the dataset's office for a larger budget.",
        "请向数据管理方申请增加额度。",
    ),
    (
        Code::ApprovalNeeded,
        "The dataset's steward has not yet approved the first use by this party.",
        "数据集管理员尚未批准该参与方首次使用。",
        "Wait, the job goes on by itself once approved; the steward's office runs: hefu dataset approve NAME --party PARTY.",
        "请等待：批准后作业自动继续；管理方执行 hefu dataset approve NAME --party PARTY。",
    ),
    (
        Code::ApprovalRefused,
        "The dataset's steward refused its use by this party.",
        "数据集管理员拒绝该参与方使用。",
        "Ask the steward's office why; it may approve later.",
        "请向管理方了解原因；管理方可在之后批准。",
    ),
    (
        Code::ApprovalExpired,
        "Nobody approved the use of the dataset in time.",
        "在期限内无人批准使用该数据集。",
        "Ask the steward's office to approve, then submit the job again.",
        "请联系管理方批准，然后重新提交作业。",
    ),
    (
        Code::DatasetRevoked,
        "The dataset was withdrawn, or its use by this party revoked.",
        "数据集已撤回，或该参与方的使用已被撤销。",
        "Nothing of the job is kept; ask the steward's office before a new one.",
        "作业结果不予保留；重新发起前请联系管理方。",
    ),
    (
        Code::TooFewParticipants,
        "An aggregation with fewer than three participants would give each one's values away.",
        "参与方少于三个的聚合会泄露各方数值。",
        "Ask a further participant to join.",
        "请再邀请一个参与方加入。",
    ),
    (
        Code::RosterDifference,
        "The survivors differ by one party from an earlier round: the difference would give that party's values away.",
        "存续方与先前一轮只差一个参与方，相减会泄露该方数值。",
        "Submit the job again with the participants that remain; or have every agreement permit roster-change.",
        "请用其余参与方重新提交作业；或在所有授权条目中允许 roster-change。",
    ),
    (
        Code::EvaluationsSpent,
        "The keys that this party may have evaluated in the dataset's epoch are used up.",
        "该参与方在数据集本密钥期内可求值的主键数已用完。",
        "Ask the dataset's office for a larger evaluations in its [[allow]] entry, or for a new epoch: hefu dataset rotate NAME.",
        "请向数据管理方申请调大 [[allow]] 条目的 evaluations，或开始新的密钥期：hefu dataset rotate NAME。",
    ),
];

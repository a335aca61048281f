//! Texts of the codes 2xxx.
use super::Row;
use crate::Code;

pub(super) const TEXTS: &[Row] = &[
    (
        Code::NoCommonVersion,
        "The parties share no protocol version.",
        "双方没有共同的协议版本。",
        "Compare the versions with hefu party show; upgrade the older node.",
        "请用 hefu party show 比较版本，升级较旧的节点。",
    ),
    (
        Code::NoCommonSuite,
        "The parties share no cipher suite.",
        "双方没有共同的密码套件。",
        "Allow a common suite in both configurations.",
        "请在双方配置中启用共同的密码套件。",
    ),
    (
        Code::Downgrade,
        "The choice differs from what both offers give.",
        "协商结果与双方声明不一致。",
        "Someone altered the negotiation or the peer is faulty; tell its operator.",
        "协商可能被篡改或对方实现有误，请联系对方运维。",
    ),
    (
        Code::TranscriptMismatch,
        "The parties saw different negotiation messages.",
        "各方看到的协商消息不一致。",
        "Someone altered a message on the way; check gateways between the parties.",
        "协商消息可能在途中被修改，请检查中间网关。",
    ),
    (
        Code::UnknownCritical,
        "A critical extension is not known here.",
        "存在本节点不认识的关键扩展。",
        "Leave the extension out or upgrade the node.",
        "请去掉该扩展或升级节点。",
    ),
    (
        Code::UnsupportedPlan,
        "A stage, algorithm or option of the plan is not supported.",
        "计划中的阶段、算法或选项不受支持。",
        "Compare the plan with the peer's capabilities.",
        "请对照对方能力清单修改计划。",
    ),
    (
        Code::SchemaChanged,
        "The dataset's schema is not the one that the job cites.",
        "数据集的结构与作业引用的不一致。",
        "Fetch the dataset's schema again and submit a new job.",
        "请重新获取数据集结构并提交新作业。",
    ),
    (
        Code::ClipTooLarge,
        "The plan's clip leaves no room for the sum of all participants.",
        "计划的截断上限过大，所有参与方之和没有余量。",
        "Lower the clip, or aggregate with fewer participants.",
        "请降低截断上限，或减少参与方。",
    ),
    (
        Code::DuplicateParticipant,
        "The offer lists a party twice.",
        "要约中同一参与方出现两次。",
        "List every party once.",
        "每个参与方只列一次。",
    ),
];

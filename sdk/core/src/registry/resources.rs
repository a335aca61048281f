//! Texts of the codes 7xxx.
use super::Row;
use crate::Code;

pub(super) const TEXTS: &[Row] = &[
    (
        Code::MessageTooLarge,
        "A message exceeds the negotiated size.",
        "消息超过协商的大小。",
        "Raise limits.max_message_bytes on both sides.",
        "请双方调大 limits.max_message_bytes。",
    ),
    (Code::TooManyJobs, "The node runs its maximum of jobs.", "节点运行的作业已达上限。", "Try later.", "请稍后再试。"),
    (
        Code::TooManyRows,
        "More rows than the node accepts.",
        "行数超过节点允许的上限。",
        "Raise limits.max_rows or use fewer rows.",
        "请调大 limits.max_rows 或减少行数。",
    ),
    (
        Code::Disk,
        "The node cannot write to its state folder.",
        "节点无法写入状态目录。",
        "Free space or correct permissions, then start the node again.",
        "请释放空间或修正权限后重启节点。",
    ),
    (
        Code::Configuration,
        "The configuration is not valid.",
        "配置无效。",
        "Correct the named entry; see docs for an example.",
        "请修正所示条目；示例见文档。",
    ),
    (
        Code::Internal,
        "A fault of this program.",
        "程序内部错误。",
        "Report it with the version and this message.",
        "请附版本和此消息上报。",
    ),
    (Code::Usage, "The command line is not valid.", "命令行参数无效。", "See --help.", "请查看 --help。"),
    (
        Code::NodeMemory,
        "The node has no memory left for a further session.",
        "本节点没有足够内存接受新的会话。",
        "Try again when other jobs have ended, or raise limits.max_node_bytes at that node.",
        "请待其他作业结束后重试，或在该节点调大 limits.max_node_bytes。",
    ),
];

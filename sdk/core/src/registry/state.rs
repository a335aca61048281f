//! Texts of the codes 4xxx.
use super::Row;
use crate::Code;

pub(super) const TEXTS: &[Row] = &[
    (
        Code::WrongState,
        "The call does not fit the state of the session or job.",
        "该调用与会话或作业的状态不符。",
        "Look at the state: hefu job show ID.",
        "请查看状态：hefu job show ID。",
    ),
    (Code::UnknownSession, "No such session here.", "本节点没有该会话。", "Open a new session.", "请建立新的会话。"),
    (
        Code::ReplayedSession,
        "A session with this id was seen before.",
        "该会话编号已被使用过。",
        "Draw a fresh session id.",
        "请使用新的会话编号。",
    ),
    (
        Code::Conflict,
        "The same sequence number came twice with different content.",
        "同一序号出现了两次不同的内容。",
        "The peer is faulty or someone interferes; tell its operator.",
        "对方实现有误或链路被干扰，请联系对方运维。",
    ),
    (
        Code::OutOfOrder,
        "A frame is missing.",
        "缺少数据帧。",
        "Submit the job again; if it recurs, the peer is faulty.",
        "请重新提交作业；若反复出现，则对方实现有误。",
    ),
    (
        Code::UnexpectedMessage,
        "A message came that this step does not expect.",
        "收到当前步骤不应出现的消息。",
        "Compare the versions of both nodes.",
        "请比较双方节点版本。",
    ),
    (Code::Cancelled, "The job was cancelled.", "作业已被取消。", "Submit it again when needed.", "需要时请重新提交。"),
    (
        Code::PeerAborted,
        "Another party ended the job.",
        "其他参与方终止了作业。",
        "See the cause it gave; look at that party's node.",
        "请查看其给出的原因并检查该方节点。",
    ),
    (
        Code::StaleRound,
        "A value belongs to another round.",
        "数值属于其他轮次。",
        "The peer is faulty; tell its operator.",
        "对方实现有误，请联系对方运维。",
    ),
    (
        Code::UnknownJob,
        "No such job here.",
        "本节点没有该作业。",
        "List jobs with: hefu job list.",
        "请用 hefu job list 查看作业。",
    ),
    (
        Code::NodeStopped,
        "The node was stopped while the job ran.",
        "作业运行时节点被停止。",
        "Start the node and submit the job again.",
        "请启动节点并重新提交作业。",
    ),
    (
        Code::TooManyRounds,
        "Training did not converge within the announced number of evaluations.",
        "训练在声明的评估次数内没有收敛。",
        "Raise max_evaluations, or drop columns that are nearly equal.",
        "请调大 max_evaluations，或删除近似重复的列。",
    ),
    (
        Code::BelowThreshold,
        "Fewer participants remain than the threshold of the round.",
        "剩余参与方少于本轮门限。",
        "Start the round again when the missing participants are back.",
        "请在缺席的参与方恢复后重新开始本轮。",
    ),
    (
        Code::DoubleUnmask,
        "The coordinator asked twice for the shares of one round.",
        "协调方对同一轮两次索取份额。",
        "Take no further part; ask the coordinator's operator.",
        "请停止参与，并向协调方核实。",
    ),
    (
        Code::WronglyDropped,
        "The coordinator declares this participant lost although it answered.",
        "协调方声称本方掉线，而本方已作答。",
        "Ask the coordinator's operator; take part in the next round.",
        "请向协调方核实；可参加下一轮。",
    ),
];

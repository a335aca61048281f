//! Texts of the codes 1xxx.
use super::Row;
use crate::Code;

pub(super) const TEXTS: &[Row] = &[
    (
        Code::PeerUnreachable,
        "The peer's node does not accept a connection.",
        "对方节点无法连接。",
        "Check that the peer's node runs, its address in the descriptor, and the firewall rule for its port.",
        "请确认对方节点已启动、描述文件中的地址正确、防火墙已放行该端口。",
    ),
    (
        Code::PeerSlow,
        "The peer sent nothing within the agreed idle time.",
        "对方在约定的空闲时间内没有发送任何数据。",
        "Ask the peer about load; raise limits.idle_timeout_s on both sides if the link is slow.",
        "请询问对方负载情况；链路较慢时双方调大 limits.idle_timeout_s。",
    ),
    (
        Code::LinkCut,
        "The connection to the peer ended during the job.",
        "作业进行中与对方的连接中断。",
        "Check the peer's node and the network, then submit the job again.",
        "请检查对方节点与网络，然后重新提交作业。",
    ),
    (
        Code::UntrustedCertificate,
        "The certificate is not that of a trusted party, or is outside its validity.",
        "证书不属于受信任的参与方，或不在有效期内。",
        "Exchange party descriptors and run: hefu party trust FILE. Check the clocks of both hosts.",
        "请双方交换参与方描述文件并执行 hefu party trust FILE；检查双方主机时钟。",
    ),
    (
        Code::PortTaken,
        "Another program listens on the configured port.",
        "配置的端口已被其他程序占用。",
        "Stop the other program or set another port under [listen].",
        "请停止占用端口的程序，或在 [listen] 中改用其他端口。",
    ),
    (
        Code::ControlUnreachable,
        "The control side of one's own node does not answer.",
        "无法连接本方节点的控制端口。",
        "Start the node: hefu serve --config FILE. Check that --config names this node.",
        "请启动节点：hefu serve --config FILE；确认 --config 指向该节点。",
    ),
];
